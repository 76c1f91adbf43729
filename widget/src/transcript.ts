import type { Clinic } from "./clinic";
import type { Entry } from "./state";
import { words } from "./words";

/** Return a conversation as a text that a person can keep. */
export function transcript(entries: Entry[], clinic: Clinic): string {
  const said = entries.map((entry) => {
    const who = { visitor: words.you, assistant: words.assistant, notice: "" }[entry.from];
    const rows = entry.card?.map((row) => row.join(": ")) ?? [];
    const lines = [entry.text, ...rows, entry.source ? `${words.source}: ${entry.source}` : ""];
    return [who && `${who}, ${clock(entry.at)}`, ...lines].filter(Boolean).join("\n");
  });
  const head = `${clinic.name}, ${clinic.phone}\n${new Date().toLocaleDateString([], { dateStyle: "long" })}`;
  return [head, ...said].join("\n\n") + "\n";
}

/** Return a moment as the visitor's clock shows it. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

/** Put a text on the clipboard, also where a page came without TLS; tell whether that worked. */
export async function copy(text: string, parent: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    parent.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    return isCopied;
  }
}

/** Hand a text to the visitor as a file. */
export function save(text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = "chat.txt";
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Print a text from a window of its own, as the page behind is no part of it; where none may be opened, save it. */
export function print(text: string, title: string): void {
  const sheet = window.open("", "_blank");
  if (!sheet) {
    save(text);
    return;
  }
  const words = sheet.document.createElement("pre");
  words.style.cssText = "font: 12pt/1.5 sans-serif; white-space: pre-wrap";
  words.textContent = text;
  sheet.document.title = title;
  sheet.document.body.append(words);
  sheet.onafterprint = () => sheet.close();
  sheet.print();
}
