/** The kernels that were found wrong on a device, and their substitutes; plain JSON that apps can store. */
import { reading, RnnError, show } from "../errors.ts";

/** A kernel whose results differ from its twin's on this device, or that the device refuses. */
export interface Failure {
  readonly kernel: string;
  /** The problem in words. */
  readonly problem: string;
}

/** The result of a device's self-test. */
export interface SelfTest {
  /** The version of the package and its shaders; a result of another version is ignored. */
  readonly version: string;
  /** The tested adapter; a result of another adapter is ignored. */
  readonly adapter: string;
  /** Number of tested kernels. */
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

/** Most failures in a valid result: more than there are kernels. */
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

/** The kernels found wrong, by name. */
export class Avoided {
  private readonly names: ReadonlySet<string>;

  constructor(failures: readonly Failure[] = []) {
    this.names = new Set(failures.map(({ kernel }) => kernel));
  }

  has(kernel: string): boolean {
    return this.names.has(kernel);
  }

  /**
   * True if a kernel failed whose name starts with one of these: if one cell or size failed, the others are not trusted
   * either.
   */
  starts(...stems: readonly string[]): boolean {
    return [...this.names].some((name) => stems.some((stem) => name.startsWith(stem)));
  }

  /** True if layers with this many phases in a step must not use the loop. */
  loop(phases: number): boolean {
    return phases > 1 ? this.starts("loop-two-phase") : this.starts("loop-forward", "loop-backward");
  }

  /** True if a regularized layer's product must be a separate dispatch. */
  get fused(): boolean {
    return [...this.names].some((name) => name.startsWith("regularized-") && name.includes("fused"));
  }
}

/** For devices without known failures. */
export const nothingAvoided = new Avoided();

/** True if another kernel can replace the failed one on the device. */
export function hasFallback({ kernel }: Failure, avoided: Avoided): boolean {
  if (kernel.startsWith("loop-") || kernel.startsWith("scan-")) return true;
  if (kernel.startsWith("regularized-")) return kernel.includes("fused");
  return kernel.startsWith("matmul-") && !(avoided.has("matmul-naive") && avoided.has("matmul-block:strided-small"));
}
