import type { ComponentChildren } from "preact";
import type { Clinic } from "./clinic";

const WEB = String.raw`https?://[^\s<>"'()]*[^\s<>"'().,;:!?]`;
const MAIL = String.raw`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`;

/** Return a text with its web addresses, mail addresses and the clinic's numbers as links; all else stays text. */
export function linked(text: string, clinic: Clinic): ComponentChildren[] {
  const numbers: Record<string, string> = {
    [clinic.phone]: clinic.phoneLink,
    [clinic.emergency]: `tel:${clinic.emergency}`,
    [clinic.crisis]: `tel:${clinic.crisis.replace(/ /g, "")}`,
  };
  // Not part of a longer number; without a look behind, which Safari 15 cannot do.
  const known = Object.keys(numbers).map((number) => (/^\d/.test(number) ? "\\b" : "") + number.replace(/[+()]/g, "\\$&") + "\\b");
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
