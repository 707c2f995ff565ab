/** Texts of WGSL files by path below `shaders/`, without extension. */
export type Texts = Readonly<Record<string, string>>;

/** The files of a group, each behind a line with # and its path. */
export const unpack = (packed: string): Texts =>
  Object.fromEntries(
    packed
      .slice(1, -1)
      .split("\n#")
      .map((file) => {
        const end = file.indexOf("\n");
        return [file.slice(0, end), `${file.slice(end + 1)}\n`];
      }),
  );
