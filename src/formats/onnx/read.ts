/** Reads the bytes of an ONNX file. Sizes are checked before anything is allocated; nothing is run. */
import { clip, reasonOf, RnnError } from "../../errors.ts";
import { decodeUtf8 } from "../../io/utf8.ts";
import { fail, type Attribute, type Graph, type Known, type Node, type OnnxFile, type Port } from "./graph.ts";
import { PbfReader } from "../parsers/protobuf.ts";
import { kindOf, mostAxes, readNumbers, readTensor } from "./tensor-proto.ts";

/** Most graphs inside each other (branches of If). */
const mostDepth = 32;

/** The versions of ONNX' operators that are known. */
const opsets = { least: 7, most: 22 };

/** A reader of the message, text or bytes that begin here, which cannot read beyond their end. */
function message(pbf: PbfReader): PbfReader {
  const length = pbf.readVarint();
  const end = pbf.pos + length;
  if (pbf.type !== 2 || !(end <= pbf.length)) fail("the file is truncated, or damaged: a part of it ends behind its whole");
  const part = new PbfReader(pbf.buf.subarray(pbf.pos, end));
  pbf.pos = end;
  return part;
}

const text = (pbf: PbfReader): string => decodeUtf8(message(pbf).buf);

/** Reads the fields of a message into `into`. */
function fieldsOf<T>(pbf: PbfReader, into: T, read: (tag: number, into: T, pbf: PbfReader) => void): T {
  return message(pbf).readFields(read, into);
}

function readPort(pbf: PbfReader): Port {
  const port: { name: string; type?: number; shape?: (number | string | undefined)[] } = { name: "" };
  fieldsOf(pbf, port, (tag, into, from) => {
    if (tag === 1) into.name = text(from);
    else if (tag === 2)
      fieldsOf(from, into, (kind, _, type) => {
        if (kind === 1) readTensorType(type, into);
      });
  });
  const { name, type, shape } = port;
  // Ports inside branches often have no type.
  return { name, kind: type ? kindOf(type, `"${clip(name)}"`) : "float", type, shape };
}

function readTensorType(pbf: PbfReader, port: { type?: number; shape?: (number | string | undefined)[] }): void {
  fieldsOf(pbf, port, (tag, into, from) => {
    if (tag === 1) into.type = from.readVarint();
    else if (tag === 2)
      fieldsOf<(number | string | undefined)[]>(from, (into.shape = []), (dim, sizes, of) => {
        if (dim !== 1) return;
        const size: { value?: number | string } = {};
        fieldsOf(of, size, (which, into, one) => {
          if (which === 1) into.value = one.readVarint(true);
          else if (which === 2) into.value = text(one);
        });
        // Some exporters write 0 or -1 for a size that is not known.
        sizes.push(typeof size.value === "number" && size.value <= 0 ? undefined : size.value || undefined);
        if (sizes.length > mostAxes) fail(`an input or output has more than ${mostAxes} axes`);
      });
  });
}

/** An attribute while it is read. Its type says which field counts. */
interface Fields {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: string;
  t?: Known;
  g?: Graph;
  readonly floats: number[];
  readonly ints: number[];
  readonly strings: string[];
}

