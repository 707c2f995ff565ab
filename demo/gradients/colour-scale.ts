/** Colours of numbers over many decades. The colours themselves are in gradients.css. */

/** Decades from the palest colour to the last. */
export const [lowest, highest] = [-6, 3];

/** A decade and the custom property with its colour; between them they are mixed. 1, where nothing is lost, is darkest. */
const stops = [
  [-6, "--map-nothing"],
  [-4, "--map-little"],
  [-2, "--map-some"],
  [0, "--map-all"],
  [0.7, "--map-more"],
  [1.6, "--map-much"],
  [3, "--map-exploded"],
] as const;

const shades = 256;

/** The whole scale as a CSS image. */
export const gradient = `linear-gradient(to right, ${stops.map(([decade, name]) => `var(${name}) ${place(decade).toFixed(1)}%`).join(", ")})`;

/** Where a decade is on the scale, in percent. */
export function place(decade: number): number {
  return (100 * (decade - lowest)) / (highest - lowest);
}

/** The colours that the page has now, light or dark: of a number, or undefined of what is none. */
export function colours(): (value: number) => string | undefined {
  const style = getComputedStyle(document.documentElement);
  const known = stops.map(([decade, name]) => ({ decade, rgb: parse(style.getPropertyValue(name).trim()) }));
  const table = Array.from({ length: shades }, (_, i) => {
    const decade = lowest + (i / (shades - 1)) * (highest - lowest);
    const above = Math.max(
      1,
      known.findIndex((stop) => stop.decade >= decade),
    );
    const [a, b] = [known[above - 1], known[above]];
    const share = (decade - a.decade) / (b.decade - a.decade);
    return `rgb(${a.rgb.map((value, n) => Math.round(value + share * (b.rgb[n] - value))).join(" ")})`;
  });
  return (value) => {
    if (!(value >= 0)) return undefined;
    const share = (Math.log10(value) - lowest) / (highest - lowest);
    return table[Math.round(Math.min(1, Math.max(0, share)) * (shades - 1))];
  };
}

/** Of "#rrggbb". */
function parse(hex: string): number[] {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
