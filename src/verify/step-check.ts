/** One training step of a model on two backends, command by command. */
import type { Backend, DeviceBuffer, Program } from "../backend/backend.ts";
import type { Loss } from "../losses/loss.ts";
import type { ElementType } from "../kernels/kernel.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { usesOf, type Buffer, type Command, type View } from "../recording/recording.ts";
import type { RecordingPlan, RunContext } from "../session/run-context.ts";
import type { Prepared } from "../session/recordings.ts";
import { Session } from "../session/session.ts";
import { checkShape, sizeOf, type Shape } from "../tensor/shape.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { OptimizerState, type Update } from "../train/optimizer-state.ts";
import { compareArrays, type Comparison, type Tolerance } from "../backend/self-test/compare.ts";

/** The parts of a training step. */
export interface StepParts {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Generated if undefined; if the loss `ignores` -100, some of them are ignored. */
  readonly targets: Tensor | undefined;
  readonly ignores: boolean;
}

/** One buffer after one command. */
export interface StepFinding extends Comparison {
  readonly command: number;
  readonly kernel: string;
  readonly buffer: string;
  readonly length: number;
}

/** Both limits are small enough that ordinary gradients exceed them. */
const clipping = { clipNorm: 0.1, clipValue: 0.01 };

/** A training step of a model on one backend, with separate parameters, gradients and optimiser's state. */
export class PrivateStep {
  private readonly session: Session;
  private readonly state: OptimizerState;
  private readonly memory = new Map<string, DeviceBuffer>();
  private prepared: Prepared | undefined;
  private inputs: Record<string, NumericArray> = {};
  private updateLength = 0;
  private recorded: Update | undefined;

  /** @param values the parameters that the step begins with */
  constructor(
    model: Module,
    readonly backend: Backend,
    private readonly parts: StepParts,
    values: Readonly<Record<string, Tensor<FloatArray>>>,
  ) {
    this.session = Session.apart(model, backend, values);
    this.state = new OptimizerState(parts.optimizer, this.session, clipping);
  }

  /** @param suited the backend for whose device ops choose kernels */
  async prepare(plan: RecordingPlan, data: Readonly<Record<string, NumericArray>>, suited: Backend): Promise<void> {
    const memoryFor = (label: string, buffer: Buffer): DeviceBuffer => {
      const made = this.state.memoryFor(label, buffer);
      this.memory.set(label, made);
      return made;
    };
    this.prepared = await this.session.make(plan, (context) => this.record(context), memoryFor, { keepAll: true }, suited);
    this.inputs = { ...this.inputs, ...data, ...this.prepared.context.stepInputs(1, 1) };
  }

  /** Resets the optimiser's state to the start of a run. */
  begin(): void {
    this.state.begin();
  }

  get program(): Program {
    return this.prepared!.program;
  }

  get commands(): readonly Command[] {
    return this.program.recording.commands;
  }

  /** Index of the command where the update begins: norm, clipping, optimiser. */
  get update(): number {
    return this.commands.length - this.updateLength;
  }

  /** Inputs that the host writes before the update of step `step`; before the first one, all inputs. */
  inputsOf(step: number): Record<string, NumericArray> {
    return { ...(step === 0 ? this.inputs : {}), ...this.state.controls({ ...this.recorded!, counts: [step] }, step) };
  }

  /** Makes the loss count as infinite from now on. */
  async spoil(): Promise<void> {
    const norm = this.memory.get("norm")!;
    this.backend.write(
      norm,
      (await this.backend.read(norm)).map((value, i) => (i === 2 ? 0 : value)),
    );
  }

  free(): void {
    this.prepared?.program.free();
    for (const buffer of this.memory.values()) this.backend.free(buffer);
    this.session.store.free();
  }

