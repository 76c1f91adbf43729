import type { Answer, Reason, Verdict } from "./state";

const LONGEST_WAIT = 15_000;

export interface Said {
  messages: Answer[];
  token: string;
  expires_in: number;
}

/** The server cannot be reached, took too long, or has a fault. */
export class Unreachable extends Error {}

/** The session is over: it expired or was cleared. */
export class Over extends Error {}

/** The server will not take it, now or later. */
export class Refusal extends Error {}

/** The server asks to wait for so many seconds. */
export class Busy extends Error {
  constructor(readonly seconds: number) {
    super();
  }
}

/** The protocol of the website channel. Every method may throw the errors above. */
export class Server {
  /** `base` is the address of the chat with its last slash. */
  constructor(private readonly base: string) {}

  async open(): Promise<Said> {
    return said(await this.post("session", {}));
  }

  async say(token: string, id: string, text: string): Promise<Said> {
    return said(await this.post("messages", { id, text }, token));
  }

  /** Rate an answer; without a verdict, withdraw the one before. */
  async rate(token: string, answer: string, verdict: Verdict | null, reason: Reason | null): Promise<void> {
    await this.post("ratings", { answer, verdict, reason }, token);
  }

  async clear(token: string): Promise<void> {
    await this.post("clear", {}, token);
  }

  /** Return what keeps this web site from the chat, in words for its web master; nothing when nothing does or none can tell. */
  async objection(): Promise<string> {
    try {
      const answer = await fetch(`${this.base}check?site=${encodeURIComponent(location.origin)}`, {
        headers: { Accept: "application/json" },
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      const { allowed, advice } = await answer.json();
      return allowed === false ? String(advice) : "";
    } catch {
      return "";
    }
  }

  private async post(path: string, body: object, token?: string): Promise<Response> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    // Not AbortSignal.timeout(), which Safari 15 lacks.
    const patience = new AbortController();
    window.setTimeout(() => patience.abort(), LONGEST_WAIT);
    let response: Response;
    try {
      response = await fetch(this.base + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        // What is forgotten stays forgotten when the page ends at this moment.
        keepalive: path === "clear",
        signal: patience.signal,
      });
    } catch {
      throw new Unreachable();
    }
    const { ok, status } = response;
    if (ok) return response;
    if (status === 401) throw new Over();
    if (status === 429) throw new Busy(Number(response.headers.get("Retry-After")) || 2);
    if (status === 400 || status === 413 || status === 422) throw new Refusal();
    throw new Unreachable();
  }
}

/** Return what a response says; a page of something in between, such as a hotel's network, is no answer. */
async function said(response: Response): Promise<Said> {
  try {
    const said: Said = await response.json();
    if (Array.isArray(said.messages)) return said;
  } catch {
    // No JSON, or cut off on its way.
  }
  throw new Unreachable();
}
