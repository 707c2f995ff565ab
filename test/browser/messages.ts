// The messages from the page to the lane.
export type Message =
  | { readonly kind: "adapter"; readonly adapter: string | null; readonly software: boolean }
  | { readonly kind: "start"; readonly name: string }
  | { readonly kind: "result"; readonly name: string; readonly state: "pass" | "fail" | "skip"; readonly errors: readonly string[] }
  /** All tests of a file have been reported. */
  | { readonly kind: "file"; readonly path: string; readonly tests: number; readonly milliseconds: number }
  | { readonly kind: "done" };
