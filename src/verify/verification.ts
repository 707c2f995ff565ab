/** The work of `verify`: one recording on two backends, command by command. */
import type { Backend, Program } from "../backend/backend.ts";
import { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import type { Module } from "../nn/module.ts";
import { usesOf, type Command, type View } from "../recording/recording.ts";
import type { RunContext } from "../session/run-context.ts";
import { planOf, type LayerOptions, type TakenInputs } from "../session/plan.ts";
import { Session, type Prepared } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Finding, Report } from "./verify.ts";

/** What `verify` was asked for. */
interface Settings {
  readonly atol: number;
  readonly rtol: number;
  readonly training: boolean;
  readonly layerOptions: LayerOptions;
}

/** @see verify */
export async function runVerification(model: Module, inputs: TakenInputs, backend: Backend, { atol, rtol, training, layerOptions }: Settings): Promise<Report> {
  const { plan, data } = planOf(inputs, { training, differentiates: true, ...layerOptions });
  const twins = await CpuBackend.create({ wasm: false, reason: "verification" });
  const device = await make(model, backend);
  const twin = await make(model, twins);
  const runInputs: Record<string, NumericArray> = { ...data, ...device.context.stepInputs(1, 1) };
  try {
    const { commands } = device.program.recording;
    for (const [label, length] of device.cotangents) runInputs[label] = cotangent(length);
    const findings = new Map<string, Finding>();
    let compared = 0;
    for (let i = 0; i < commands.length; i++) {
      const first = i === 0 ? runInputs : undefined;
      await device.program.runSlice(i, i + 1, first);
      await twin.program.runSlice(i, i + 1, first);
      for (const view of usesOf(commands[i]).writes) {
        const twinView = correspondingView(twin.program, device.program, view);
        const found = await compare(i, commands[i], view, twinView);
        compared += sizeOf(view.shape);
        const key = `${found.kernel} ${found.buffer}`;
        const known = findings.get(key);
        if (!known || (known.firstBadIndex < 0 && (found.firstBadIndex >= 0 || found.worstDifference > known.worstDifference))) findings.set(key, found);
      }
    }
    return makeReport(backend.adapter, commands.length, compared, [...findings.values()]);
  } finally {
    device.program.free();
    twin.program.free();
  }

  async function make(of: Module, on: Backend): Promise<Prepared & { cotangents: [string, number][] }> {
    const session = Session.of(of, on);
    const cotangents: [string, number][] = [];
    const prepared = await session.make(plan, (context) => void cotangents.push(...recordAll(context)), undefined, { keepAll: true }, backend);
    await session.store.sync();
    return { ...prepared, cotangents };
  }

  async function compare(index: number, command: Command, view: View, twinView: View): Promise<Finding> {
    const deviceBuffer = device.program.bufferOf(view.buffer);
    const twinBuffer = twin.program.bufferOf(twinView.buffer);
    const length = Math.max(1, sizeOf(view.shape));
    const got = await backend.read(deviceBuffer, view.offset, length);
    const expected = await twins.read(twinBuffer, view.offset, length);
    backend.write(deviceBuffer, expected, view.offset);
    let worstDifference = 0;
    let firstBadIndex = -1;
    for (let i = 0; i < length; i++) {
      const difference = Math.abs(got[i] - expected[i]);
      // Written so that NaN is bad.
      if (!(difference <= atol + rtol * Math.abs(expected[i])) && firstBadIndex < 0) firstBadIndex = i;
      if (!(difference <= worstDifference)) worstDifference = difference;
    }
    return {
      command: index, kernel: command.kind === "dispatch" ? command.kernel.name : command.kind, buffer: view.buffer.label, worstDifference, firstBadIndex,
      ...(firstBadIndex < 0 ? {} : { device: got[firstBadIndex], twin: expected[firstBadIndex] }),
    };
  }
}

/** Records the backward pass from cotangents of the output and of all final states; returns their labels and lengths. */
function recordAll(context: RunContext): [string, number][] {
  const { recording, tape } = context;
  const cotangents: [string, number][] = [];
  const seed = (label: string, shape: readonly number[]): View => {
    cotangents.push([label, sizeOf(shape)]);
    return recording.buffer(label, shape, "input");
  };
  recording.clearFirst(context.gradients);
  tape.seed(context.output, seed("cotangent", context.output.shape));
  for (const [path, { final }] of context.states) final.forEach((v, i) => tape.seed(v, seed(`cotangent.${path}.${i}`, v.shape)));
  tape.backward();
  return cotangents;
}

/** Numbers that differ from element to element, so that swapped elements show. */
function cotangent(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(1 + 0.7 * i));
}

/** The same recording is made for both backends, so buffers correspond by position. */
function correspondingView(to: Program, from: Program, view: View): View {
  const position = from.recording.buffers.indexOf(view.buffer);
  return { ...view, buffer: to.recording.buffers[position] };
}

function makeReport(adapter: string, commands: number, compared: number, unsorted: Finding[]): Report {
  const findings = unsorted.sort((a, b) => Number(b.firstBadIndex >= 0) - Number(a.firstBadIndex >= 0) || a.command - b.command);
  const bad = findings.filter((f) => f.firstBadIndex >= 0);
  const passed = bad.length === 0;
  return {
    passed, adapter, commands, compared, findings,
    toString() {
      const head = `${adapter}: ${passed ? "every buffer agrees with its twin" : bad.length === 1 ? "1 buffer differs from its twin" : `${bad.length} buffers differ from their twins`} (${commands} commands, ${compared} numbers)`;
      const lines = findings.map((f) => {
        const what = f.firstBadIndex < 0 ? "agrees" : `differs at index ${f.firstBadIndex}: ${f.device} on the device, ${f.twin} by the twin`;
        return `  ${f.kernel} -> ${f.buffer}: ${what}; worst difference ${f.worstDifference.toExponential(2)}`;
      });
      return [head, ...lines].join("\n");
    },
  };
}

