// The names that an app can import. The list is here, so that every change is noticed, and each name has a comment.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { Module } from "../../src/nn/module.ts";
import { layers } from "../../src/saving/layers.ts";
import * as everything from "../../src/all.ts";

const values = [
  "AvgPool1d",
  "BatchNorm1d",
  "Conv1d",
  "CustomRNN",
  "Dropout",
  "Embedding",
  "GRU",
  "LSTM",
  "LastStep",
  "LayerNorm",
  "Linear",
  "LogSoftmax",
  "MaxPool1d",
  "MinGRU",
  "MinLSTM",
  "Module",
  "Parameter",
  "RNN",
  "ReLU",
  "Residual",
  "RnnError",
  "SLSTM",
  "Sequential",
  "Sigmoid",
  "Softmax",
  "Tanh",
  "TextData",
  "Trainer",
  "Vocabulary",
  "adam",
  "adamw",
  "binaryCrossEntropy",
  "calibrate",
  "chooseStrategy",
  "compose",
  "constant",
  "cosine",
  "createBackend",
  "createBatcher",
  "createStream",
  "crossEntropy",
  "decodeSafetensors",
  "defineCell",
  "encodeSafetensors",
  "explainStrategy",
  "forward",
  "generate",
  "generateTokens",
  "gradients",
  "loadModel",
  "nadam",
  "normal",
  "orthogonal",
  "plannedMemory",
  "rmsprop",
  "saveModel",
  "saveStream",
  "sgd",
  "squaredError",
  "stepDecay",
  "tensor",
  "uniform",
  "verify",
];
const types = [
  "Backend",
  "BackendOptions",
  "Batch",
  "BatchLike",
  "Batcher",
  "BatcherOptions",
  "Context",
  "Cotangents",
  "CustomCell",
  "DeviceProfile",
  "DeviceState",
  "DeviceStream",
  "Draw",
  "ErrorKind",
  "Evaluation",
  "Finding",
  "FloatArray",
  "ForwardOptions",
  "GateActivation",
  "GateActivations",
  "GateOptions",
  "Initializer",
  "LayerOptions",
  "LayerShape",
  "LoadResult",
  "Loss",
  "MemoryUse",
  "Merge",
  "MinimalLayerOptions",
  "ModelGradients",
  "ModelInputs",
  "ModelNames",
  "ModelOutputs",
  "NestedNumbers",
  "Numbers",
  "NumericArray",
  "Optimizer",
  "Progress",
  "Recovered",
  "RecoveryOptions",
  "RecurrentLayerOptions",
  "RegularizationOptions",
  "Report",
  "ResultArrays",
  "RunOptions",
  "SamplingOptions",
  "SaveOptions",
  "SaveStreamOptions",
  "Schedule",
  "SelfTest",
  "Shape",
  "StateDict",
  "StrategyChoice",
  "StrategyName",
  "Stream",
  "StreamOptions",
  "StreamState",
  "Summary",
  "Tensor",
  "TensorFile",
  "TensorLike",
  "TrainOptions",
  "TrainerOptions",
  "TrainingData",
  "Variable",
  "VerifyOptions",
];

/** What the further entries have. */
const further: Readonly<Record<string, { readonly values: readonly string[]; readonly types: readonly string[] }>> = {
  formats: {
    values: ["decodeSafetensors", "encodeSafetensors", "exportOnnx", "importModel", "readTensors", "stackWeights", "unstackWeights"],
    types: [
      "ExportOptions",
      "FileBytes",
      "FormatName",
      "ImportOptions",
      "ImportedModel",
      "ImportedNode",
      "ImportedValue",
      "ModelFiles",
      "StackedCell",
      "TensorFile",
    ],
  },
  inspect: { values: ["gradientFlow", "jacobian", "lossAndGradient", "optimizerSteps"], types: ["FlowBatch", "GradientFlow"] },
  language: {
    values: ["Attention", "Decoder", "PairData", "SentenceData", "Seq2Seq", "beamSearch", "logProbability", "sentenceBatch"],
    types: [
      "AttentionMemory",
      "BeamSearchOptions",
      "DecoderOptions",
      "Hypothesis",
      "RowProbabilities",
      "Score",
      "Sentence",
      "Seq2SeqOptions",
    ],
  },
};

const parsed = new Map<string, ts.SourceFile>();
function parse(url: URL): ts.SourceFile {
  const source = parsed.get(url.href) ?? ts.createSourceFile(fileURLToPath(url), readFileSync(url, "utf8"), ts.ScriptTarget.Latest, true);
  parsed.set(url.href, source);
  return source;
}

interface Export {
  readonly name: string;
  readonly isType: boolean;
  readonly from: URL;
}

function exportsOf(url: URL): Export[] {
  return parse(url).statements.flatMap((statement): Export[] => {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause)) return [];
    const from = new URL((statement.moduleSpecifier as ts.StringLiteral).text, url);
    return statement.exportClause.elements.map(({ name, isTypeOnly }) => ({
      name: name.text,
      isType: isTypeOnly || statement.isTypeOnly,
      from,
    }));
  });
}

