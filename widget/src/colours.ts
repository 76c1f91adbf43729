type Colour = number[];

const WHITE: Colour = [255, 255, 255];
const DARK: Colour = [20, 27, 26];
/** What WCAG asks between words and what they stand on. */
const CLEAR = 4.5;

/** Return a colour, mixed with as much black or white as it takes to be read on the chat's surface, as CSS; nothing for what is no colour. */
export function legible(colour: string, dark: boolean): string {
  const parsed = /^rgba?\((\d+), (\d+), (\d+)/.exec(colour)?.slice(1).map(Number);
  if (!parsed) return "";
  const surface = dark ? DARK : WHITE;
  let mixed = parsed;
  for (let share = 0.1; share <= 1 && contrast(mixed, surface) < CLEAR; share += 0.1) {
    mixed = parsed.map((value) => Math.round(value + ((dark ? 255 : 0) - value) * share));
  }
  return `rgb(${mixed.join(", ")})`;
}

function contrast(one: Colour, other: Colour): number {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Return the relative luminance of a colour, as WCAG defines it. */
function light(colour: Colour): number {
  const [red, green, blue] = colour.map((value) => (value <= 10 ? value / 3295 : ((value / 255 + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
