/** Reads zip archives. The build puts fflate's code into this file. */
import { unzipSync } from "fflate";
import { formatError } from "../imported.ts";

/** A file within an archive. */
interface Entry {
  readonly name: string;
  /** Bytes of its contents. */
  readonly originalSize: number;
}

/** What the contents of an archive may take, however small it is itself: `least` bytes, or `factor` times its size. */
const most = { least: 2 ** 28, factor: 20 };

/** The names of an archive's files. @throws if it is damaged */
export function namesInZip(bytes: Uint8Array): string[] {
  const names: string[] = [];
  unzipSync(bytes, { filter: ({ name }) => names.push(name) < 0 });
  return names;
}

/**
 * The contents of those files of an archive that are wanted.
 * @throws RnnError `format` if they would take far more memory than the archive
 */
export function unzip(where: string, bytes: Uint8Array, wanted: (name: string) => boolean): Map<string, Uint8Array> {
  let total = 0;
  const limit = Math.max(most.least, most.factor * bytes.length);
  const filter = ({ name, originalSize }: Entry): boolean => {
    if (!wanted(name)) return false;
    if ((total += originalSize) > limit)
      throw formatError(where, `its archive of ${bytes.length} bytes would unpack to more than ${limit}, which no model needs`);
    return true;
  };
  return new Map(Object.entries(unzipSync(bytes, { filter })));
}
