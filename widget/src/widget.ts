import type { Chat } from "./chat";
import type { Happening } from "./conversation";
import { inTab, kept, openKeyOf } from "./kept";
import { isHiddenOn, placed, type Settings } from "./settings";
import { styled } from "./sheet";
import css from "./widget.css";

/*
 * The loader: the button on the page, and the chat once it is opened. A page says
 * <script src="https://…/chat/widget.js" defer></script>; docs/embedding.md has what else it may say. It is kept small,
 * as every page pays for it: what only an open chat needs is in chat.tsx.
 */

const TAG = "clinic-assistant";
const HASH = "#assistant";
const FULL_SCREEN = "(max-width: 480px), (max-height: 480px)";
const clinic = __CLINIC__;
const { server, settings } = placed(clinic);
const OPEN = openKeyOf(server);

const host = document.createElement(TAG);
const root = host.attachShadow({ mode: "open" });
const button = element("button", "launcher");
const words = element("span", "words");
const badge = element("span", "badge");
const status = element("p", "unseen");
const fault = element("p", "card");
const dark = matchMedia("(prefers-color-scheme: dark)");
const swaps = new MutationObserver(() => (stay(), set({})));
let chat: Promise<Chat> | undefined;
let loaded: Chat | undefined;
let attempts = 0;
let isOpen = false;
let isHidden = false;

/** Put the button on the page, and go on where the visitor was on the page before. */
function begin(): void {
  // Of two scripts on one page the first counts.
  if (document.querySelector(TAG)) return;
  styled(root, css);
  host.lang = settings.lang ?? "en";
  host.dir = "ltr";
  button.append(element("i"), words, badge);
  button.setAttribute("aria-haspopup", "dialog");
  button.onclick = () => (isOpen ? close() : open(true));
  fault.setAttribute("role", "alert");
  status.setAttribute("role", "status");
  root.append(fault, button, status);
  stay();
  set({});
  show(false);

  document.addEventListener("click", clicked);
  addEventListener("hashchange", followHash);
  // Here and not once the chat is there, to be called before what the page's own scripts listen with.
  addEventListener("popstate", (event) => (loaded?.went(event), set({})));
  addEventListener("storage", () => count(kept(server).unread));
  addEventListener("scroll", () => host.setAttribute("data-scrolled", ""), { once: true, passive: true });
  dark.addEventListener("change", () => set({}));
  window.clinicAssistant = { open: () => open(true), close, ask: (text) => open(true, text), hide: () => hide(true), show: () => hide(false), set };

  const { expires, entries, forget } = kept(server);
  // A page may be left open for days: what has expired is erased there too.
  if (expires) setTimeout(() => kept(server), expires - Date.now() + 1000);
  followHash();
  const covers = matchMedia(FULL_SCREEN).matches;
  const before = inTab(OPEN);
  if ("whole" in settings || (before === "yes" && !covers)) open(false);
  else if (forget?.length || entries?.some((entry) => entry.delivery === "waiting")) load().catch(() => {});
  if (settings.open !== undefined && !covers && !before) setTimeout(() => inTab(OPEN) || open(false), +settings.open * 1000);
  if (settings.hint && !before) load().then((chat) => isOpen || chat.hint(), () => {});
}

/** Set, or set anew, what the page may set. */
function set(changed: Settings): void {
  Object.assign(settings, changed);
  const [x, y = x] = settings.offset?.match(/\d+/g) ?? [];
  const own: Record<string, string | false | undefined> = {
    "--dx": x && `${x}px`,
    "--dy": y && `${y}px`,
    "--z": settings.zIndex,
    "--assistant-accent": settings.color,
  };
  for (const name in own) host.style.setProperty(name, own[name] || "");
  host.dataset.position = settings.position ?? "right";
  host.dataset.theme = settings.theme ?? (dark.matches ? "dark" : "light");
  words.textContent = settings.label ?? clinic.label;
  host.hidden = isHidden || isHiddenOn(location.pathname, settings.hiddenOn);
  count(kept(server).unread);
  chat?.then((chat) => chat.refresh()).catch(() => {});
}

async function open(focus: boolean, question?: string): Promise<void> {
  try {
    loaded = await load();
    const isNew = !isOpen;
    show(true);
    loaded.open(focus);
    if (isNew) tell("opened");
    if (question) loaded.say(question);
  } catch {
    chat = undefined;
    complain();
  }
}

async function close(): Promise<void> {
  if (isOpen) (await chat)?.close();
}

function hide(hidden: boolean): void {
  if (hidden) close();
  isHidden = hidden;
  set({});
}

function load(): Promise<Chat> {
  fault.replaceChildren();
  button.setAttribute("aria-busy", "true");
  // A browser may remember that an address failed.
  const address = server + CHAT + (attempts++ ? `&attempt=${attempts}` : "");
  chat ??= import(address).then((module: typeof import("./chat")) =>
    module.mount({ root, clinic, server, settings, closed, unread: count, happened: tell }),
  );
  return chat.finally(() => button.removeAttribute("aria-busy"));
}

function closed(): void {
  show(false);
  inTab(OPEN, "no");
  button.focus();
  tell("closed");
}

function show(open: boolean): void {
  isOpen = open;
  if (open) inTab(OPEN, "yes");
  button.setAttribute("aria-expanded", String(open));
  host.toggleAttribute("data-open", open);
  if (open && "whole" in settings) host.toggleAttribute("data-whole", (document.body.hidden = true));
}

/** Stay on the page, also when the body is replaced; outside of it nothing there moves or clips what is fixed. */
function stay(): void {
  const page = document.documentElement;
  if (host.parentNode !== page) page.append(host);
  for (const swapped of [document, page]) swaps.observe(swapped, { childList: true });
}

function clicked(event: Event): void {
  const asked = (event.target as Element).closest<HTMLElement>(`[data-assistant-ask], a[href$="${HASH}"]`);
  const question = asked?.dataset.assistantAsk;
  if (!asked || (!question && (asked as HTMLAnchorElement).pathname !== location.pathname)) return;
  event.preventDefault();
  open(true, question);
}

/** Open the chat when the address says so, once: going back must not open it again. */
function followHash(): void {
  if (location.hash !== HASH) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  open(true);
}

function count(unread = 0): void {
  const text = unread ? String(unread) : "";
  button.setAttribute("aria-label", words.textContent + (text && `, ${text} unread`));
  if (badge.textContent === text) return;
  badge.textContent = text;
  status.textContent = text && `${text} unread from the assistant`;
}

/** Tell the page that something has come to pass, without a word of what was said. */
function tell(what: Happening | "opened" | "closed"): void {
  host.dispatchEvent(new CustomEvent(`${TAG}:${what}`, { bubbles: true }));
}

function complain(): void {
  const phone = element("a");
  phone.href = clinic.phoneLink;
  phone.textContent = clinic.phone;
  const words = element("span");
  words.append("The chat cannot be reached just now. Please try again, or call ", phone, ".");
  fault.replaceChildren(words);
  tell("unreachable");
  console.warn(`${server} is away, or this page's Content-Security-Policy must add it to script-src and connect-src.`);
}

function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, name = ""): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
