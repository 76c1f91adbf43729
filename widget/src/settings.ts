import type { Clinic } from "./clinic";

/** What a page may set, as data-… of the script or by `clinicAssistant.set`; every value is a text. */
export interface Settings {
  /** The server, where the script's own address does not tell. */
  server?: string;
  /** "left" or "right". */
  position?: string;
  /** Pixels from the side and from below: "20" or "20 90". */
  offset?: string;
  zIndex?: string;
  /** One CSS colour; what stands on it and beside it follows. */
  color?: string;
  /** "light" or "dark"; without it, as the visitor's device has it. */
  theme?: string;
  /** The address of a small picture before the chat's title. */
  logo?: string;
  /** The language of the words, as a page names its own: "es". */
  lang?: string;
  /** Other words for those of words.ts, as the text of a JSON object. */
  words?: string;
  /** The words of the button. */
  label?: string;
  title?: string;
  placeholder?: string;
  /** What the page says before the assistant does. */
  greeting?: string;
  /** Words beside the button, shown once a visit. */
  hint?: string;
  /** Seconds until the chat opens by itself, on screens that it does not cover. */
  open?: string;
  /** Paths where it is not shown: "/intake /portal/*". */
  hiddenOn?: string;
  /** Questions that suit this page: "Which exercises help?|Book a visit". */
  questions?: string;
  /** Whether the page is the chat and nothing else. */
  whole?: string;
}

const OWN = /^http\S*\/(?=widget\.js)/m;

/**
 * Return the page's settings and the address of the chat with its last slash.
 *
 * A script knows where it came from, unless it was imported, copied into the page or into another script: then the
 * page may say so (`data-server` of any script, or <meta name="clinic-assistant">), or the host counts that served it.
 */
export function placed(clinic: Clinic): { settings: Settings; server: string } {
  const current = document.currentScript as HTMLScriptElement | null;
  const named = document.querySelector<HTMLScriptElement>('script[data-server],meta[name="clinic-assistant"],script[src*="/widget.js"]');
  // Within another script, what that one says of itself is not meant for this.
  const isForeign = current?.src && !OWN.test(current.src);
  const settings: Settings = { ...named?.dataset, ...(!isForeign && current?.dataset) };
  const own = OWN.exec([current?.src, named?.src, new Error().stack?.replace(/.*http/g, "http")].join("\n"))?.[0];
  const web = location.protocol === "http:" ? "http" : "https";
  return { settings, server: !own || settings.server ? new URL("/chat/", settings.server ?? `${web}://${clinic.host}`).href : own };
}

/** Tell whether a path is among those where the chat is not shown. */
export function isHiddenOn(path: string, patterns = ""): boolean {
  return patterns.split(/[\s,]+/).some((pattern) => path === pattern || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1))));
}
