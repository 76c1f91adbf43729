import { Busy, Over, Refusal, Unreachable, type Said, type Server } from "./server";
import type { Entry, State, States, Verdict } from "./state";

const LONGEST_PAUSE = 8_000;
const ENDED = "This chat was left alone for a while, so it has ended and was deleted.";
const LOST = "The chat before this message has ended, so I no longer know what was said in it.";
const DELETED = "This chat has been deleted.";
const REFUSED = "This message could not be taken. Please try other words, or call us.";

/**
 * The conversation of this browser with the server: keeps what was said, sends what waits until the server has it,
 * and tells `changed` when there is something new to show.
 */
export class Conversation {
  state: State;
  /** Whether the server answered when it was last asked. */
  reachable = true;
  /** Whether the visitor is looking, so that nothing said counts as unread. */
  watched = false;
  busy = false;
  /** Whether a session is wanted although nothing waits to be said. */
  private wanted = false;
  private pause = 1000;
  private retry: number | undefined;
  private ending: number | undefined;

  constructor(
    private readonly server: Server,
    private readonly states: States,
    private readonly changed: () => void,
  ) {
    this.state = states.read();
    window.addEventListener("online", () => this.pump());
    window.addEventListener("offline", () => this.changed());
    window.addEventListener("storage", (event) => {
      if (event.key === states.key) this.show(states.read());
    });
    // A timer sleeps with the device, so the time is looked at again on return.
    document.addEventListener("visibilitychange", () => this.endWhenExpired());
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

  /** Open a session, when there is none, and with it get the opening message. */
  begin(): void {
    this.watched = this.wanted = true;
    this.change((state) => (state.unread = 0));
    this.pump();
  }

  /** Say something; `payload` stands for it when the visitor chose a button. */
  say(text: string, payload?: string): void {
    const entry: Entry = { id: newId(), from: "visitor", text, at: Date.now(), payload, delivery: "waiting" };
    this.change((state) => state.entries.push(entry));
    this.pump();
  }

  async rate(id: string, verdict: Verdict): Promise<void> {
    const mark = (value?: Verdict) =>
      this.change((state) => state.entries.filter((entry) => entry.id === id).forEach((entry) => (entry.verdict = value)));
    mark(verdict);
    try {
      await this.server.rate(this.state.token ?? "", id, verdict);
    } catch {
      mark();
    }
  }

  /** Forget the conversation, here at once and on the server as soon as it is reached. */
  clear(): void {
    this.wanted = false;
    this.forget([notice(DELETED)]);
    this.pump();
  }

  /** Forget the conversation and begin a new one. */
  restart(): void {
    this.wanted = true;
    this.forget([]);
    this.pump();
  }

  private forget(entries: Entry[]): void {
    this.change((state) => {
      if (state.token) state.forget.push(state.token);
      Object.assign(state, { token: null, expires: null, entries, unread: 0 });
    });
  }

  private waiting(): Entry | undefined {
    return this.state.entries.find((entry) => entry.delivery === "waiting");
  }

  /** Do what is to be done, in order, until it is done or the server cannot be reached; then again after a pause. */
  private async pump(): Promise<void> {
    if (this.busy) return;
    window.clearTimeout(this.retry);
    this.busy = true;
    this.changed();
    try {
      while (this.hasWork()) await this.step();
      this.reachable = true;
      this.pause = 1000;
    } catch (error) {
      if (!(error instanceof Busy || error instanceof Unreachable)) throw error;
      this.reachable = error instanceof Busy;
      this.retry = window.setTimeout(() => this.pump(), error instanceof Busy ? error.seconds * 1000 : this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    } finally {
      this.busy = false;
      this.changed();
    }
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
    this.change((state) => {
      if (answered && !state.entries.some((entry) => entry.id === answered)) return;
      state.token = said.token;
      state.expires = Date.now() + said.expires_in * 1000;
      for (const entry of state.entries) if (entry.id === answered) delete entry.delivery;
      const known = new Set(state.entries.map((entry) => entry.id));
      const answers: Entry[] = said.messages
        .filter((answer) => !known.has(answer.id))
        .map((answer) => ({ ...answer, from: "assistant", at: Date.now() }));
      const next = state.entries.findIndex((entry) => entry.delivery === "waiting");
      state.entries.splice(next < 0 ? state.entries.length : next, 0, ...answers);
      if (!this.watched) state.unread += answers.length;
    });
  }

  /** The session is over although the visitor still writes: a new one takes the words, as no button is offered in it. */
  private goOnAnew(token: string): void {
    this.change((state) => {
      if (state.token !== token) return;
      state.token = null;
      for (const entry of state.entries) delete entry.payload;
      const next = state.entries.findIndex((entry) => entry.delivery === "waiting");
      state.entries.splice(next, 0, notice(LOST));
    });
  }

  private refuse(id: string): void {
    this.change((state) => {
      for (const entry of state.entries) if (entry.id === id) entry.delivery = "refused";
      state.entries.push(notice(REFUSED));
    });
  }

  private change(apply: (state: State) => void): void {
    const state = this.states.read();
    apply(state);
    this.states.write(state);
    this.show(state);
  }

  private show(state: State): void {
    this.state = state;
    this.watchTheTime();
    this.changed();
  }

  private watchTheTime(): void {
    window.clearTimeout(this.ending);
    if (this.state.expires === null) return;
    this.ending = window.setTimeout(() => this.endWhenExpired(), this.state.expires - Date.now() + 500);
  }

  private endWhenExpired(): void {
    if (this.state.expires === null || this.state.expires > Date.now()) return;
    this.change((state) => {
      state.entries = [notice(ENDED), ...state.entries];
    });
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
