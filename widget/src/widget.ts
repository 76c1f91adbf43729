import type { Chat } from "./chat";
import css from "./widget.css";
import { States } from "./state";
import { Storage } from "./storage";

/*
 * The loader: the button on the page, and the chat once it is opened. A page says
 * <script src="https://…/chat/widget.js" defer></script>, and may set data-theme="light" or "dark" on it.
 * An element with data-assistant-ask="…" opens the chat and asks that.
 */

const clinic = __CLINIC__;
const script = document.currentScript as HTMLScriptElement;
const server = new URL(".", script.src).href;
const OPEN = `assistant open ${server}`;
const TAG = "clinic-assistant";

class Widget {
  private readonly tab = new Storage("sessionStorage");
  private readonly host = document.createElement(TAG);
  private readonly root = this.host.attachShadow({ mode: "open" });
  private readonly button = element("button", "launcher");
  private readonly words = element("span", "words");
  private readonly badge = element("span", "badge");
  private readonly fault = element("p", "fault");
  private chat: Promise<Chat> | undefined;
  private attempts = 0;
  private isOpen = false;

  constructor() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.root.adoptedStyleSheets = [sheet];
    this.host.lang = "en";
    this.words.textContent = "Ask about your knee";
    this.button.append(picture(), this.words, this.badge);
    this.button.setAttribute("aria-haspopup", "dialog");
    this.button.addEventListener("click", () => (this.isOpen ? this.close() : this.open(true)));
    this.fault.setAttribute("role", "alert");
    this.root.append(this.fault, this.button);
    this.followTheme();
    this.show();
  }

  /** Put the button on the page, and go on where the visitor was on the page before. */
  start(): void {
    document.body.append(this.host);
    document.addEventListener("click", (event) => this.ask(event));
    const { unread, entries } = new States(server).read();
    this.count(unread);
    if (this.tab.get(OPEN) === "yes") this.open(false);
    else if (entries.some((entry) => entry.delivery === "waiting")) void this.load();
  }

  private async open(focus: boolean, question?: string): Promise<void> {
    try {
      const chat = await this.load();
      this.isOpen = true;
      this.tab.set(OPEN, "yes");
      this.show();
      chat.open(focus);
      if (question) chat.say(question);
    } catch {
      this.chat = undefined;
      this.complain();
    }
  }

  private load(): Promise<Chat> {
    this.fault.replaceChildren();
    this.button.setAttribute("aria-busy", "true");
    // A browser may remember that an address failed.
    const address = server + CHAT + (this.attempts++ ? `&attempt=${this.attempts}` : "");
    this.chat ??= import(address).then((module: typeof import("./chat")) =>
      module.mount({
        root: this.root,
        clinic,
        server,
        closed: () => this.closed(),
        unread: (count) => this.count(count),
      }),
    );
    return this.chat.finally(() => this.button.removeAttribute("aria-busy"));
  }

  private async close(): Promise<void> {
    (await this.chat)?.close();
  }

  private closed(): void {
    this.isOpen = false;
    this.tab.set(OPEN, "no");
    this.show();
    this.button.focus();
  }

  private ask(event: Event): void {
    const asked = event.target instanceof Element && event.target.closest<HTMLElement>("[data-assistant-ask]");
    if (!asked) return;
    event.preventDefault();
    void this.open(true, asked.dataset.assistantAsk);
  }

  private show(): void {
    this.button.setAttribute("aria-expanded", String(this.isOpen));
    this.host.toggleAttribute("data-open", this.isOpen);
  }

  private count(unread: number): void {
    this.badge.textContent = unread ? String(unread) : "";
    this.button.setAttribute("aria-label", `Ask about your knee${unread ? `, ${unread} unread` : ""}`);
  }

  private complain(): void {
    const phone = element("a");
    phone.href = clinic.phoneLink;
    phone.textContent = clinic.phone;
    this.fault.append("The chat cannot be reached just now. Please try again, or call ", phone, ".");
  }

  private followTheme(): void {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const follow = () => {
      this.host.dataset.theme = script.dataset.theme ?? (dark.matches ? "dark" : "light");
    };
    dark.addEventListener("change", follow);
    follow();
  }
}

function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, name = ""): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

/** The picture of the button: a bubble, or, while the chat is open, what folds it away. */
function picture(): SVGElement {
  const svg = drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  svg.append(
    drawn("path", {
      class: "talk",
      d: "M12 3C6.5 3 2 6.7 2 11.3c0 2.5 1.3 4.7 3.4 6.2L5 21l4-2c.95.2 1.96.3 3 .3 5.5 0 10-3.6 10-8S17.5 3 12 3",
    }),
    drawn("path", { class: "fold", d: "M4.3 8.3a1.2 1.2 0 0 1 1.7 0l6 6 6-6a1.2 1.2 0 1 1 1.7 1.7l-6.85 6.85a1.2 1.2 0 0 1-1.7 0L4.3 10a1.2 1.2 0 0 1 0-1.7" }),
  );
  return svg;
}

function drawn(tag: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

if (!document.querySelector(TAG)) new Widget().start();
