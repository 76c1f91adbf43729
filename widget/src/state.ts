import { draftKeyOf, keyOf } from "./kept";
import { Storage } from "./storage";

export interface Button {
  title: string;
  payload: string;
}

export interface Answer {
  id: string;
  text: string;
  source: string | null;
  buttons: Button[];
  card: [string, string][];
  response: string | null;
  /** What has come to pass with it, such as a visit that is asked for. */
  event?: string | null;
}

export interface Entry extends Partial<Answer> {
  id: string;
  from: "visitor" | "assistant" | "notice";
  text: string;
  at: number;
  /** What is sent in place of the text, when the visitor chose a button. */
  payload?: string;
  delivery?: "waiting" | "refused";
  verdict?: Verdict;
  reason?: Reason;
  /** Whether the verdict could not be handed over. */
  unrated?: boolean;
}

export type Verdict = "up" | "down";
export type Reason = "unasked" | "unclear" | "wrong";

/** A conversation as this browser keeps it, for all tabs of the site, until it expires. */
export interface State {
  token: string | null;
  /** Milliseconds since 1970, or null when nothing was said yet. */
  expires: number | null;
  entries: Entry[];
  unread: number;
  /** Tokens of conversations that the server has yet to be told to forget. */
  forget: string[];
}

const EMPTY = { token: null, expires: null, unread: 0 };

/** Reads and writes the one state of a server's conversation, and the words that a tab has begun to write. */
export class States {
  private readonly storage = new Storage("localStorage");
  private readonly tab = new Storage("sessionStorage");
  private raw = "";
  private state: State = { ...EMPTY, entries: [], forget: [] };
  readonly key: string;
  private readonly draftKey: string;

  constructor(server: string) {
    this.key = keyOf(server);
    this.draftKey = draftKeyOf(server);
  }

  /** Return the state; what has expired is erased here and on the device. */
  read(): State {
    const raw = this.storage.get(this.key) ?? "{}";
    if (raw !== this.raw) {
      this.raw = raw;
      this.state = this.parsed(raw);
    }
    if (this.state.expires !== null && this.state.expires <= Date.now()) {
      this.draft = "";
      this.write({ ...EMPTY, entries: [], forget: this.state.forget });
    }
    return this.state;
  }

  write(state: State): void {
    this.state = state;
    this.raw = JSON.stringify(state);
    this.storage.set(this.key, state.entries.length || state.token || state.forget.length ? this.raw : null);
  }

  get draft(): string {
    return this.tab.get(this.draftKey) ?? "";
  }

  set draft(text: string) {
    this.tab.set(this.draftKey, text || null);
  }

  /** Return the state that a text holds, with the entries that have not changed as they were, to be shown no second time. */
  private parsed(raw: string): State {
    try {
      const state: State = { ...EMPTY, entries: [], forget: [], ...JSON.parse(raw) };
      const before = this.state.entries;
      state.entries = state.entries.map((entry, index) =>
        JSON.stringify(entry) === JSON.stringify(before[index]) ? before[index]! : entry,
      );
      return state;
    } catch {
      // What cannot be read is no conversation.
      return { ...EMPTY, entries: [], forget: [] };
    }
  }
}
