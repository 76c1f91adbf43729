import type { ComponentChildren } from "preact";
import type { Clinic } from "./clinic";

const WEB = String.raw`https?://[^\s<>"'()]*[^\s<>"'().,;:!?]`;
const MAIL = String.raw`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`;

/** Return a text with its web addresses, mail addresses and the clinic's numbers as links; all else stays text. */
export function linked(text: string, clinic: Clinic): ComponentChildren[] {
  const numbers: Record<string, string> = {
    [clinic.phone]: clinic.phoneLink,
    [clinic.emergency]: `tel:${clinic.emergency}`,
    [clinic.crisis]: `tel:${clinic.crisis.replaceAll(" ", "")}`,
  };
  const known = Object.keys(numbers).map((number) => String.raw`(?<![\w+])${number.replace(/[+()]/g, "\\$&")}(?!\w)`);
  return text.split(new RegExp(`(${[WEB, MAIL, ...known].join("|")})`)).map((part, index) => {
    if (index % 2 === 0) return part;
    if (part.startsWith("http")) {
      return (
        <a href={part} target="_blank" rel="noopener noreferrer">
          {part}
        </a>
      );
    }
    return <a href={numbers[part] ?? `mailto:${part}`}>{part}</a>;
  });
}
