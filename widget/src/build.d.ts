declare module "*.css" {
  const text: string;
  export default text;
}
/** The chat's file name and version, set by build.mjs. */
declare const CHAT: string;
/** The clinic's details, set by the server when it serves widget.js. */
declare const __CLINIC__: import("./clinic").Clinic;

interface Window {
  /** What a page may tell the chat; there once the button is. */
  clinicAssistant?: {
    open(): void;
    close(): void;
    ask(question: string): void;
    hide(): void;
    show(): void;
    set(changed: import("./settings").Settings): void;
  };
}
