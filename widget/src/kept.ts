import type { State } from "./state";

export const keyOf = (server: string) => `assistant ${server}`;
export const draftKeyOf = (server: string) => `assistant draft ${server}`;
/** Whether the visitor has opened or closed the chat in this tab. */
export const openKeyOf = (server: string) => `assistant open ${server}`;

/**
 * Return what the browser keeps of a conversation; what has expired is erased.
 *
 * Every page with the button does this, so that nobody's words outlast their time because the chat was never opened again.
 */
export function kept(server: string): Partial<State> {
  const key = keyOf(server);
  try {
    const state: Partial<State> = JSON.parse(localStorage.getItem(key) ?? "{}");
    if (!state.expires || state.expires > Date.now()) return state;
    localStorage.removeItem(key);
    sessionStorage.removeItem(draftKeyOf(server));
    const { forget } = state;
    if (forget?.length) localStorage.setItem(key, JSON.stringify({ forget }));
    return { forget };
  } catch {
    return {};
  }
}

/** Return, or set, a value that lasts as long as this tab; nothing where that is switched off. */
export function inTab(key: string, value?: string): string | undefined {
  try {
    if (value) sessionStorage[key] = value;
    return sessionStorage[key];
  } catch {
    return undefined;
  }
}
