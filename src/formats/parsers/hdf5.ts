/**
 * Reads HDF5 files as trees of groups and datasets. The build puts jsfive's code into this file. It reads all files that
 * Keras writes in 192 kB of source; h5wasm, HDF5's own library, has some megabytes.
 */
import { Unzlib } from "fflate";
import { Dataset, File, Filters, Group } from "jsfive";
import { clip, show } from "../../errors.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";

/** A dataset of numbers, read when it is wanted. */
export interface Hdf5Dataset {
  readonly shape: readonly number[];
  read(): Tensor;
}

/** A group. Names that a program on Windows wrote with back-slashes are groups in groups here. */
export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly groups: Map<string, Hdf5Group>;
  readonly datasets: Map<string, Hdf5Dataset>;
}

/** What reading a file may take: pieces of it, the bytes in them, and groups and datasets. */
const most = { pieces: 2_000_000, bytesPerByte: 64, nodes: 100_000, depth: 64, unpackedPerByte: 20, leastUnpacked: 2 ** 28 };

/**
 * The file as jsfive takes it. jsfive cuts out each structure that it reads, so a file that refers to itself again and
 * again is noticed here.
 */
function guarded(where: string, bytes: Uint8Array): ArrayBuffer {
  const buffer = bytes.slice().buffer;
  let [pieces, cut] = [0, 0];
  const limit = 2 ** 24 + most.bytesPerByte * bytes.length;
  const slice = (from?: number, to?: number): ArrayBuffer => {
    const piece = ArrayBuffer.prototype.slice.call(buffer, from ?? 0, to);
    if (++pieces > most.pieces || (cut += piece.byteLength) > limit)
      throw formatError(where, "its HDF5 structures refer to each other without end, or to much more than the file holds");
    return piece;
  };
  Object.defineProperty(buffer, "slice", { value: slice });
  return buffer;
}

/** The most bytes that what is being read may unpack to; one file is read at a time, without a wait. */
let unpackable = 0;

/** jsfive's own would unpack without limit. */
function inflate(packed: ArrayBuffer): ArrayBuffer {
  const parts: Uint8Array[] = [];
  let length = 0;
  const stream = new Unzlib((part) => {
    parts.push(part);
    if ((length += part.length) > unpackable) throw formatError("HDF5 file", "its data would unpack to far more than a model needs");
  });
  const bytes = new Uint8Array(packed);
  // In pieces, so that it ends soon after the limit.
  for (let at = 0; at < bytes.length || at === 0; at += 65536) stream.push(bytes.subarray(at, at + 65536), at + 65536 >= bytes.length);
  unpackable -= length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.buffer;
}

class TreeReader {
  private nodes = 0;

  constructor(
    private readonly where: string,
    private readonly bytes: Uint8Array,
  ) {}

  read(): Hdf5Group {
    Filters.set(1, inflate);
    unpackable = Math.max(most.leastUnpacked, most.unpackedPerByte * this.bytes.length);
    return this.group(new File(guarded(this.where, this.bytes)), 0);
  }

  private group(from: Group, depth: number): Hdf5Group {
    if (depth > most.depth) throw formatError(this.where, `its groups are nested more than ${most.depth} deep`);
    const group: Hdf5Group = { attributes: attributesOf(from), groups: new Map(), datasets: new Map() };
    for (const key of from.keys) {
      if (++this.nodes > most.nodes) throw formatError(this.where, `it has more than ${most.nodes} groups and datasets`);
      const child = from.get(key);
      const path = key.split(/[\\/]/);
      const name = path.pop()!;
      const parent = path.reduce(childOf, group);
      if (child instanceof Dataset) parent.datasets.set(name, this.dataset(key, child));
      else if (child instanceof Group) merge(childOf(parent, name), this.group(child, depth + 1));
    }
    return group;
  }

  private dataset(name: string, dataset: Dataset): Hdf5Dataset {
    const shape = [...dataset.shape];
    return {
      shape,
      read: () => {
        const type = String(dataset.dtype);
        const found = /^[<>]([fiu])([1248])$/.exec(type);
        if (!found) throw formatError(this.where, `the dataset ${show(clip(name, 80))} must be of numbers, got the type ${clip(type, 40)}`);
        const count = sizeOf(shape);
        if (!(count * Number(found[2]) <= unpackable))
          throw formatError(
            this.where,
            `the dataset ${show(clip(name, 80))} would have ${count} numbers in a file of ${this.bytes.length} bytes`,
          );
        const { value } = dataset;
        if (value.length !== count)
          throw formatError(
            this.where,
            `the dataset ${show(clip(name, 80))} of shape ${show(shape)} must have ${count} numbers, got ${value.length}`,
          );
        return { shape, data: type.endsWith("f8") ? Float64Array.from(value as number[]) : Float32Array.from(value as number[]) };
      },
    };
  }
}

function childOf(group: Hdf5Group, name: string): Hdf5Group {
  let found = group.groups.get(name);
  if (!found) group.groups.set(name, (found = { attributes: new Map(), groups: new Map(), datasets: new Map() }));
  return found;
}

function merge(into: Hdf5Group, from: Hdf5Group): void {
  for (const [name, value] of from.attributes) (into.attributes as Map<string, unknown>).set(name, value);
  for (const [name, dataset] of from.datasets) into.datasets.set(name, dataset);
  for (const [name, group] of from.groups) merge(childOf(into, name), group);
}

/** Texts of a fixed length are padded with zeros. */
const trimmed = (value: unknown): unknown =>
  typeof value === "string" ? value.replace(/\0+$/, "") : Array.isArray(value) ? value.map(trimmed) : value;

const attributesOf = ({ attrs }: Group): Map<string, unknown> =>
  new Map(Object.entries(attrs).map(([name, value]) => [name, trimmed(value)]));

/** @throws RnnError `format`, or what jsfive throws, if it is damaged */
export const readHdf5 = (where: string, bytes: Uint8Array): Hdf5Group => new TreeReader(where, bytes).read();
