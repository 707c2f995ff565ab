/** The buttons that start and stop things: which are there in which state. */
import { block, button, say } from "./dom.ts";

/** `empty`: no model yet; `starting`: waiting for the worker. */
export type State = "loading" | "empty" | "starting" | "training" | "pausing" | "paused";

const words: Readonly<Record<State, string>> = {
  loading: "Loading…", empty: "Ready", starting: "Getting ready…", training: "Preparing the kernels…", pausing: "Finishing this step…", paused: "Paused",
};

export class Controls {
  state: State = "loading";
  /** Whether the training was stopped rather than paused, so that settings for another may be chosen. */
  unlocked = false;
  onChange: (state: State) => void = () => undefined;
  private stopping = false;
  private isChecking = false;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(on: { start: () => Promise<void>; pause: () => void; resume: () => Promise<void>; kill: () => void }) {
    const end = (stopping: boolean): void => {
      this.stopping = stopping;
      if (this.state === "paused") return this.set("paused");
      this.set("pausing");
      on.pause();
    };
    button("start").addEventListener("click", () => void on.start());
    button("resume").addEventListener("click", () => void on.resume());
    button("pause").addEventListener("click", () => end(false));
    button("stop").addEventListener("click", () => end(true));
    button("kill").addEventListener("click", () => on.kill());
  }

  set(state: State): void {
    this.state = state;
    if (state === "training") this.stopping = false;
    this.unlocked = state === "paused" && this.stopping;
    const paused = state === "paused";
    const running = state === "training" || state === "pausing";
    const start = button("start");
    start.hidden = running || (paused && !this.unlocked);
    start.disabled = state === "loading" || state === "starting";
    start.textContent = paused ? "Train a new one" : "Train";
    button("pause").hidden = !running;
    button("pause").disabled = state === "pausing";
    button("resume").hidden = !paused;
    button("kill").hidden = true;
    clearTimeout(this.patience);
    // Steps of a large network on a slow device can take many seconds.
    if (state === "pausing") this.patience = setTimeout(() => (button("kill").hidden = false), 1500);
    button("stop").hidden = !running && (!paused || this.unlocked);
    for (const id of ["sample", "download"]) button(id).disabled = state !== "training" && !paused;
    button("verify").disabled = state === "loading" || state === "starting" || this.isChecking;
    say(block("status"), this.unlocked ? "Stopped" : words[state]);
    block("status").dataset.state = state;
    this.onChange(state);
  }

  /** Steps come; `seconds` is what one takes, NaN while that is not known. */
  stepped(seconds: number): void {
    const text = seconds > 1 ? `Training: ${seconds.toFixed(1)} s a step; a smaller network is quicker` : "Training";
    if (this.state === "training") say(block("status"), text);
  }

  set checking(value: boolean) {
    this.isChecking = value;
    const check = button("verify");
    check.disabled = value;
    check.textContent = value ? "Checking…" : "Check my device";
  }
}
