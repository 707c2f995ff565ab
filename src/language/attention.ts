import { checkChoice, checkCount, checkInteger, RnnError } from "../errors.ts";
import { takeOptions } from "../options.ts";
import { checkCall, type Context } from "../nn/context.ts";
import { uniform } from "../nn/initializers.ts";
import { anySeed, Module } from "../nn/module.ts";
import * as ops from "../nn/ops.ts";
import { Parameter } from "../nn/parameter.ts";
import type { Variable } from "../autodiff/tape.ts";
import { checkShape } from "../tensor/shape.ts";

/**
 * The score of a query and a row of the memory: `additive` (Bahdanau et al. 2015), `dot` or `general` (Luong et al.
 * 2015).
 */
export type Score = "additive" | "dot" | "general";

/** A memory that is prepared for queries; letters as in `Attention`. */
export interface AttentionMemory {
  /** [B, S, M] */
  readonly values: Variable;
  /** The keys that queries are compared with: [B, S, Q], or [B, S, A] for the additive score. */
  readonly keys: Variable;
  /** [B, 1, S]: 1 within a row, 0 past its end; undefined if all rows are complete. */
  readonly mask: Variable | undefined;
}

/**
 * Attention: for each query q the mean of the memory's rows m_s, weighted by softmax_s score(q, m_s), with
 * score = v·tanh(W_q·q + W_m·m_s) (additive), q·m_s (dot) or q·W·m_s (general). Rows past a memory's end get no weight.
 *
 * Letters: S steps of the memory, T of the queries, B rows of the batch, Q, M and A features of query, memory and score.
 * Parameters: `weight_query` [A, Q], `weight_memory` [A, M] and `v` [A] (additive), `weight` [Q, M] (general), each from
 * U(-1/√inputs, 1/√inputs). Input: queries [T, B, Q]; further inputs `memory` [S, B, M] and, where rows differ in
 * length, `mask` [B, S]. Output [T, B, M]; further output `weights` [B, T, S].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the inputs do not fit
 */
export class Attention extends Module {
  readonly score: Score;
  private readonly features: number;

  constructor(
    readonly querySize: number,
    readonly memorySize: number,
    given: { score?: Score; features?: number; seed?: number } = {},
  ) {
    super();
    checkInteger("Attention", "querySize", querySize, 1);
    checkInteger("Attention", "memorySize", memorySize, 1);
    const options = takeOptions("Attention", given, ["score", "features", "seed"]);
    this.score = checkChoice<Score>("Attention", "score", options.score ?? "general", ["additive", "dot", "general"]);
    this.features = checkInteger("Attention", "features", options.features ?? querySize, 1);
    checkCount("Attention", "its weights", this.score === "additive" ? this.features * (querySize + memorySize) : querySize * memorySize);
    if (options.features !== undefined && this.score !== "additive")
      throw new RnnError("option", "Attention", `features belong to the score "additive", got "${this.score}"`);
    if (this.score === "dot" && querySize !== memorySize)
      throw new RnnError(
        "option",
        "Attention",
        `the score "dot" needs queries and memory of one size, got ${querySize} and ${memorySize}; use "general"`,
      );
    if (this.score === "general") this.addParameter("weight", new Parameter([querySize, memorySize], uniform(1 / Math.sqrt(memorySize))));
    if (this.score === "additive") {
      this.addParameter("weight_query", new Parameter([this.features, querySize], uniform(1 / Math.sqrt(querySize))));
      this.addParameter("weight_memory", new Parameter([this.features, memorySize], uniform(1 / Math.sqrt(memorySize))));
      this.addParameter("v", new Parameter([this.features], uniform(1 / Math.sqrt(this.features))));
    }
    this.initialize(options.seed ?? anySeed());
  }

  override describe(): readonly unknown[] {
    const { querySize, memorySize, score, features } = this;
    return [querySize, memorySize, { score, ...(score === "additive" && { features }) }];
  }

  override get saysBatchFirst(): boolean {
    return false;
  }

  override get furtherInputs(): Readonly<Record<string, undefined>> {
    return { memory: undefined, mask: undefined };
  }

  forward(context: Context, query: Variable): Variable {
    checkCall("Attention", context, query);
    const memory = context.further("memory");
    if (!memory) throw new RnnError("option", "Attention", 'needs the further input "memory" [steps, batch, features]');
    return this.attend(context, query, this.prepare(context, memory, context.further("mask")));
  }

  /** Computes what does not depend on queries, from `memory` [S, B, M] and `mask` [B, S]. */
  prepare(context: Context, memory: Variable, mask?: Variable): AttentionMemory {
    checkShape("Attention", "memory", memory.shape, ["steps", "batch", this.memorySize]);
    const [S, B] = memory.shape;
    if (mask) checkShape("Attention", "mask", mask.shape, [B, S]);
    const weight = this.score === "dot" ? undefined : context.parameter(this.score === "general" ? "weight" : "weight_memory");
    // A search keeps its memory, and computes this once for all steps.
    return context.tape.recording.derive([memory.view, ...(weight ? [weight.view] : [])], () => {
      const values = ops.permute(context, memory, [1, 0, 2]);
      const keys = weight ? ops.linear(context, values, weight) : values;
      return { values, keys, mask: mask && ops.reshape(context, mask, [B, 1, S]) };
    });
  }

  /** The weighted means for queries [T, B, Q], as [T, B, M]; emits `weights`. */
  attend(context: Context, query: Variable, { values, keys, mask }: AttentionMemory): Variable {
    const [B] = values.shape;
    checkShape("Attention", "query", query.shape, ["steps", B, this.querySize]);
    const queries = ops.permute(context, query, [1, 0, 2]);
    const weights = ops.softmax(context, this.scores(context, queries, keys), { mask });
    context.emit("weights", weights);
    return ops.permute(context, ops.matmul(context, weights, values), [1, 0, 2]);
  }

  /** [B, T, S] */
  private scores(context: Context, queries: Variable, keys: Variable): Variable {
    if (this.score !== "additive") return ops.matmul(context, queries, keys, { transposeB: true });
    const [B, T] = queries.shape;
    const [, S, A] = keys.shape;
    const projected = ops.linear(context, queries, context.parameter("weight_query"));
    const both = ops.add(context, ops.reshape(context, projected, [B, T, 1, A]), ops.reshape(context, keys, [B, 1, S, A]));
    const v = ops.reshape(context, context.parameter("v"), [1, A]);
    return ops.reshape(context, ops.linear(context, ops.tanh(context, both), v), [B, T, S]);
  }
}
