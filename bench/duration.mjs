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