const operations = [
  "Layout",
  "NormalizationOptions",
  "OverAxes",
  "Padding",
  "StftOptions",
  "WindowOptions",
  "abs",
  "add",
  "and",
  "argMax",
  "argMin",
  "avgPool1d",
  "batchNorm",
  "ceil",
  "clip",
  "concat",
  "constant",
  "conv1d",
  "convTranspose1d",
  "cumulativeSum",
  "divide",
  "dropout",
  "elu",
  "embedding",
  "equal",
  "erf",
  "exp",
  "expand",
  "flatten",
  "flip",
  "floor",
  "gather",
  "gelu",
  "greater",
  "greaterOrEqual",
  "hardSigmoid",
  "hardSwish",
  "instanceNorm",
  "istft",
  "layerNorm",
  "leakyRelu",
  "lengthMask",
  "less",
  "lessOrEqual",
  "linear",
  "log",
  "matmul",
  "max",
  "maxPool1d",
  "maximum",
  "mean",
  "min",
  "minimum",
  "multiply",
  "negate",
  "norm",
  "not",
  "or",
  "pad",
  "permute",
  "power",
  "reciprocal",
  "relu",
  "reshape",
  "round",
  "scale",
  "selu",
  "sigmoid",
  "sign",
  "silu",
  "slice",
  "softmax",
  "softplus",
  "softsign",
  "split",
  "sqrt",
  "squeeze",
  "stack",
  "stft",
  "subtract",
  "sum",
  "tanh",
  "tile",
  "unsqueeze",
  "where",
];

/** The modules that a module exports whole. */
const partsOf = (url: URL): URL[] =>
  parse(url).statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) && !statement.exportClause
      ? [new URL((statement.moduleSpecifier as ts.StringLiteral).text, url)]
      : [],
  );

/** The names that a module itself declares and exports. */
function declaredIn(url: URL): Export[] {
  return parse(url).statements.flatMap((statement): Export[] => {
    if (!ts.canHaveModifiers(statement) || !ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map((d) => d.name.getText())
      : [(statement as ts.FunctionDeclaration).name!.text];
    return names.map((name) => ({ name, isType: false, from: url }));
  });
}

/** True if the declaration of this name has a comment before it. */
function isExplained({ name, from }: Export): boolean {
  const source = parse(from);
  const declaration = source.statements.find((statement) => {
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.some((d) => d.name.getText() === name);
    return (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement)) &&
      statement.name?.text === name
    );
  });
  return declaration !== undefined && ts.getJSDocCommentsAndTags(declaration).length > 0;
}

describe("the public interface", () => {
  const all = exportsOf(new URL("../../src/index.ts", import.meta.url));
  const ofEntries = Object.keys(further).map((name) => [name, exportsOf(new URL(`../../src/${name}.ts`, import.meta.url))] as const);
  const operationsFile = new URL("../../src/nn/ops.ts", import.meta.url);
  const ofOps = [...exportsOf(operationsFile), ...partsOf(operationsFile).flatMap(declaredIn)];

  it("is the list in this test; change both, and CHANGELOG.md", () => {
    expect(
      all
        .filter((e) => !e.isType)
        .map((e) => e.name)
        .sort(),
    ).toEqual(values);
    expect(
      all
        .filter((e) => e.isType)
        .map((e) => e.name)
        .sort(),
    ).toEqual(types);
  });

  it("has these operations in `ops`", () => {
    expect(ofOps.map(({ name }) => name).sort()).toEqual(operations);
  });

  it("is all in webgpu-rnn/static, by the entries", () => {
    const reexports = parse(new URL("../../src/all.ts", import.meta.url))
      .statements.map((statement) => statement.getText())
      .filter((text) => text.startsWith("export"));
    expect(reexports).toEqual([
      'export * from "./index.ts";',
      ...Object.keys(further).map((name) => `export * from "./${name}.ts";`),
      'export * as ops from "./ops.ts";',
    ]);
  });

  it.each(ofEntries)("has these names in webgpu-rnn/%s", (entry, found) => {
    const namesOf = (types: boolean) =>
      found
        .filter(({ isType }) => isType === types)
        .map(({ name }) => name)
        .sort();
    expect({ values: namesOf(false), types: namesOf(true) }).toEqual(further[entry]);
  });

  it("has no class of modules that saveModel and loadModel do not know", () => {
    const classes = Object.entries(everything).filter(([, value]) => typeof value === "function" && value.prototype instanceof Module);
    expect(Object.fromEntries(classes)).toEqual(layers);
  });

  it("is explained, name by name, where it is declared", () => {
    expect(
      [...all, ...ofEntries.flatMap(([, found]) => found), ...ofOps]
        .filter((e) => !isExplained(e))
        .map((e) => `${e.name} in ${e.from.pathname.split("/src/")[1]}`),
    ).toEqual([]);
  });
});
