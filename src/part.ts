/** Code of the package that only some programs need, loaded by import() when it is first needed. */
import { reasonOf, RnnError } from "./errors.ts";

export class Part<T> {
  /** The code; undefined until it has been loaded. */
  now!: T;

  /** @param what it is for, in words of the user */
  constructor(
    private readonly what: string,
    private readonly fetch: () => Promise<T>,
  ) {}

  /**
   * Loads it, unless it is there. What failed, for want of a connection, say, is tried again the next time. Firefox keeps
   * the failure until the page is reloaded.
   * @throws RnnError `load`
   */
  async load(): Promise<T> {
    try {
      return (this.now ??= await this.fetch());
    } catch (cause) {
      throw new RnnError(
        "load",
        this.what,
        `its code could not be loaded: ${reasonOf(cause)}; check the connection, then call again, or reload the page`,
        { cause },
      );
    }
  }
}