  /** Forward pass, loss with mask and targets, backward pass from it and from all final states, update. */
  private record(context: RunContext): void {
    const { recording, tape, output } = context;
    const { loss } = this.parts;
    // Found by the label that the recording gave it, because the model may have a buffer of that name.
    const input = (label: string, shape: Shape, data: NumericArray, type: ElementType = "f32"): View => {
      const view = recording.buffer(label, shape, "input", type);
      this.inputs[view.buffer.label] = data;
      return view;
    };
    recording.clearFirst(context.gradients);
    const shape = loss.targetShape(output.shape);
    const mask = Float32Array.from({ length: sizeOf(shape) }, (_, i) => [1, 0.5, 1, 0][i % 4]);
    const targets = this.targetsFor(output.shape, shape);
    const normalizer = input("normalizer", [2], loss.normalizer(targets, mask));
    const losses = loss.record(tape, output, input("targets", shape, targets, loss.targetType), input("mask", shape, mask), normalizer);
    for (const [path, { final }] of context.states)
      final.forEach((v, i) => tape.seed(v, input(`cotangent.${path}.${i}`, v.shape, cotangent(sizeOf(v.shape)))));
    tape.backward();
    const before = recording.commands.length;
    this.state.record(context, losses, normalizer, (this.recorded = this.state.nextUpdate()));
    this.updateLength = recording.commands.length - before;
  }

  private targetsFor(prediction: Shape, shape: Shape): NumericArray {
    const { targets, loss, ignores } = this.parts;
    if (targets !== undefined) {
      checkShape(loss.name, "targets", targets.shape, shape);
      loss.checkTargets(targets.data, prediction);
      return targets.data;
    }
    const size = sizeOf(shape);
    if (loss.targetType === "f32") return Float32Array.from({ length: size }, (_, i) => 0.5 + 0.5 * Math.sin(2 + 0.9 * i));
    const classes = prediction[prediction.length - 1];
    return Int32Array.from({ length: size }, (_, i) => (ignores && i % 5 === 4 ? -100 : (i * 3 + 1) % classes));
  }
}

/** Numbers that differ from element to element, so that swapped elements are noticed. */
function cotangent(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(1 + 0.7 * i));
}

/**
 * Runs commands on both backends, compares the buffers that each command writes, and gives the device the twins'
 * values.
 */
export async function checkStep(device: PrivateStep, twin: PrivateStep, tolerance: Tolerance): Promise<StepFinding[]> {
  const findings: StepFinding[] = [];
  const run = async (first: number, step: number): Promise<void> => {
    for (let i = first; i < device.commands.length; i++) {
      const [ofDevice, ofTwin] = [device, twin].map((one) => (i === first ? one.inputsOf(step) : undefined));
      await device.program.runSlice(i, i + 1, ofDevice);
      await twin.program.runSlice(i, i + 1, ofTwin);
      for (const view of usesOf(device.commands[i]).writes) findings.push(await compareView(device, twin, i, view, tolerance));
    }
  };
  await run(0, 0);
  await run(device.update, 1);
  await Promise.all([device.spoil(), twin.spoil()]);
  await run(device.update, 2);
  return findings;
}

async function compareView(device: PrivateStep, twin: PrivateStep, index: number, view: View, tolerance: Tolerance): Promise<StepFinding> {
  const command = device.commands[index];
  const deviceBuffer = device.program.bufferOf(view.buffer);
  // The same recording is made for both backends, so buffers correspond by position.
  const position = device.program.recording.buffers.indexOf(view.buffer);
  const twinBuffer = twin.program.bufferOf(twin.program.recording.buffers[position]);
  const length = Math.max(1, sizeOf(view.shape));
  const got = await device.backend.read(deviceBuffer, view.offset, length);
  const expected = await twin.backend.read(twinBuffer, view.offset, length);
  device.backend.write(deviceBuffer, expected, view.offset);
  return {
    command: index,
    kernel: command.kind === "dispatch" ? command.kernel.name : command.kind,
    buffer: view.buffer.label,
    length,
    ...compareArrays(got, expected, tolerance),
  };
}
