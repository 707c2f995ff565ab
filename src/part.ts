/** Code of the package that only some programs need, loaded by import() when it is first needed. */
import { reasonOf, RnnError } from "./errors.ts";

export class Part<T> {
  private code: T | undefined;

  /** @param what it is for, in words of the user */
  constructor(
    private readonly what: string,
    private readonly fetch: () => Promise<T>,
  ) {}

  get isLoaded(): boolean {
    return this.code !== undefined;
  }

  /**
   * Loads it, unless it is there. What failed, for want of a connection, say, is tried again the next time.
   * @throws RnnError `load`
   */
  async load(): Promise<T> {
    try {
      return (this.code ??= await this.fetch());
    } catch (cause) {
      throw new RnnError(
        "load",
        this.what,
        `its code could not be loaded: ${reasonOf(cause)}; check the connection and that the app's files are complete, then call again`,
        { cause },
      );
    }
  }

  /** The code, when it has been loaded. */
  get now(): T {
    return this.code!;
  }
}
