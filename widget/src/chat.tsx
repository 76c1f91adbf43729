import { render } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import css from "./chat.css";
import type { Clinic } from "./clinic";
import { Conversation } from "./conversation";
import { Icon } from "./icons";
import { Server } from "./server";
import { States, type Button, type Entry } from "./state";
import { linked } from "./text";

/*
 * Why this stands on Preact and not on a ready-made chat element such as deep-chat: buttons that are used once, ratings,
 * cards and source lines would have to be handed to that as strings of HTML, announcing and keeping messages until they
 * are delivered would be built around it, and the visitor would load 111 KB for it instead of 12.
 */

export interface Options {
  root: ShadowRoot;
  clinic: Clinic;
  /** The address of the chat with its last slash. */
  server: string;
  closed: () => void;
  unread: (count: number) => void;
}

/** The chat inside a page. */
export interface Chat {
  /** Show it; `focus` says whether the visitor asked for it just now. */
  open(focus: boolean): void;
  close(): void;
  say(text: string): void;
}

const LONGEST_TEXT = 1000;
const FULL_SCREEN = "(max-width: 480px), (max-height: 480px)";

/** Put the chat, closed, into a shadow root. */
export function mount({ root, clinic, server, closed, unread }: Options): Chat {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "title");
  root.append(dialog);

  const close = () => {
    conversation.watched = false;
    if (dialog.open) dialog.close();
    closed();
  };
  const show = () => {
    render(<Panel clinic={clinic} conversation={conversation} close={close} />, dialog);
    unread(conversation.state.unread);
  };
  const conversation = new Conversation(new Server(server), new States(server), show);
  const fullScreen = window.matchMedia(FULL_SCREEN);
  const unfold = () => {
    if (dialog.open) dialog.close();
    if (fullScreen.matches) dialog.showModal();
    else dialog.show();
  };
  fullScreen.addEventListener("change", () => {
    if (dialog.open) unfold();
  });
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    close();
  });
  followKeyboard(dialog);
  conversation.resume();

  return {
    open(focus) {
      const before = document.activeElement as HTMLElement | null;
      unfold();
      conversation.begin();
      if (focus) dialog.querySelector<HTMLElement>(isTouched() ? "#title" : "textarea")?.focus();
      else if (!fullScreen.matches) giveFocusBack(root, before);
    },
    close,
    say: (text) => conversation.say(text),
  };
}

/** Keep a full-screen chat inside what a phone's keyboard leaves of the screen. */
function followKeyboard(dialog: HTMLElement): void {
  const view = window.visualViewport;
  if (!view) return;
  const follow = () => {
    dialog.style.setProperty("--visible-height", `${view.height}px`);
    dialog.style.setProperty("--visible-top", `${view.offsetTop}px`);
  };
  view.addEventListener("resize", follow);
  view.addEventListener("scroll", follow);
  follow();
}

/** Undo what a dialog does on opening, for a visitor who did not ask for it. */
function giveFocusBack(root: ShadowRoot, before: HTMLElement | null): void {
  (root.activeElement as HTMLElement | null)?.blur();
  before?.focus();
}

/** Whether a keyboard would cover the screen as soon as a field has the focus. */
function isTouched(): boolean {
  return window.matchMedia("(pointer: coarse)").matches;
}

interface PanelProps {
  clinic: Clinic;
  conversation: Conversation;
  close: () => void;
}

function Panel({ clinic, conversation, close }: PanelProps) {
  const { entries } = conversation.state;
  const log = useRef<HTMLDivElement>(null);
  const lastVisitor = entries.findLastIndex((entry) => entry.from === "visitor");
  const last = entries.at(-1);

  // What was said last is in view; of more than fits, its beginning.
  useLayoutEffect(() => {
    const list = log.current;
    if (!list) return;
    const said = list.querySelectorAll<HTMLElement>(".entry");
    const first = said[Math.max(lastVisitor, 0)];
    list.scrollTop = first ? Math.min(list.scrollHeight, first.offsetTop - list.offsetTop - 12) : 0;
  }, [last?.id, conversation.answering, conversation.watched]);

  const choose = (button: Button) => {
    conversation.say(button.title, button.payload);
    log.current?.focus();
  };
  return (
    <div class="panel">
      <Header clinic={clinic} conversation={conversation} close={close} />
      <Banner clinic={clinic} conversation={conversation} />
      <div class="log" role="log" aria-label="Conversation" aria-relevant="additions" tabIndex={0} ref={log}>
        {entries.map((entry, index) => (
          <Message
            key={entry.id}
            entry={entry}
            clinic={clinic}
            sending={conversation.answering}
            chosen={index < lastVisitor ? entries.slice(index).find((each) => each.from === "visitor")?.payload : undefined}
            choose={index > lastVisitor ? choose : undefined}
            rate={(verdict) => conversation.rate(entry.id, verdict)}
          />
        ))}
        {conversation.answering && (
          <div class="typing" aria-hidden="true">
            <i />
            <i />
            <i />
          </div>
        )}
      </div>
      <Composer say={(text) => conversation.say(text)} />
      <p class="foot">
        Not a diagnosis. Emergency? Call <a href={`tel:${clinic.emergency}`}>{clinic.emergency}</a>.
      </p>
    </div>
  );
}

