import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import type { PanelProps } from "./panel";
import { copy, print, save, transcript } from "./transcript";
import { filled, words } from "./words";

/** Who speaks here, the numbers to call, and what can be done with the chat. */
export function Header({ clinic, settings, conversation, close }: Omit<PanelProps, "states">) {
  const title = settings.title ?? clinic.name;
  return (
    <div class="head">
      {settings.logo && <img class="logo" src={settings.logo} alt="" />}
      <div class="name">
        <h2 id="title" tabIndex={-1} title={title}>
          {title}
        </h2>
        <p>{words.assistant}</p>
      </div>
      <a class="icon number" href={`tel:${clinic.emergency}`} aria-label={`${words.emergency} ${clinic.emergency}`}>
        <span>{clinic.emergency}</span>
      </a>
      <a class="icon" href={clinic.phoneLink} aria-label={filled(words.call, { name: clinic.name, phone: clinic.phone })} title={clinic.phone}>
        <Icon name="phone" />
      </a>
      <Menu clinic={clinic} conversation={conversation} />
      {close && (
        <button class="icon" type="button" aria-label={words.close} title={words.close} onClick={close}>
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

function Menu({ clinic, conversation }: Pick<PanelProps, "clinic" | "conversation">) {
  const [expanded, expand] = useState(false);
  const [copied, setCopied] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const more = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    setCopied(false);
    if (!expanded) return;
    const fold = (event: Event) => menu.current && !event.composedPath().includes(menu.current) && expand(false);
    window.addEventListener("pointerdown", fold, true);
    return () => window.removeEventListener("pointerdown", fold, true);
  }, [expanded]);
  const leave = (event: FocusEvent) => {
    const to = event.relatedTarget as Node | null;
    if (to && !menu.current?.contains(to)) expand(false);
  };
  const after = (act: () => void) => () => {
    act();
    expand(false);
    more.current?.focus();
  };
  const text = () => transcript(conversation.state.entries, clinic);
  return (
    <div ref={menu} onFocusOut={leave}>
      <button
        class="icon"
        type="button"
        ref={more}
        aria-label={words.more}
        title={words.more}
        aria-expanded={expanded}
        aria-controls="more"
        onClick={() => expand(!expanded)}
      >
        <Icon name="more" />
      </button>
      <div id="more" class="menu" hidden={!expanded}>
        <button type="button" onClick={async () => setCopied(await copy(text(), menu.current!))}>
          <b>{words.copy}</b> <span role="status">{copied ? words.copied : ""}</span>
        </button>
        <button type="button" onClick={after(() => save(text()))}>
          <b>{words.save}</b>
        </button>
        <button type="button" onClick={after(() => print(text(), clinic.name))}>
          <b>{words.print}</b>
        </button>
        <hr />
        <button type="button" onClick={after(() => conversation.restart())}>
          <b>{words.startOver}</b> {words.startOverWhat}
        </button>
        <button type="button" onClick={after(() => conversation.clear())}>
          <b>{words.delete}</b> {words.deleteWhat}
        </button>
      </div>
    </div>
  );
}
