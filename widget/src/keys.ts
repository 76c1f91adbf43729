/**
 * Handle the keys of the chat, and keep what is typed in it from the page's own shortcuts.
 *
 * It listens before the page does, and what is pressed inside goes no further; the browser still does its part, such as
 * writing the letter.
 */
export function keys(dialog: HTMLElement, isOpen: () => boolean, close: () => void): void {
  const focused = () => (dialog.getRootNode() as ShadowRoot).activeElement;
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape" && !event.isComposing) escape(event);
    else if (event.key === "F6") {
      event.preventDefault();
      dialog.querySelector<HTMLElement>(focused()?.tagName === "TEXTAREA" ? ".log" : "textarea")?.focus();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && focused()?.tagName === "TEXTAREA") {
      event.preventDefault();
      dialog.querySelector<HTMLElement>(".send")?.click();
    } else if (/^Arrow/.test(event.key) && focused()?.closest(".rating")) {
      event.preventDefault();
      const all = [...dialog.querySelectorAll<HTMLElement>(".rating button.icon")];
      const step = /Left|Up/.test(event.key) ? -1 : 1;
      all[all.indexOf(focused() as HTMLElement) + step]?.focus();
    }
  };
  const escape = (event: Event) => {
    event.preventDefault();
    const menu = dialog.querySelector<HTMLElement>('[aria-controls="more"][aria-expanded="true"]');
    if (menu) menu.click();
    else close();
    menu?.focus();
  };
  for (const kind of ["keydown", "keypress", "keyup"] as const) {
    window.addEventListener(
      kind,
      (event) => {
        if (!event.composedPath().includes(dialog)) return;
        event.stopImmediatePropagation();
        if (kind === "keydown") pressed(event);
      },
      true,
    );
  }
  // From the page, once nothing there wanted the key.
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen() && !event.defaultPrevented) close();
  });
}
