/** Made by test/browser/lane.mjs while bundling: every device test file, by path. */
declare module "virtual:device-tests" {
  export const tests: Record<string, () => Promise<unknown>>;
}
