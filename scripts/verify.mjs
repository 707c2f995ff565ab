// `npm run verify`: everything that can be known without a GPU, in seconds. Run it before every commit.
// The checks share no state, so they run side by side; each one's output is kept together.
import { spawn } from "node:child_process";
import { root } from "./bundle.mjs";
import { tool } from "./tool.mjs";

const checks = [
  ["types", tool("typescript-7", "tsc"), "--noEmit", "--incremental", "--tsBuildInfoFile", "build/types.tsbuildinfo"],
  ["lint", tool("eslint"), ".", "--max-warnings=0", "--cache", "--cache-location", "build/eslint/"],
  ["format", tool("prettier"), ".", "--check", "--log-level=warn", "--cache", "--cache-location", "build/prettier"],
  ["contract tests", tool("vitest"), "run", "test/contract"],
];

function check([name, file, ...args]) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: root,
      env: process.stdout.isTTY ? { ...process.env, FORCE_COLOR: "1" } : { ...process.env, NO_COLOR: "1" },
    });
    const output = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const text = Buffer.concat(output).toString().trim();
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
      if (text !== "" && (code !== 0 || name === "contract tests")) console.log(text + "\n");
      resolve(code === 0);
    });
  });
}

const passed = await Promise.all(checks.map(check));
process.exitCode = passed.every(Boolean) ? 0 : 1;
