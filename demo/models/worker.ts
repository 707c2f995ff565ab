/** The worker of the models page: reads a model, runs it, compares, verifies and writes it. */
import { createBackend, RnnError, verify } from "webgpu-rnn";
import { readModel } from "../../scripts/import/read-model.ts";
import { writeModel, writeOnnx } from "../../scripts/import/write-model.ts";
import { Device, problemOf, RequestQueue } from "../worker-parts.ts";
import type { ExportFormat, Reply, Request } from "./messages.ts";
import { Runner } from "./runner.ts";

const device = new Device({
  ready: (report) => reply({ kind: "backend", ...report }),
  lost: (error) => reply({ kind: "problem", problem: problemOf("run", error) }),
});
const queue = new RequestQueue<Request>();
let runner: Runner | undefined;
let hasBackend = false;

addEventListener("message", ({ data }: MessageEvent<Request>) => queue.add(data));

void queue.serve(async (request) => {
  try {
    await handle(request);
  } catch (error) {
    reply({ kind: "problem", problem: problemOf(request.kind, error) });
  }
  reply({ kind: "done" });
});

function opened(): Runner {
  if (!runner) throw new RnnError("option", "Run", "no model has been opened yet");
  return runner;
}

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "backend": {
      runner = await device.exchange(request.choice, (fresh) => runner?.on(fresh));
      hasBackend = true;
      return;
    }
    case "open": {
      if (!hasBackend) await handle({ kind: "backend", choice: request.choice });
      const { files, constants } = request;
      const imported = await readModel(files, Object.keys(constants).length > 0 ? constants : undefined);
      runner = await Runner.create(Object.keys(files)[0], imported, device.backend);
      reply({ kind: "model", model: runner.info });
      return run({ kind: "sample" });
    }
    case "run":
      return run(request.source);
    case "compare":
      return compare();
    case "verify": {
      const { imported, inputs } = opened();
      const report = await verify(imported.model, inputs, { backend: device.backend });
      const { passed, adapter, commands, compared } = report;
      const findings = report.findings.map((finding) => ({ ...finding }));
      return reply({ kind: "verify", report: { passed, adapter, commands, compared, findings, text: report.toString() } });
    }
    case "export":
      return write(request.as);
  }
}

async function run(source: Parameters<Runner["run"]>[0]): Promise<void> {
  reply({ kind: "run", report: await opened().run(source) });
}

async function compare(): Promise<void> {
  const other = await createBackend(device.backend.kind === "cpu" ? "webgpu" : "cpu");
  try {
    reply({ kind: "compare", report: await opened().compare(other) });
  } finally {
    other.destroy();
  }
}

async function write(as: ExportFormat): Promise<void> {
  const { name, imported } = opened();
  const { file, problem } = as === "onnx" ? { file: await writeOnnx(imported), problem: "" } : await writeModel(imported.model);
  reply({ kind: "export", file, problem, name: `${name.replace(/\.[^.]*$/, "")}.${as}` }, [file.buffer]);
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}
