const MARK = "clinicAssistant";

/**
 * Let the step back of a browser close what covers the page.
 *
 * Opening adds a step to the page's history and closing takes it away; the page's own scripts see neither.
 */
export function steps(close: () => void): { enter(): void; leave(): void; went(event: Event): void } {
  let isInside = false;
  let isLeaving = false;
  const isMarked = () => Boolean(history.state?.[MARK]);
  return {
    went(event) {
      const isClosing = isInside && !isMarked();
      if (isLeaving || isClosing) event.stopImmediatePropagation();
      isLeaving = false;
      if (!isClosing) return;
      isInside = false;
      close();
    },
    enter() {
      isInside = true;
      if (isMarked()) return;
      try {
        history.pushState({ ...history.state, [MARK]: true }, "");
      } catch {
        // A frame that has no history of its own.
        isInside = false;
      }
    },
    leave() {
      if (!isInside) return;
      isInside = false;
      if (!isMarked()) return;
      isLeaving = true;
      history.back();
    },
  };
}
