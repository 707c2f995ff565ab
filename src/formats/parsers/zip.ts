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

/** Bytes that a file takes in an archive's directory, beside its name. */
const entryBytes = 46;

/**
 * Calls `wanted` for each file that an archive lists, and unpacks those for which it says so. The archive says how many it
 * lists, up to 2^64, and fflate believes it: from some place on it would read the same bytes for ever.
 * @throws RnnError `format` if it lists more than it has room for
 */
function unpacked(where: string, bytes: Uint8Array, wanted: (file: Entry) => boolean): Record<string, Uint8Array> {
  let listed = 0;
  const filter = (file: Entry): boolean => {
    listed += entryBytes + file.name.length;
    if (listed > bytes.length) throw formatError(where, "its archive lists more files than it has room for");
    return wanted(file);
  };
  return unzipSync(bytes, { filter });
}

/** The names of an archive's files. @throws RnnError `format`, or an error of fflate, if it is damaged */
export function namesInZip(where: string, bytes: Uint8Array): string[] {
  const names: string[] = [];
  unpacked(where, bytes, ({ name }) => names.push(name) < 0);
  return names;
}

/**
 * The contents of those files of an archive that are wanted.
 * @throws RnnError `format` if they would take far more memory than the archive
 */
export function unzip(where: string, bytes: Uint8Array, wanted: (name: string) => boolean): Map<string, Uint8Array> {
  let total = 0;
  const limit = Math.max(most.least, most.factor * bytes.length);
  const isWanted = ({ name, originalSize }: Entry): boolean => {
    if (!wanted(name)) return false;
    if ((total += originalSize) > limit)
      throw formatError(where, `its archive of ${bytes.length} bytes would unpack to more than ${limit}, which no model needs`);
    return true;
  };
  return new Map(Object.entries(unpacked(where, bytes, isWanted)));
}
