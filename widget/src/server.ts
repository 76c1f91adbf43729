import type { Answer, Verdict } from "./state";

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
    return (await this.post("session", {})).json();
  }

  async say(token: string, id: string, text: string): Promise<Said> {
    return (await this.post("messages", { id, text }, token)).json();
  }

  async rate(token: string, answer: string, verdict: Verdict): Promise<void> {
    await this.post("ratings", { answer, verdict }, token);
  }

  async clear(token: string): Promise<void> {
    await this.post("clear", {}, token);
  }

  private async post(path: string, body: object, token?: string): Promise<Response> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    let response: Response;
    try {
      response = await fetch(this.base + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(LONGEST_WAIT),
      });
    } catch {
      throw new Unreachable();
    }
    if (response.ok) return response;
    if (response.status === 401) throw new Over();
    if (response.status === 429) throw new Busy(Number(response.headers.get("Retry-After")) || 2);
    if (response.status >= 500 || response.status === 403) throw new Unreachable();
    throw new Refusal();
  }
}
