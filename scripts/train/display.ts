/** Shows progress in the terminal while a model trains: a bar if it can be redrawn, otherwise lines. */
import { Presets, SingleBar } from "cli-progress";

export interface Display {
  /** Prints a line of its own. */
  note(text: string): void;
  update(done: number, loss: number, tokensPerSecond: number): void;
  end(): void;
}

/** 1234567 as "1.23 M". */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const [divisor, unit] = value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e3 ? [1e3, " k"] : [1, ""];
  return `${(value / divisor).toPrecision(3).replace(/e\+2$/, "")}${unit}`;
}

/** Control characters of a text must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\r/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
}

/** Average over about the last twenty losses, because one batch says little. */
class RunningLoss {
  private readonly last: number[] = [];

  next(loss: number): string {
    this.last.push(loss);
    if (this.last.length > 20) this.last.shift();
    return (this.last.reduce((sum, x) => sum + x, 0) / this.last.length).toFixed(4);
  }
}

function bar(steps: number): Display {
  const format = "{bar} {value}/{total}  loss {loss}  {speed} tokens/s  {eta_formatted} left";
  // Ctrl-C is ours; and a program that is killed must not leave a terminal without a cursor.
  const drawn = new SingleBar(
    { format, stream: process.stdout, gracefulExit: false, hideCursor: false, etaBuffer: 50 },
    Presets.shades_classic,
  );
  const loss = new RunningLoss();
  drawn.start(steps, 0, { loss: "-", speed: "-" });
  return {
    note(text) {
      // In the place of the bar, which is drawn again below it.
      process.stdout.write(`\r\u001b[K${printable(text)}\n`);
    },
    update: (done, value, speed) => drawn.update(done, { loss: loss.next(value), speed: short(speed) }),
    end: () => drawn.stop(),
  };
}

function lines(steps: number): Display {
  const loss = new RunningLoss();
  const every = Math.max(1, Math.ceil(steps / 20));
  const width = String(steps).length;
  let printed = performance.now();
  return {
    update(done, value, speed) {
      const mean = loss.next(value);
      const due = done === 1 || done % every === 0 || done === steps || performance.now() - printed > 10_000;
      if (!due) return;
      printed = performance.now();
      console.log(`step ${String(done).padStart(width)}/${steps}  loss ${mean}  ${short(speed)} tokens/s`);
    },
    note: (text) => console.log(`note     ${printable(text)}`),
    end: () => undefined,
  };
}

/** Follows `steps` steps. */
export function display(steps: number): Display {
  return process.stdout.isTTY ? bar(steps) : lines(steps);
}
