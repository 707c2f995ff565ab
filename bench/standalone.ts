/**
 * The bench on a machine without this repository: what `npm run bench -- --bundle DIR` puts into DIR, where run.sh
 * starts it. The same options, and `--pytorch`, which lets pytorch.py add its rows.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { benchInNode, reportText } from "./node.ts";
import { exitCode, parseOptions, tell } from "./options.mjs";
import type { PlanOptions } from "./plan.ts";
import type { Report } from "./report.ts";

const folder = dirname(fileURLToPath(import.meta.url));

/** The report with PyTorch's rows for the same cases, or with the reason why there are none. */
async function withPytorch(report: Report, plan: PlanOptions): Promise<Report> {
  const temporary = await mkdtemp(join(tmpdir(), "bench-"));
  const file = join(temporary, "report.json");
  try {
    await writeFile(file, JSON.stringify(report));
    const args = [join(folder, "pytorch.py"), "--merge", file, ...(plan.seconds === undefined ? [] : ["--seconds", String(plan.seconds)])];
    await promisify(execFile)(process.env.PYTHON ?? "python3", args, { maxBuffer: 1 << 26 });
    return JSON.parse(await readFile(file, "utf8")) as Report;
  } catch (error) {
    const reason =
      String((error as { stderr?: string }).stderr ?? error)
        .trim()
        .split("\n")
        .at(-1) ?? "unknown";
    return { ...report, absent: [...report.absent, { library: "pytorch", backend: "", case: "", kind: "skipped", reason }] };
  } finally {
    await rm(temporary, { recursive: true });
  }
}

async function main(): Promise<void> {
  const { plan, json, peers, pytorch } = parseOptions(process.argv.slice(2));
  const machine = `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores`;
  const own = await benchInNode(plan, { peersFolder: join(folder, "peers"), all: peers, machine, onEvent: tell });
  const report = pytorch ? await withPytorch(own, plan) : own;
  console.log(reportText(report));
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  process.exit(exitCode(report));
}

main().catch((error: unknown) => {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(1);
});
