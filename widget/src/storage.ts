/** Storage of the browser; where it is full or switched off, what cannot be kept there is kept until the page ends. */
export class Storage {
  private readonly memory = new Map<string, string>();

  /** `kind` names a property of `window`: a local storage is shared by tabs, a session's is the tab's own. */
  constructor(private readonly kind: "localStorage" | "sessionStorage") {}

  get(key: string): string | null {
    try {
      return this.memory.get(key) ?? window[this.kind].getItem(key);
    } catch {
      return null;
    }
  }

  /** Keep a value, or forget the key when there is none. */
  set(key: string, value: string | null): void {
    this.memory.delete(key);
    try {
      // What was kept before must not come back when there is no room for what follows it.
      if (value === null) window[this.kind].removeItem(key);
      else window[this.kind].setItem(key, value);
    } catch {
      if (value !== null) this.memory.set(key, value);
      try {
        window[this.kind].removeItem(key);
      } catch {
        // Switched off: nothing was kept there.
      }
    }
  }
}
