/** Which kernels were found wrong on a device, and what stands in for them; plain JSON, to be kept by an app. */
import { reading, RnnError, show } from "../errors.ts";

/** A kernel whose numbers are not its twin's on this device, or that the device refuses. */
export interface Failure {
  readonly kernel: string;
  /** What was seen, in words. */
  readonly problem: string;
}

/** What the self-test of a device has found. */
export interface SelfTest {
  /** Of the package and its shaders; the result of another version is left aside. */
  readonly version: string;
  /** Whose kernels were tested; the result of another adapter is left aside. */
  readonly adapter: string;
  /** Kernels that were tested. */
  readonly tested: number;
  readonly failures: readonly Failure[];
}

/** The package's version, as in package.json. */
export const packageVersion = "0.1.0";

/** @throws RnnError `format` unless `value` is a self-test's result */
export function checkSelfTest(where: string, value: unknown): void {
  if (reading("format", where, "selfTest", () => isSelfTest(value))) return;
  throw new RnnError(
    "format",
    where,
    `selfTest must be true, false or an earlier backend.selfTest, got ${show(value)}; leave it out or test again with true`,
  );
}

/** Kernels that may have failed at most: more than there are. */
const mostFailures = 10_000;

function isSelfTest(value: unknown): boolean {
  const { version, adapter, tested, failures } = (value ?? {}) as Partial<SelfTest>;
  const isFailure = (one: unknown): boolean =>
    typeof (one as Failure | undefined)?.kernel === "string" && typeof (one as Failure).problem === "string";
  return (
    typeof version === "string" &&
    typeof adapter === "string" &&
    typeof tested === "number" &&
    Array.isArray(failures) &&
    failures.length <= mostFailures &&
    failures.every(isFailure)
  );
}

/** Kernels found wrong, asked by name. */
export class Avoided {
  private readonly names: ReadonlySet<string>;

  constructor(failures: readonly Failure[] = []) {
    this.names = new Set(failures.map(({ kernel }) => kernel));
  }

  has(kernel: string): boolean {
    return this.names.has(kernel);
  }

  /** Whether a kernel failed whose name starts so: what one cell or size has shown is not trusted in the others. */
  starts(...stems: readonly string[]): boolean {
    return [...this.names].some((name) => stems.some((stem) => name.startsWith(stem)));
  }

  /** Whether the time loop of layers with this many phases in a step must be walked step by step. */
  loop(phases: number): boolean {
    return phases > 1 ? this.starts("loop-two-phase") : this.starts("loop-forward", "loop-backward");
  }

  /** Whether a regularized layer's product must be a dispatch of its own. */
  get fused(): boolean {
    return [...this.names].some((name) => name.startsWith("regularized-") && name.includes("fused"));
  }
}

/** Nothing is known to be wrong. */
export const nothingAvoided = new Avoided();

/** Whether something else of the package computes the same on the device. */
export function hasFallback({ kernel }: Failure, avoided: Avoided): boolean {
  if (kernel.startsWith("loop-")) return true;
  if (kernel.startsWith("regularized-")) return kernel.includes("fused");
  return kernel.startsWith("matmul-") && !(avoided.has("matmul-naive") && avoided.has("matmul-block:strided-small"));
}
