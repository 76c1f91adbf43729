/** Storage of the browser that is simply forgetful where the visitor has switched it off. */
export class Storage {
  private readonly memory = new Map<string, string>();

  /** `kind` names a property of `window`: a local storage is shared by tabs, a session's is the tab's own. */
  constructor(private readonly kind: "localStorage" | "sessionStorage") {}

  get(key: string): string | null {
    try {
      return window[this.kind].getItem(key);
    } catch {
      return this.memory.get(key) ?? null;
    }
  }

  set(key: string, value: string): void {
    try {
      window[this.kind].setItem(key, value);
    } catch {
      this.memory.set(key, value);
    }
  }
}
