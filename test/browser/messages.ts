// What the page tells the lane.
export type Message =
  | { readonly kind: "adapter"; readonly adapter: string | null; readonly software: boolean }
  | { readonly kind: "start"; readonly name: string }
  | { readonly kind: "result"; readonly name: string; readonly state: "pass" | "fail" | "skip"; readonly errors: readonly string[] }
  | { readonly kind: "done" };
