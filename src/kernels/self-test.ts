/** The kernels that were found wrong on a device, and their substitutes; plain JSON that apps can store. */
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

  /** True if a regularized layer's product must be a separate dispatch. */
  get fused(): boolean {
    return [...this.names].some((name) => name.startsWith("regularized-") && name.includes("fused"));
  }
}

/** For devices without known failures. */
export const nothingAvoided = new Avoided();
