/** Measures how far gradients reach back through time. */
import type { Backend } from "../backend/backend.ts";
import type { BatchLike } from "../data/batch.ts";
import { checkInteger, RnnError, show } from "../errors.ts";
import { checkLoss, takeMask, takeTargets, type Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import type { Variable } from "../autodiff/tape.ts";
import { unrolled, type LaneStates } from "../recurrent/unrolled.ts";
import { takeOptions } from "../options.ts";
import { planOf, takeInputs, type TakenInputs } from "../session/plan.ts";
import type { RunContext } from "../session/run-context.ts";
import { whileReading } from "../session/reading.ts";
import { Session } from "../session/session.ts";
import { checkShape, sizeOf, type Shape } from "../tensor/shape.ts";
import { integers, takeList, type Numbers, type TensorLike } from "../tensor/take.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";

/** A batch, and initial states by path if they are not zero. */
export type FlowBatch = BatchLike & { readonly state?: Readonly<Record<string, TensorLike>> };

/** How strongly the loss of each time step depends on the state of each time step. */
export interface GradientFlow {
  /** The time steps t, counted from 1, whose losses were differentiated: the rows of the matrices. */
  at: number[];
  /**
   * ‖∂E_t/∂h_k‖, the mean over the rows of the batch that have step t, as [rows, steps + 1]: column k is the state after
   * step k, column 0 the initial state. By layer and direction: `rnn.l0.h`, `rnn.l0_reverse.h`; of an LSTM `rnn.l0.c` too.
   */
  norms: Record<string, Tensor<FloatArray>>;
}

/** Time steps, over all rows, that are computed at once; more would only take more memory. */
const mostSteps = 8192;

/** The batch `times` times, side by side along `axis`. */
function tiled<A extends NumericArray>({ shape, data }: Tensor<A>, axis: number, times: number): Tensor<A> {
  const inner = sizeOf(shape.slice(axis));
  const result = new (data.constructor as new (length: number) => A)(data.length * times);
  for (let o = 0; o < data.length / inner; o++) {
    for (let i = 0; i < times; i++) result.set(data.subarray(o * inner, (o + 1) * inner), (o * times + i) * inner);
  }
  return { shape: shape.map((n, i) => (i === axis ? n * times : n)), data: result };
}

/**
 * The norms ‖∂E_t/∂h_k‖ for all steps t and k, E_t being the loss of a row at step t alone, with dropout off: the total
 * derivative, along all paths from h_k. Where gradients vanish they fade as t - k grows, where they explode they grow.
 *
 * Each time step is a separate op here, with h_k as its initial state, which has a gradient. The losses E_t are rows of
 * one larger batch, so one backward pass serves many of them.
 * @param options.at the time steps t whose losses are differentiated (default: all; the last one if the output has no
 * time steps)
 * @example const { norms } = await gradientFlow(model, data.batch(0), { backend, loss: crossEntropy() });
 * @throws RnnError `shape` or `data` if the batch does not fit the model, `option` if an option is unknown or out of
 * range, and for layers with batch normalisation or a projection
 */
export async function gradientFlow(
  model: Module,
  batch: FlowBatch,
  given: { backend: Backend; loss: Loss; at?: Numbers },
): Promise<GradientFlow> {
  const options = takeOptions("gradientFlow", given, ["backend", "loss", "at"], { needed: true });
  const { input, lengths, stepMask, further, state, targets, mask } = takeOptions(
    "batch",
    batch,
    ["input", "further", "lengths", "stepMask", "targets", "mask", "startsSequence", "state"],
    { needed: true },
  );
  const { loss } = options;
  checkLoss("gradientFlow", loss);
  const session = Session.of(model, options.backend);
  const inputs = takeInputs(model, { input, lengths, stepMask, further, state });
  const taken = { inputs, targets: takeTargets(loss, targets), mask: mask === undefined ? undefined : takeMask(loss, mask) };
  const asked = options.at === undefined ? undefined : Array.from(takeList("gradientFlow", "at", options.at, integers, "a list of steps"));
  if (inputs.input.shape.length < 2)
    throw new RnnError("shape", "gradientFlow", `input must have steps and a batch, got [${inputs.input.shape.join(", ")}]`);
  // The shape of the output is known only after recording.
  const {
    output: { shape },
  } = await session.record(planOf(inputs, planned).plan, () => undefined);
  const targetShape = loss.targetShape(shape);
  checkShape(loss.name, "targets", taken.targets.shape, targetShape);
  if (taken.mask) checkShape(loss.name, "mask", taken.mask.shape, targetShape);
  loss.checkTargets(taken.targets.data, shape);
  const flow = new Flow(session, taken, loss, shape);
  const at = checkedSteps(asked, flow.outputSteps, flow.steps);
  return { at, norms: await flow.norms(at) };
}

function checkedSteps(given: readonly number[] | undefined, outputSteps: number | undefined, steps: number): number[] {
  if (outputSteps === undefined) {
    if (given !== undefined)
      throw new RnnError("option", "gradientFlow", "at chooses between steps of the output, and this model's has none");
    return [steps];
  }
  if (given === undefined) return Array.from({ length: outputSteps }, (_, t) => t + 1);
  if (given.length === 0) throw new RnnError("option", "gradientFlow", `at must be a list of at least one step, got ${show(given)}`);
  return given.map((t) => checkInteger("gradientFlow", "at", t, 1, outputSteps));
}

const planned = { differentiates: true, strategy: "step" } as const;

/** Checked copies of the arguments, as they were at the moment of the call. */
interface TakenFlow {
  readonly inputs: TakenInputs;
  readonly targets: Tensor;
  readonly mask: Tensor | undefined;
}

/** The gradient flow of one batch through one model. */
class Flow {
  readonly steps: number;
  /** Time steps of the model's output; undefined if it has none. */
  readonly outputSteps: number | undefined;
  private readonly batch: number;
  private readonly batchAxis: 0 | 1;

  constructor(
    private readonly session: Session,
    private readonly given: TakenFlow,
    private readonly loss: Loss,
    output: Shape,
  ) {
    this.batchAxis = session.model.batchFirst ? 0 : 1;
    const { shape } = given.inputs.input;
    this.batch = shape[this.batchAxis];
    this.steps = shape[1 - this.batchAxis];
    this.outputSteps = output.length > 2 ? output[1 - this.batchAxis] : undefined;
  }

  /** The batch `times` times, as inputs. */
  private planOf(times: number): ReturnType<typeof planOf> {
    const { input, lengths, stepMask, further, state } = this.given.inputs;
    const each = (tensors: Readonly<Record<string, Tensor>>, axis: number): Record<string, Tensor> =>
      Object.fromEntries(Object.entries(tensors).map(([path, value]) => [path, tiled(value, axis, times)]));
    return planOf(
      {
        input: tiled(input, this.batchAxis, times),
        lengths: lengths && Uint32Array.from({ length: times * lengths.length }, (_, row) => lengths[row % lengths.length]),
        stepMask: stepMask && tiled(stepMask, 1, times),
        further: each(further, this.batchAxis),
        state: each(state, 1),
      },
      planned,
    );
  }

  /** Weights: in the t-th copy of the batch, the targets of E_t have 1 or their mask, all others 0. */
  private weights(shape: Shape, at: readonly number[]): Float64Array {
    const {
      batch,
      batchAxis,
      outputSteps,
      given: { mask },
    } = this;
    const result = new Float64Array(sizeOf(shape));
    const whole = mask && tiled(mask, outputSteps === undefined ? 0 : batchAxis, at.length);
    const [first, second] = outputSteps === undefined ? [shape[0], 1] : shape;
    const features = result.length / (first * second);
    for (let i = 0; i < result.length; i++) {
      const [outer, inner] = [Math.floor(i / (features * second)), Math.floor(i / features) % second];
      const [step, row] = outputSteps === undefined ? [0, outer] : batchAxis === 1 ? [outer, inner] : [inner, outer];
      if (outputSteps === undefined || at[Math.floor(row / batch)] === step + 1) result[i] = whole ? whole.data[i] : 1;
    }
    return result;
  }

  async norms(at: readonly number[]): Promise<GradientFlow["norms"]> {
    const {
      session,
      given: { targets },
      loss,
    } = this;
    const { backend } = session;
    const together = Math.min(at.length, Math.max(1, Math.floor(mostSteps / (this.steps * this.batch))));
    const { plan, data } = this.planOf(together);
    const lanes: LaneStates[] = [];
    const { context, program } = await session.make(
      { ...plan, inputGradient: false, recurrent: unrolled(data.lengths, (states) => lanes.push(states)) },
      (made) => record(made, loss, lanes),
    );
    try {
      if (lanes.length === 0) throw new RnnError("option", "gradientFlow", "needs a model with a recurrent layer");
      const shape = loss.targetShape(context.output.shape);
      const inputs = {
        ...data,
        targets: tiled(targets, this.outputSteps === undefined ? 0 : this.batchAxis, together).data,
        normalizer: Float64Array.of(1, 1),
        ...context.stepInputs(0, 0),
      };
      const norms: GradientFlow["norms"] = Object.fromEntries(
        seriesOf(lanes).map(({ path }) => [
          path,
          { shape: [at.length, this.steps + 1], data: backend.floats(at.length * (this.steps + 1)) },
        ]),
      );
      await whileReading([session], async (reading) => {
        for (let first = 0; first < at.length; first += together) {
          // The last round repeats its last time step to have the same shape.
          const round = Array.from({ length: together }, (_, i) => at[Math.min(first + i, at.length - 1)]);
          const { downloads } = await session.run(program, { ...inputs, mask: this.weights(shape, round) }, { reading });
          this.collect(norms, lanes, await downloads, round.slice(0, at.length - first), first);
        }
      });
      return norms;
    } finally {
      program.free();
    }
  }

  private collect(
    norms: GradientFlow["norms"],
    lanes: readonly LaneStates[],
    values: Readonly<Record<string, NumericArray>>,
    round: readonly number[],
    first: number,
  ): void {
    const {
      batch,
      given: {
        inputs: { lengths, stepMask },
      },
    } = this;
    for (const { path, states } of seriesOf(lanes)) {
      states.forEach(({ shape: [, H] }, k) => {
        const gradient = values[`d.${path}.${k}`] as NumericArray | undefined;
        round.forEach((t, i) => {
          let sum = 0;
          let rows = 0;
          for (let b = 0; b < batch; b++) {
            const has = stepMask ? stepMask.data[(t - 1) * batch + b] !== 0 : !lengths || lengths[b] >= t;
            if (this.outputSteps !== undefined && !has) continue;
            rows++;
            const row = i * batch + b;
            // Math.hypot, because squares of vanished or exploded values would not fit float64.
            if (gradient) sum += Math.hypot(...gradient.subarray(row * H, (row + 1) * H));
          }
          norms[path].data[(first + i) * (this.steps + 1) + k] = rows === 0 ? 0 : sum / rows;
        });
      });
    }
  }
}

/** h and c of each lane, by the names that the result uses. */
function seriesOf(lanes: readonly LaneStates[]): { path: string; states: Variable[] }[] {
  return lanes
    .flatMap(({ label, h, c }) => [
      { path: `${label}.h`, states: h },
      { path: `${label}.c`, states: c },
    ])
    .filter(({ states }) => states.length > 0);
}

function record({ recording, tape, output }: RunContext, loss: Loss, lanes: readonly LaneStates[]): void {
  const shape = loss.targetShape(output.shape);
  const targets = recording.buffer("targets", shape, "input", loss.targetType);
  loss.record(tape, output, targets, recording.buffer("mask", shape, "input"), recording.buffer("normalizer", [2], "input"));
  tape.backward();
  for (const { path, states } of seriesOf(lanes))
    states.forEach(({ gradient }, k) => gradient && recording.download(`d.${path}.${k}`, gradient));
}
