// Times in words and numbers, for the page and the terminal.
/**
 * "about 20 s", "about 3 minutes": in steps that are no finer than an estimate is.
 * @param {number} seconds
 */
export function inWords(seconds) {
  if (seconds < 2) return "a moment";
  if (seconds < 55) return `about ${seconds < 10 ? Math.ceil(seconds) : Math.ceil(seconds / 5) * 5} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return "about a minute";
  return minutes < 90 ? `about ${minutes} minutes` : `about ${Math.round(minutes / 60)} hours`;
}

/** @param {number} value */
export const threeDigits = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/**
 * A call of a stream takes microseconds, everything else milliseconds.
 * @param {import("./cases.ts").Mode} mode
 */
export const unitOf = (mode) =>
  mode === "stream" ? { short: "µs", long: "microseconds", inMs: 1000 } : { short: "ms", long: "milliseconds", inMs: 1 };

/**
 * Milliseconds in the unit of their mode: "1.50 µs", "26.3 ms".
 * @param {number} ms
 * @param {import("./cases.ts").Mode} mode
 */
export function inUnit(ms, mode) {
  const { short, inMs } = unitOf(mode);
  return `${threeDigits(ms * inMs)} ${short}`;
}
