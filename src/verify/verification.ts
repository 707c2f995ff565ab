/** Does the work of `verify`: a training step command by command, then its kernels case by case. */
import type { Backend } from "../backend/backend.ts";
import { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import { RnnError } from "../errors.ts";
import { recordToken, tokenPlan } from "../generate/sampling.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { lossSum } from "../kernels/losses.ts";
import type { Module } from "../nn/module.ts";
import type { Recording } from "../recording/recording.ts";
import { planOf, type LayerOptions, type TakenInputs } from "../session/plan.ts";
import { Session } from "../session/session.ts";
import type { Tolerance } from "../backend/self-test/compare.ts";
import { casesOf } from "../backend/self-test/kernel-cases.ts";
import { checkKernel } from "../backend/self-test/kernel-check.ts";
import { checkStep, PrivateStep, type StepParts } from "./step-check.ts";
import type { Finding, Report } from "./verify.ts";

/** The arguments of `verify`, checked. */
interface Settings {
  readonly tolerance: Tolerance;
  readonly training: boolean;
  readonly layerOptions: LayerOptions;
  readonly parts: StepParts;
}

/** @see verify */
export async function runVerification(
  model: Module,
  inputs: TakenInputs,
  backend: Backend,
  { tolerance, training, layerOptions, parts }: Settings,
): Promise<Report> {
  const { plan, data } = planOf(inputs, { training, differentiates: true, ...layerOptions });
  const twins = await CpuBackend.create({ wasm: false, reason: "verification" });
  // Copies of one moment, which training in progress cannot change.
  const values = await model.stateDict();
  const [device, twin] = [backend, twins].map((on) => new PrivateStep(model, on, parts, values));
  const findings = new Findings();
  try {
    for (const one of [device, twin]) {
      await one.prepare(plan, data, backend);
      one.begin();
    }
    for (const { length, ...found } of await checkStep(device, twin, tolerance)) findings.add(found, length);
    for (const kernel of await kernelsOf(model, device.program.recording, backend)) {
      const cases = casesOf(kernel);
      findings.cases += cases.length;
      for (const { length, ...found } of await checkKernel(backend, kernel, cases, tolerance))
        findings.add({ command: -1, kernel: kernel.name, ...found }, length);
    }
    return findings.report(backend.adapter, device.commands.length);
  } finally {
    device.free();
    twin.free();
  }
}

/** Each kernel of a training step, of evaluation, and of generation if the model can be generated from. */
async function kernelsOf(model: Module, step: Recording, backend: Backend): Promise<Kernel[]> {
  const recordings = [step, ...(await generation(model, backend))];
  const dispatched = recordings.flatMap(({ commands }) =>
    commands.flatMap((command) => (command.kind === "dispatch" ? [command.kernel] : [])),
  );
  return [...new Map([...dispatched, lossSum as unknown as Kernel].map((kernel) => [kernel.name, kernel])).values()];
}

async function generation(model: Module, backend: Backend): Promise<Recording[]> {
  if (model.idCount === undefined) return [];
  try {
    const session = Session.apart(model, backend);
    return [(await session.record(tokenPlan(model, [[0]]), (context) => recordToken(context, model.idCount!))).recording];
  } catch (error) {
    // `generate` refuses this model: it does not have one logit per id, or it has further inputs.
    if (error instanceof RnnError) return [];
    throw error;
  }
}

/** The worst finding for each kernel and buffer, from the step and from the cases. */
class Findings {
  cases = 0;
  private compared = 0;
  private readonly worst = new Map<string, Finding>();

  add(found: Finding, length: number): void {
    this.compared += length;
    const key = `${found.kernel} ${found.buffer} ${found.case === undefined}`;
    const known = this.worst.get(key);
    if (!known || (known.firstBadIndex < 0 && (found.firstBadIndex >= 0 || found.worstDifference > known.worstDifference)))
      this.worst.set(key, found);
  }

  report(adapter: string, commands: number): Report {
    const { cases, compared } = this;
    const findings = [...this.worst.values()].sort(
      (a, b) => Number(b.firstBadIndex >= 0) - Number(a.firstBadIndex >= 0) || placeOf(a) - placeOf(b),
    );
    const bad = findings.filter((f) => f.firstBadIndex >= 0).length;
    const passed = bad === 0;
    const head = `${adapter}: ${passed ? "every buffer agrees with its twin" : bad === 1 ? "1 buffer differs from its twin" : `${bad} buffers differ from their twins`} (${commands} commands, ${cases} cases, ${compared} numbers)`;
    return { passed, adapter, commands, cases, compared, findings, toString: () => [head, ...findings.map(lineOf)].join("\n") };
  }
}

/** The step's commands in their order, then the cases. */
const placeOf = ({ command }: Finding): number => (command < 0 ? Infinity : command);

function lineOf(f: Finding): string {
  const what = f.firstBadIndex < 0 ? "agrees" : `differs at index ${f.firstBadIndex}: ${f.device} on the device, ${f.twin} by the twin`;
  const where = f.case === undefined ? "" : f.firstBadIndex < 0 ? " (cases)" : ` (${f.case})`;
  return `  ${f.kernel} -> ${f.buffer}: ${what}; worst difference ${f.worstDifference.toExponential(2)}${where}`;
}
