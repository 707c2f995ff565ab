/** "Chrome 142" and the like, from a user agent string. */
export function browserName(userAgent: string): string {
  // Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
  for (const [name, pattern] of [
    ["Edge", /Edg\/(\d+)/],
    ["Opera", /OPR\/(\d+)/],
    ["Firefox", /Firefox\/(\d+)/],
    ["Chrome", /Chrome\/(\d+)/],
    ["Safari", /Version\/(\d+).*Safari/],
  ] as const) {
    const version = pattern.exec(userAgent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return userAgent;
}
