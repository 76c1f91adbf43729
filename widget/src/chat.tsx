import { render } from "preact";
import { announcer } from "./announcer";
import css from "./chat.css";
import { legible } from "./colours";
import type { Clinic } from "./clinic";
import { Conversation, type Happening } from "./conversation";
import { steps } from "./history";
import { inTab, openKeyOf } from "./kept";
import { keys } from "./keys";
import { Panel } from "./panel";
import { explainPolicy } from "./policy";
import { Server } from "./server";
import type { Settings } from "./settings";
import { styled } from "./sheet";
import { States } from "./state";
import { reword, words } from "./words";

/*
 * Why this stands on Preact and not on a ready-made chat element such as deep-chat: buttons that are used once, ratings,
 * cards and source lines would have to be handed to that as strings of HTML, announcing and keeping messages until they
 * are delivered would be built around it, and the visitor would load 111 KB for it instead of 16.
 */

export interface Options {
  root: ShadowRoot;
  clinic: Clinic;
  /** The address of the chat with its last slash. */
  server: string;
  settings: Settings;
  closed: () => void;
  unread: (count: number) => void;
  happened: (what: Happening) => void;
}

/** The chat inside a page. */
export interface Chat {
  /** Show it; `focus` says whether the visitor asked for it just now. */
  open(focus: boolean): void;
  close(): void;
  say(text: string): void;
  /** The visitor went back or forth in the history. */
  went(event: Event): void;
  /** Show the page's hint beside the button. */
  hint(): void;
  /** Show it anew, after a setting has changed. */
  refresh(): void;
}

const FULL_SCREEN = "(max-width: 480px), (max-height: 480px)";

/** Put the chat, closed, into a shadow root. */
export function mount({ root, clinic, server, settings, closed, unread, happened }: Options): Chat {
  styled(root, css);
  reword(settings.words);
  const dialog = document.createElement("dialog");
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-labelledby", "title");
  const panel = document.createElement("div");
  panel.className = "panel";
  dialog.append(panel);
  root.append(dialog);

  const isWhole = settings.whole !== undefined;
  const fullScreen = window.matchMedia(FULL_SCREEN);
  const states = new States(server);
  const announce = announcer(dialog);
  let isOpen = false;

  const host = root.host as HTMLElement;
  const tint = () => {
    // Only beside a colour of the page's own: the others are known to be legible.
    const isPages = getComputedStyle(host).getPropertyValue("--assistant-accent").trim();
    const ground = getComputedStyle(root.querySelector(".launcher")!).backgroundColor;
    host.style.setProperty("--clear-link", isPages ? legible(ground, host.dataset.theme === "dark") : "");
  };
  const show = () => {
    render(<Panel clinic={clinic} settings={settings} conversation={conversation} states={states} close={isWhole ? undefined : close} />, panel);
    unread(conversation.state.unread);
    announce.writing(isOpen && conversation.answering);
  };
  const conversation = new Conversation(new Server(server), states, {
    changed: show,
    happened,
    heard: (answers) => isOpen && announce.say(answers.map((answer) => answer.text).join("\n")),
  });

  /** Lay it over the page, or beside what stands there. */
  const unfold = () => {
    fold();
    const covers = fullScreen.matches && !isWhole;
    if (!dialog.show) dialog.setAttribute("open", "");
    else if (covers) dialog.showModal();
    else dialog.show();
    document.documentElement.style.overflow = covers ? "hidden" : overflow;
  };
  const fold = () => {
    if (dialog.close) dialog.close();
    else dialog.removeAttribute("open");
    document.documentElement.style.overflow = overflow;
  };
  const { overflow } = document.documentElement.style;
  const close = () => {
    if (!isOpen || isWhole) return;
    isOpen = conversation.watched = false;
    fold();
    back.leave();
    closed();
  };
  const back = steps(close);

  fullScreen.addEventListener("change", () => isOpen && unfold());
  // A phone's gesture to go back closes it; so does whatever else in the browser closes a dialog.
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", () => isOpen && !dialog.open && close());
  keys(dialog, () => isOpen, close);
  followKeyboard(dialog);
  explainPolicy(server);
  conversation.resume();

  return {
    open(focus) {
      const before = document.activeElement as HTMLElement | null;
      isOpen = true;
      tint();
      unfold();
      if (focus && fullScreen.matches && !isWhole) back.enter();
      conversation.begin();
      if (focus) dialog.querySelector<HTMLElement>(isTouched() ? "#title" : "textarea")?.focus();
      else if (!dialog.matches(":modal")) giveFocusBack(root, before);
    },
    close,
    say: (text) => conversation.say(text),
    went: back.went,
    hint: () => root.prepend(hint(settings.hint ?? "", () => inTab(openKeyOf(server), "no"))),
    refresh: () => (tint(), show()),
  };
}

/** Return words beside the button that can be waved away, for this tab. */
function hint(text: string, away: () => void): HTMLElement {
  const card = document.createElement("div");
  const button = document.createElement("button");
  card.className = "card hint";
  button.textContent = "✕";
  button.setAttribute("aria-label", words.hide);
  button.onclick = () => (card.remove(), away());
  card.append(text, button);
  return card;
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
