// What an app can import: the list is kept here, so that nothing comes or goes unnoticed, and each entry is explained.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const values = [
  "Dropout", "Embedding", "GRU", "LSTM", "Linear", "LogSoftmax", "Module", "RNN", "ReLU", "RnnError", "Sequential", "Sigmoid", "Softmax", "Tanh",
  "TextData", "Trainer", "Vocabulary", "adam", "adamw", "binaryCrossEntropy", "calibrate", "chooseStrategy", "compose", "constant", "cosine", "createBackend", "crossEntropy",
  "decodeSafetensors", "encodeSafetensors", "explainStrategy", "forward", "generate", "generateTokens", "gradients", "lossAndGradient", "optimizerSteps", "plannedMemory", "rmsprop", "sgd",
  "squaredError", "stepDecay", "tensor", "verify",
];
const types = [
  "Backend", "BackendOptions", "Batch", "Cotangents", "DeviceProfile", "ErrorKind", "Evaluation", "Finding", "FloatArray", "LayerOptions", "LayerShape", "Loss", "MemoryUse", "ModelGradients", "ModelInputs", "ModelOutputs",
  "NumericArray", "Optimizer", "Progress", "RecurrentLayerOptions", "Report", "RunOptions", "SamplingOptions", "Schedule", "Shape", "StateDict", "Strategy", "StrategyChoice", "StrategyOption", "Tensor", "TensorFile", "TrainerOptions",
  "TrainingData", "VerifyOptions",
];

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
    return statement.exportClause.elements.map(({ name, isTypeOnly }) => ({ name: name.text, isType: isTypeOnly || statement.isTypeOnly, from }));
  });
}

/** Whether the declaration of this name has a comment of its own before it. */
function isExplained({ name, from }: Export): boolean {
  const source = parse(from);
  const declaration = source.statements.find((statement) => {
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.some((d) => d.name.getText() === name);
    return (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) && statement.name?.text === name;
  });
  return declaration !== undefined && ts.getJSDocCommentsAndTags(declaration).length > 0;
}

describe("the public interface", () => {
  const all = exportsOf(new URL("../../src/index.ts", import.meta.url));

  it("is the list in this test; change both, and CHANGELOG.md", () => {
    expect(all.filter((e) => !e.isType).map((e) => e.name).sort()).toEqual(values);
    expect(all.filter((e) => e.isType).map((e) => e.name).sort()).toEqual(types);
  });

  it("is explained, name by name, where it is declared", () => {
    expect(all.filter((e) => !isExplained(e)).map((e) => `${e.name} in ${e.from.pathname.split("/src/")[1]}`)).toEqual([]);
  });
});
