import { words } from "./words";

/** How long a visitor waits before being told that an answer is coming, in milliseconds. */
const PATIENCE = 2_000;

/** Tell screen readers what is said, once and without the buttons below it. */
export function announcer(parent: HTMLElement): { say(text: string): void; writing(is: boolean): void } {
  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  parent.append(status);
  let timer: number | undefined;
  return {
    say(text) {
      status.textContent = text;
    },
    writing(is) {
      if (is) timer ??= window.setTimeout(() => (status.textContent = words.writing), PATIENCE);
      else {
        window.clearTimeout(timer);
        timer = undefined;
      }
    },
  };
}
