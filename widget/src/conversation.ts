import { Busy, Over, Refusal, Unreachable, type Said, type Server } from "./server";
import type { Answer, Entry, Reason, State, States, Verdict } from "./state";
import { words } from "./words";

const LONGEST_PAUSE = 8_000;
/** How long forgetting can be undone, in milliseconds. */
const REGRET = 5_000;

/** What has come to pass, told without a word of what was said. */
export type Happening = "asked" | "answered" | "booked" | "unreachable";

/** Who wants to know about a conversation. */
export interface Listener {
  changed(): void;
  happened(what: Happening): void;
  /** The assistant has said something. */
  heard(answers: Answer[]): void;
}

/**
 * The conversation of this browser with the server: keeps what was said, sends what waits until the server has it,
 * and tells its listener when there is something new to show.
 */
export class Conversation {
  state: State;
  /** Whether the server answered when it was last asked. */
  reachable = true;
  /** Whether the server takes nothing from this web site. */
  unwelcome = false;
  /** When the server, which was asked too much, may be asked again, in milliseconds since 1970. */
  slowedUntil = 0;
  /** Whether the visitor is looking, so that nothing said counts as unread. */
  watched = false;
  busy = false;
  /** Whether a session is wanted although nothing waits to be said. */
  private wanted = false;
  private pause = 1000;
  private retry: number | undefined;
  private ending: number | undefined;
  private regret: { state: State; timer: number } | undefined;

  constructor(
    private readonly server: Server,
    private readonly states: States,
    private readonly listener: Listener,
  ) {
    this.state = states.read();
    window.addEventListener("online", () => this.pump());
    window.addEventListener("offline", () => listener.changed());
    window.addEventListener("storage", (event) => {
      if (event.key === states.key || event.key === null) this.show(states.read());
    });
    // A timer sleeps with the device, so the time is looked at again on return.
    document.addEventListener("visibilitychange", () => this.endWhenExpired());
    window.addEventListener("pageshow", (event) => event.persisted && this.show(states.read()));
    window.addEventListener("pagehide", () => this.regret && this.forgetNow());
    this.watchTheTime();
  }

  /** Go on with what the page before has left undone. */
  resume(): void {
    this.pump();
  }

  /** Whether an answer is on its way. */
  get answering(): boolean {
    return this.busy && this.reachable && navigator.onLine && (this.waiting() !== undefined || !this.state.token);
  }

  /** Whether the last forgetting can be undone. */
  get regrettable(): boolean {
    return this.regret !== undefined;
  }

  /** Open a session, when there is none, and with it get the opening message. */
  begin(): void {
    this.watched = this.wanted = true;
    this.change((state) => (state.unread = 0));
    this.pump();
  }

  /** Say something, unless just that is waiting to be said; `payload` stands for it when the visitor chose a button. */
  say(text: string, payload?: string): void {
    if (this.state.entries.some((entry) => entry.delivery === "waiting" && entry.text === text)) return;
    const entry: Entry = { id: newId(), from: "visitor", text, at: Date.now(), payload, delivery: "waiting" };
    this.change((state) => state.entries.push(entry));
    this.listener.happened("asked");
    this.pump();
  }

  /** Rate an answer, or withdraw the rating. */
  async rate(id: string, verdict?: Verdict, reason?: Reason): Promise<void> {
    const before = this.state.entries.find((entry) => entry.id === id);
    if (!before) return;
    this.revise(id, { verdict, reason, unrated: undefined });
    try {
      await this.server.rate(this.state.token ?? "", id, verdict ?? null, reason ?? null);
    } catch {
      this.revise(id, { verdict: before.verdict, reason: before.reason, unrated: true });
    }
  }

  /** Forget the conversation, here at once, and on the server when that can no longer be undone. */
  clear(): void {
    this.wanted = false;
    this.forget([notice(words.deleted)]);
  }

  /** Forget the conversation and begin a new one. */
  restart(): void {
    this.wanted = true;
    this.forget([notice(words.restarted)]);
    this.pump();
  }

  /** Bring back what was forgotten a moment ago. */
  undo(): void {
    if (!this.regret) return;
    window.clearTimeout(this.regret.timer);
    const { state: old } = this.regret;
    this.regret = undefined;
    this.change((state) => {
      // What was begun instead goes.
      if (state.token) state.forget.push(state.token);
      Object.assign(state, { token: old.token, expires: old.expires, entries: old.entries });
    });
    this.pump();
  }

  private forget(entries: Entry[]): void {
    if (this.regret) this.forgetNow();
    const old = { ...this.state };
    this.change((state) => Object.assign(state, { token: null, expires: null, entries, unread: 0 }));
    this.states.draft = "";
    if (!old.token && !old.entries.length) return;
    this.regret = { state: old, timer: window.setTimeout(() => this.forgetNow(), REGRET) };
    this.listener.changed();
  }

  /** Let the server forget what can no longer be brought back. */
  private forgetNow(): void {
    const token = this.regret?.state.token;
    window.clearTimeout(this.regret?.timer);
    this.regret = undefined;
    if (token) this.change((state) => state.forget.push(token));
    else this.listener.changed();
    this.pump();
  }

  private waiting(): Entry | undefined {
    // What waits stands at the end, so that a long talk is not searched.
    const { entries } = this.state;
    let found: Entry | undefined;
    for (let index = entries.length - 1; index >= 0 && entries[index]!.from !== "assistant"; index--) {
      if (entries[index]!.delivery === "waiting") found = entries[index];
    }
    return found;
  }

