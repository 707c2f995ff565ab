// `npm run mutants`: small changes to the sources, one at a time, each of which a test should notice (StrykerJS). What it
// lists as survived, no test noticed. Outside CI: a change that survives costs all tests that run the line.
export default {
  // What state is made of. Others: npm run mutants -- --mutate "src/nn/*.ts"
  mutate: ["src/train/*.ts", "src/session/*.ts", "src/optim/*.ts", "src/io/*.ts"],
  // Words of messages, which bad-input tests quote where they matter.
  mutator: { excludedMutations: ["StringLiteral"] },
  // Changes that act while modules are loaded would need a process each.
  ignoreStatic: true,
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "test/mutants/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  disableTypeChecks: false,
  ignorePatterns: ["/build", "/dist", "/bench", "/demo", "/docs"],
  tempDirName: "build/mutants",
  reporters: ["clear-text", "progress-append-only"],
  clearTextReporter: { logTests: false, allowColor: false, reportTests: false },
  // For a loop that never ends, not for a busy machine.
  timeoutMS: 120_000,
};
