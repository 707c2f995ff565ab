import type { Flow } from "./flow.ts";

/** Decades from the darkest square to white. */
const decades = 6;
const [square, margin, gap] = [6, 30, 40];

/**
 * Matrices ‖∂E_t/∂h_k‖ as an SVG, two in a column: t downwards, k to the right. Each is relative to its largest number,
 * on a logarithmic scale.
 */
export function flowPicture(flows: readonly Flow[]): string {
  const [rows, columns] = flows[0].norms.shape;
  const [across, down] = [columns * square + gap, rows * square + gap + margin];
  const matrices = flows.map(({ title, norms: { data } }, n) => {
    const most = Array.from(data).reduce((a, b) => Math.max(a, b), 0);
    const squares = Array.from(data, (norm, i) => {
      const opacity = norm > 0 ? Math.max(0, 1 + Math.log10(norm / most) / decades) : 0;
      return `<rect x="${(i % columns) * square}" y="${Math.floor(i / columns) * square}" width="${square}" height="${square}" fill-opacity="${opacity.toFixed(3)}"/>`;
    });
    return [
      `<g transform="translate(${margin + Math.floor(n / 2) * across} ${margin + (n % 2) * down})">`,
      `<text x="0" y="-8">${title}</text>`,
      `<text x="-6" y="${rows * square}" text-anchor="end">t</text>`,
      `<text x="${columns * square}" y="${rows * square + 16}" text-anchor="end">k</text>`,
      `<rect width="${columns * square}" height="${rows * square}" fill="none" stroke="#bbb"/>`,
      `<g fill="#1f4e8c">`,
      ...squares,
      "</g>",
      "</g>",
    ].join("\n");
  });
  const [width, height] = [margin + Math.ceil(flows.length / 2) * across, margin + 2 * down];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="14">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...matrices,
    `<text x="${margin}" y="${height - 12}">‖∂E_t/∂h_k‖, dark: the greatest of a matrix; white: at most 10^-${decades} of it</text>`,
    "</svg>",
    "",
  ].join("\n");
}
