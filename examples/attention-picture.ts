/** An attention matrix as an SVG: a square for each weight, dark where the decoder looked. */
export function attentionPicture(source: readonly string[], target: readonly string[], weights: ArrayLike<number>): string {
  const size = 28;
  const margin = 64;
  const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const label = (x: number, y: number, text: string): string =>
    `<text x="${x}" y="${y}" text-anchor="middle" dominant-baseline="central">${escaped(text)}</text>`;
  const middle = (i: number): number => margin + size * (i + 0.5);
  const squares = target.flatMap((_, t) =>
    source.map((__, s) => {
      const weight = weights[t * source.length + s];
      return `<rect x="${margin + size * s}" y="${margin + size * t}" width="${size}" height="${size}" fill-opacity="${weight.toFixed(3)}"><title>${weight.toFixed(3)}</title></rect>`;
    }),
  );
  const [width, height] = [margin + size * source.length + 8, margin + size * target.length + 8];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="14">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...source.map((text, s) => label(middle(s), margin / 2, text)),
    ...target.map((text, t) => label(margin / 2, middle(t), text)),
    `<g fill="#1f4e8c" stroke="#ddd">`,
    ...squares,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}