function Header({ clinic, conversation, close }: PanelProps) {
  const [expanded, expand] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const fold = () => {
    expand(false);
    more.current?.focus();
  };
  const escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !expanded) return;
    event.preventDefault();
    fold();
  };
  return (
    <div class="head" onKeyDown={escape}>
      <div class="name">
        <h2 id="title" tabIndex={-1}>
          {clinic.name}
        </h2>
        <p>Automated assistant</p>
      </div>
      <a class="icon" href={clinic.phoneLink} aria-label={`Call ${clinic.name} at ${clinic.phone}`} title={`Call ${clinic.phone}`}>
        <Icon name="phone" />
      </a>
      <button
        class="icon"
        type="button"
        ref={more}
        aria-label="More"
        title="More"
        aria-expanded={expanded}
        aria-controls="more"
        onClick={() => expand(!expanded)}
      >
        <Icon name="more" />
      </button>
      <button class="icon" type="button" aria-label="Close the chat" title="Close" onClick={close}>
        <Icon name="close" />
      </button>
      <div id="more" class="menu" hidden={!expanded}>
        <button type="button" onClick={() => (conversation.restart(), fold())}>
          <b>Start over</b> Forget this chat and begin again
        </button>
        <button type="button" onClick={() => (conversation.clear(), fold())}>
          <b>Delete this chat</b> Here and on our server, now
        </button>
      </div>
    </div>
  );
}

function Banner({ clinic, conversation }: Omit<PanelProps, "close">) {
  const away = !navigator.onLine || !conversation.reachable;
  const waits = conversation.state.entries.some((entry) => entry.delivery === "waiting");
  return (
    <div role="status">
      {away && (
        <p class="banner">
          {navigator.onLine ? "The assistant cannot be reached just now." : "You are offline."}
          {waits && " Your message is kept and will be sent once."} You can always call{" "}
          <a href={clinic.phoneLink}>{clinic.phone}</a>.
        </p>
      )}
    </div>
  );
}

interface MessageProps {
  entry: Entry;
  clinic: Clinic;
  /** Whether what waits is on its way just now. */
  sending: boolean;
  /** The payload that was chosen from this message's buttons. */
  chosen?: string;
  /** What choosing does, while there is a choice. */
  choose?: (button: Button) => void;
  rate: (verdict: "up" | "down") => void;
}

const DELIVERY = { waiting: "Waiting to be sent", refused: "Not sent" };

function Message({ entry, clinic, sending, chosen, choose, rate }: MessageProps) {
  if (entry.from === "notice") return <p class="entry notice">{entry.text}</p>;
  const time = new Date(entry.at);
  return (
    <div class={`entry ${entry.from}`}>
      <p class="about">
        {entry.from === "visitor" ? "You" : "Automated assistant"}{" "}
        <time dateTime={time.toISOString()}>{time.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" })}</time>
        {entry.delivery && !(sending && entry.delivery === "waiting") && <span> · {DELIVERY[entry.delivery]}</span>}
      </p>
      <div class="bubble">
        <p>{entry.from === "visitor" ? entry.text : linked(entry.text, clinic)}</p>
        {!!entry.card?.length && (
          <dl>
            {entry.card.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {entry.source && <p class="source">Source: {entry.source}</p>}
      </div>
      {entry.response && (
        <div class="rating" role="group" aria-label="Did this answer help?">
          <button
            class="icon"
            type="button"
            aria-label="This answer helped"
            title="This answer helped"
            aria-pressed={entry.verdict === "up"}
            onClick={() => rate("up")}
          >
            <Icon name="up" />
          </button>
          <button
            class="icon"
            type="button"
            aria-label="This answer did not help"
            title="This answer did not help"
            aria-pressed={entry.verdict === "down"}
            onClick={() => rate("down")}
          >
            <Icon name="down" />
          </button>
          {entry.verdict && <span>Thank you</span>}
        </div>
      )}
      {!!entry.buttons?.length && (
        <div class="choices">
          {entry.buttons.map((button) => (
            <button
              key={button.payload}
              type="button"
              class={button.payload === chosen ? "chosen" : undefined}
              disabled={!choose}
              onClick={() => choose?.(button)}
            >
              {button.title}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function Composer({ say }: { say: (text: string) => void }) {
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [text]);
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim()) say(text.trim());
    setText("");
    field.current?.focus();
  };
  const sendOnEnter = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form onSubmit={send}>
      <textarea
        ref={field}
        rows={1}
        value={text}
        maxLength={LONGEST_TEXT}
        aria-label="Your message"
        placeholder="Ask about runner’s knee"
        enterkeyhint="send"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={sendOnEnter}
      />
      <button class="send" type="submit" aria-label="Send" title="Send" aria-disabled={!text.trim()}>
        <Icon name="send" />
      </button>
      {text.length > LONGEST_TEXT - 100 && (
        <p class="count" role="status">
          {LONGEST_TEXT - text.length} characters left
        </p>
      )}
    </form>
  );
}
