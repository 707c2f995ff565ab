/** A matrix ‖∂E_t/∂h_k‖ in colours: t downwards, k to the right. Where k > t nothing reaches, and nothing is drawn. */
import { colours } from "./colour-scale.ts";
import type { Norms, Shown } from "./norms.ts";

/** A square of the matrix. */
export interface Place {
  readonly t: number;
  readonly k: number;
}

export class HeatMap {
  private norms: Norms | undefined;
  private shown: Shown = "share";
  private marked: Place | undefined;
  private drawing = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    on: { hover: (place: Place | undefined) => void; choose: (place: Place) => void },
  ) {
    canvas.addEventListener("pointermove", (event) => on.hover(this.placeOf(event)));
    canvas.addEventListener("pointerleave", () => on.hover(undefined));
    canvas.addEventListener("click", (event) => {
      const place = this.placeOf(event);
      if (place) on.choose(place);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(norms: Norms, shown: Shown, marked: Place): void {
    [this.norms, this.shown, this.marked] = [norms, shown, marked];
    this.draw();
  }

  /** At most once a frame. */
  private draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.paint();
    });
  }

  private paint(): void {
    const { canvas, norms, shown, marked } = this;
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    const context = canvas.getContext("2d")!;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    context.clearRect(0, 0, size, size);
    if (!norms) return;
    const colourOf = colours();
    // Squares begin and end at whole pixels, so that no lines show between them.
    const edges = Array.from({ length: norms.steps + 1 }, (_, i) => Math.round((i * size) / norms.steps));
    for (let t = 1; t <= norms.steps; t++) {
      for (let k = 1; k <= t; k++) {
        const colour = colourOf(norms.at(t, k, shown));
        if (colour === undefined) continue;
        context.fillStyle = colour;
        context.fillRect(edges[k - 1], edges[t - 1], edges[k] - edges[k - 1], edges[t] - edges[t - 1]);
      }
    }
    if (marked && marked.t <= norms.steps) this.frame(context, edges, marked);
  }

  /** A ring around a square, dark on light and light on dark. */
  private frame(context: CanvasRenderingContext2D, edges: readonly number[], { t, k }: Place): void {
    const side = Math.max(edges[k] - edges[k - 1], 7 * devicePixelRatio);
    const least = 1.5 * devicePixelRatio;
    const most = edges[edges.length - 1] - side - least;
    const [x, y] = [edges[k - 1], edges[t - 1]].map((at) => Math.min(Math.max(at, least), most));
    for (const [width, colour] of [
      [3, "#fff"],
      [1.5, "#17262b"],
    ] as const) {
      context.lineWidth = width * devicePixelRatio;
      context.strokeStyle = colour;
      context.strokeRect(x, y, side, side);
    }
  }

  private placeOf({ offsetX, offsetY }: MouseEvent): Place | undefined {
    if (!this.norms) return undefined;
    const [k, t] = [offsetX, offsetY].map((at) => Math.floor((at / this.canvas.clientWidth) * this.norms!.steps) + 1);
    return k >= 1 && k <= t && t <= this.norms.steps ? { t, k } : undefined;
  }
}
