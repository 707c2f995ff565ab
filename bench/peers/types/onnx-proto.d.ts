interface ValueInfo {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: { dimValue: number }[] } } };
}
interface Graph {
  name: string;
  node: { opType: string; input: string[]; output: string[]; attribute: { name: string; type: number; i: number }[] }[];
  initializer: { name: string; dims: number[]; dataType: number; rawData: Uint8Array }[];
  input: ValueInfo[];
  output: ValueInfo[];
}
export declare const onnx: {
  TensorProto: { DataType: { FLOAT: number } };
  AttributeProto: { AttributeType: { INT: number } };
  ModelProto: {
    encode(model: { irVersion: number; opsetImport: { domain: string; version: number }[]; graph: Graph }): { finish(): Uint8Array };
  };
};