/** The fields by AttributeProto's numbers of types. */
const fieldOf = { 1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings" } as const;

function readAttribute(pbf: PbfReader, depth: number): [string, Attribute | undefined] {
  const fields: Fields = { name: "", type: 0, floats: [], ints: [], strings: [] };
  const signed = (from: PbfReader): number => from.readVarint(true);
  fieldsOf(pbf, fields, (tag, into, from) => {
    if (tag === 1) into.name = text(from);
    else if (tag === 2) into.f = from.readFloat();
    else if (tag === 3) into.i = from.readVarint(true);
    else if (tag === 4) into.s = text(from);
    else if (tag === 5) into.t = readTensor(message(from), message).tensor;
    else if (tag === 6) into.g = readGraph(message(from), depth + 1);
    else if (tag === 7) readNumbers(from, into.floats, (one) => one.readFloat(), message);
    else if (tag === 8) readNumbers(from, into.ints, signed, message);
    else if (tag === 9) into.strings.push(text(from));
    else if (tag === 20) into.type = from.readVarint();
  });
  const known = fieldOf[fields.type as keyof typeof fieldOf];
  if (known === undefined) return [fields.name, undefined];
  // A number or text that is left out is 0 or "".
  return [fields.name, fields[known] ?? (known === "s" ? "" : known === "f" || known === "i" ? 0 : undefined)];
}

function readNode(pbf: PbfReader, place: number, depth: number): Node {
  const attributes = new Map<string, Attribute>();
  const node = { name: "", operator: "", domain: "", inputs: [] as string[], outputs: [] as string[] };
  fieldsOf(pbf, node, (tag, into, from) => {
    if (tag === 1) into.inputs.push(text(from));
    else if (tag === 2) into.outputs.push(text(from));
    else if (tag === 3) into.name = text(from);
    else if (tag === 4) into.operator = text(from);
    else if (tag === 7) into.domain = text(from);
    else if (tag === 5) {
      const [name, value] = readAttribute(from, depth);
      if (value === undefined)
        fail(`node "${clip(into.name)}" (${clip(into.operator)}): attribute ${clip(name)} is of a type that is not read`);
      attributes.set(name, value);
    }
  });
  const { name, domain, inputs, outputs } = node;
  const operator = domain === "" || domain === "ai.onnx" ? node.operator : `${domain}.${node.operator}`;
  return { name: name || `${operator}_${place}`, operator, inputs, outputs, attributes };
}

function readGraph(pbf: PbfReader, depth = 0): Graph {
  if (depth > mostDepth) fail(`its graphs are nested more than ${mostDepth} deep`);
  const nodes: Node[] = [];
  const initializers = new Map<string, Known>();
  const [inputs, outputs]: [Port[], Port[]] = [[], []];
  pbf.readFields((tag, _, from) => {
    if (tag === 1) nodes.push(readNode(from, nodes.length, depth));
    else if (tag === 5) {
      const { name, tensor } = readTensor(message(from), message);
      if (initializers.has(name)) fail(`it has the tensor "${clip(name)}" twice`);
      initializers.set(name, tensor);
    } else if (tag === 11) inputs.push(readPort(from));
    else if (tag === 12) outputs.push(readPort(from));
    else if (tag === 15) fail("it has sparse tensors, which are not read; save it with dense ones");
  }, {});
  // Before version 4 of the format, tensors of the file had to be inputs too.
  return { nodes, inputs: inputs.filter(({ name }) => !initializers.has(name)), outputs, initializers };
}

/** @throws RnnError `format` if the file is truncated, damaged, no ONNX file, or of a version that is not known */
export function readOnnx(bytes: Uint8Array): OnnxFile {
  try {
    const file: { producer: string; graph?: Graph; opset?: number } = { producer: "" };
    new PbfReader(bytes).readFields((tag, into, from) => {
      if (tag === 2) into.producer = text(from);
      else if (tag === 7) into.graph = readGraph(message(from));
      else if (tag === 8) {
        const set = fieldsOf(from, { domain: "", version: 1 }, (field, into, one) => {
          if (field === 1) into.domain = text(one);
          else if (field === 2) into.version = one.readVarint();
        });
        if (set.domain === "" || set.domain === "ai.onnx") into.opset = set.version;
      }
    }, file);
    const { producer, graph, opset } = file;
    if (!graph || opset === undefined || graph.outputs.length === 0)
      return fail("this is no ONNX file: it has no graph with outputs, or no version of operators");
    if (!(opset >= opsets.least && opset <= opsets.most))
      return fail(
        `its operators must be of opset ${opsets.least} to ${opsets.most}, got ${opset}; export it for one of these, or convert it with onnx.version_converter`,
      );
    return { producer, opset, graph };
  } catch (cause) {
    if (cause instanceof RnnError) throw cause;
    return fail(`the file is truncated, damaged or no ONNX file: ${reasonOf(cause)}`, cause);
  }
}

/** Reads a file that is one tensor, as ONNX' own tests have them. */
export const readTensorFile = (bytes: Uint8Array): Known => readTensor(new PbfReader(bytes), message).tensor;
