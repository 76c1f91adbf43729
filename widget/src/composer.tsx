import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import type { States } from "./state";
import { filled, words } from "./words";

const LONGEST_TEXT = 1000;
/** From how many characters left the visitor is told so. */
const FEW = 100;

/** Where the visitor writes; what is begun is kept for the next page of this tab. */
export function Composer({ say, states, placeholder }: { say: (text: string) => void; states: States; placeholder: string }) {
  const [text, setText] = useState(states.draft);
  const [isCut, setCut] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);

  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [text]);
  const write = (written: string) => {
    setCut(written.length > LONGEST_TEXT);
    const kept = written.slice(0, LONGEST_TEXT);
    setText(kept);
    states.draft = kept;
    // What is cut off is not in the state, so the field is told.
    if (field.current) field.current.value = kept;
  };
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim()) say(text.trim());
    write("");
    field.current?.focus();
  };
  const left = LONGEST_TEXT - text.length;
  return (
    <form onSubmit={send}>
      <textarea
        ref={field}
        rows={1}
        value={text}
        aria-label={words.field}
        placeholder={placeholder}
        enterkeyhint="send"
        autocapitalize="sentences"
        autocomplete="off"
        onInput={(event) => write(event.currentTarget.value)}
      />
      <button class="send" type="submit" aria-label={words.send} title={words.send} aria-disabled={!text.trim()}>
        <Icon name="send" />
      </button>
      <p class="count" role="status">
        {isCut ? filled(words.cut, { count: LONGEST_TEXT }) : left < FEW ? filled(words.left, { count: left }) : ""}
      </p>
    </form>
  );
}