  /** Do what is to be done, in order, until it is done or the server cannot be reached; then again after a pause. */
  private async pump(): Promise<void> {
    if (this.busy || this.unwelcome) return;
    window.clearTimeout(this.retry);
    this.busy = true;
    this.listener.changed();
    try {
      while (this.hasWork()) await this.step();
      this.reachable = true;
      this.slowedUntil = 0;
      this.pause = 1000;
    } catch (error) {
      if (!(error instanceof Busy || error instanceof Unreachable)) throw error;
      await this.wait(error);
    } finally {
      this.busy = false;
      this.listener.changed();
    }
  }

  /** Try again later, unless the server says that it takes nothing from this web site. */
  private async wait(error: Busy | Unreachable): Promise<void> {
    const pause = error instanceof Busy ? error.seconds * 1000 : this.pause;
    this.slowedUntil = error instanceof Busy ? Date.now() + pause : 0;
    if (error instanceof Unreachable) {
      if (this.reachable) {
        this.reachable = false;
        this.listener.happened("unreachable");
        const objection = navigator.onLine ? await this.server.objection() : "";
        if (objection) {
          console.warn(objection);
          this.unwelcome = true;
          return;
        }
      }
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    } else this.reachable = true;
    this.retry = window.setTimeout(() => this.pump(), pause);
  }

  private hasWork(): boolean {
    return this.state.forget.length > 0 || this.waiting() !== undefined || (this.wanted && !this.state.token);
  }

  private async step(): Promise<void> {
    const [old] = this.state.forget;
    if (old) {
      await this.server.clear(old).catch((error) => {
        if (error instanceof Unreachable || error instanceof Busy) throw error;
      });
      this.change((state) => (state.forget = state.forget.filter((token) => token !== old)));
      return;
    }
    const { token } = this.state;
    if (!token) {
      this.take(await this.server.open());
      return;
    }
    const entry = this.waiting()!;
    try {
      this.take(await this.server.say(token, entry.id, entry.payload ?? entry.text), entry.id);
    } catch (error) {
      if (error instanceof Over) this.goOnAnew(token);
      else if (error instanceof Refusal) this.refuse(entry.id);
      else throw error;
    }
  }

  /** Take what was said to a message, or, without one, the opening of a session. */
  private take(said: Said, answered?: string): void {
    let answers: Answer[] = [];
    this.change((state) => {
      const place = answered ? state.entries.findIndex((entry) => entry.id === answered) : -1;
      // Forgotten in the meantime.
      if (answered && place < 0) return;
      // Begun twice: by another tab, or before forgetting was undone.
      if (!answered && state.token) {
        state.forget.push(said.token);
        return;
      }
      state.token = said.token;
      state.expires = Date.now() + said.expires_in * 1000;
      if (answered) state.entries[place] = { ...state.entries[place]!, delivery: undefined };
      const known = new Set(state.entries.map((entry) => entry.id));
      answers = said.messages.filter((answer) => !known.has(answer.id));
      const entries = answers.map((answer): Entry => ({ ...answer, from: "assistant", at: Date.now() }));
      const next = state.entries.findIndex((entry) => entry.delivery === "waiting");
      state.entries.splice(next < 0 ? state.entries.length : next, 0, ...entries);
      if (!this.watched) state.unread += entries.length;
    });
    if (!answers.length) return;
    this.listener.heard(answers);
    if (answered) this.listener.happened("answered");
    if (answers.some((answer) => answer.event === "booked")) this.listener.happened("booked");
  }

  /** The session is over although the visitor still writes: a new one takes the words, as no button is offered in it. */
  private goOnAnew(token: string): void {
    this.change((state) => {
      if (state.token !== token) return;
      state.token = null;
      state.entries = state.entries.map((entry) => (entry.payload ? { ...entry, payload: undefined } : entry));
      const next = state.entries.findIndex((entry) => entry.delivery === "waiting");
      state.entries.splice(next, 0, notice(words.lost));
    });
  }

  private refuse(id: string): void {
    this.revise(id, { delivery: "refused" });
    this.change((state) => state.entries.push(notice(words.refused)));
  }

  /** Change an entry: one that is shown is never changed in place, so that only it is shown anew. */
  private revise(id: string, changes: Partial<Entry>): void {
    this.change((state) => {
      const place = state.entries.findIndex((entry) => entry.id === id);
      if (place >= 0) state.entries[place] = { ...state.entries[place]!, ...changes };
    });
  }

  private change(apply: (state: State) => void): void {
    const before = this.state;
    const hadEnded = before.expires !== null && before.expires <= Date.now() && before.entries.length > 0;
    const state = { ...this.states.read() };
    state.entries = hadEnded && !state.entries.length ? [notice(words.ended)] : [...state.entries];
    apply(state);
    this.states.write(state);
    this.show(state);
  }

  private show(state: State): void {
    this.state = state;
    this.watchTheTime();
    this.listener.changed();
  }

  private watchTheTime(): void {
    window.clearTimeout(this.ending);
    if (this.state.expires === null) return;
    this.ending = window.setTimeout(() => this.endWhenExpired(), this.state.expires - Date.now() + 500);
  }

  private endWhenExpired(): void {
    if (this.state.expires === null || this.state.expires > Date.now()) return;
    this.change(() => {});
    this.wanted = this.watched;
    this.pump();
  }
}

function notice(text: string): Entry {
  return { id: newId(), from: "notice", text, at: Date.now() };
}

/** An id no other message has; `crypto.randomUUID` is missing where the page came without TLS. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
