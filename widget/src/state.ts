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
}

export type Verdict = "up" | "down";

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

/** Reads and writes the one state of a server's conversation. */
export class States {
  private readonly storage = new Storage("localStorage");
  readonly key: string;

  constructor(server: string) {
    this.key = `assistant ${server}`;
  }

  read(): State {
    let state: State = { token: null, expires: null, entries: [], unread: 0, forget: [] };
    try {
      state = { ...state, ...JSON.parse(this.storage.get(this.key) ?? "{}") };
    } catch {
      // What cannot be read is no conversation.
    }
    if (state.expires !== null && state.expires <= Date.now()) {
      return { ...state, token: null, expires: null, entries: [], unread: 0 };
    }
    return state;
  }

  write(state: State): void {
    this.storage.set(this.key, JSON.stringify(state));
  }
}
