import { checkCount, checkInteger } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { embedding } from "../autodiff/embedding.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkCall, type Context } from "./context.ts";
import { normal } from "./initializers.ts";
import { anySeed, Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/**
 * Maps each id to a row of `weight` [numEmbeddings, embeddingDim], as PyTorch's `nn.Embedding`. Weights are drawn from
 * N(0, 1).
 * Input: ids of any shape, from 0 to numEmbeddings - 1. Output: [...shape, embeddingDim].
 * @throws RnnError `option` if an argument is unknown or out of range
 */
export class Embedding extends Module {
  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    given: { seed?: number } = {},
  ) {
    super();
    checkInteger("Embedding", "numEmbeddings", numEmbeddings, 1);
    checkInteger("Embedding", "embeddingDim", embeddingDim, 1);
    const options = takeOptions("Embedding", given, ["seed"]);
    checkCount("Embedding", `weight [${numEmbeddings}, ${embeddingDim}]`, numEmbeddings * embeddingDim);
    this.addParameter("weight", new Parameter([numEmbeddings, embeddingDim], normal()));
    this.initialize(options.seed ?? anySeed());
  }

  override describe(): readonly unknown[] {
    return [this.numEmbeddings, this.embeddingDim];
  }

  override get idCount(): number {
    return this.numEmbeddings;
  }

  forward(context: Context, ids: Variable): Variable {
    checkCall("Embedding", context, ids);
    return embedding(context.tape, context.path + "embedding", ids, context.parameter("weight"));
  }
}
