/** The buttons that start and stop things: which are there in which state. */
import { block, button, say } from "./dom.ts";

/** `empty`: no model yet; `starting`: waiting for the worker. */
export type State = "loading" | "empty" | "starting" | "training" | "pausing" | "paused";

const words: Readonly<Record<State, string>> = {
  loading: "Loading…",
  empty: "Ready",
  starting: "Getting ready…",
  training: "Preparing the kernels…",
  pausing: "Finishing this step…",
  paused: "Paused",
};

/** The button that continues from each state; it gets the focus when the pressed button disappears. */
const next: Readonly<Record<State, readonly string[]>> = {
  loading: [],
  empty: ["start"],
  starting: ["cancel", "start"],
  training: ["pause"],
  pausing: ["pause"],
  paused: ["resume", "start"],
};
const all = ["start", "pause", "resume", "stop", "kill", "cancel"] as const;

/** Milliseconds after which what the page waits for can be ended at once. */
const patience = 1500;

export class Controls {
  state: State = "loading";
  /** True if the training was stopped, not paused, so that other settings may be chosen. */
  unlocked = false;
  onChange: (state: State) => void = () => undefined;
  private stopping = false;
  private isChecking = false;
  /** What is being prepared, in words. */
  private about = "";
  private since = 0;
  private clock: ReturnType<typeof setInterval> | undefined;
  /** True once a step of this training was reported. */
  private hasStepped = false;

  constructor(on: { start: () => Promise<void>; pause: () => void; resume: () => Promise<void>; kill: () => void }) {
    const end = (stopping: boolean): void => {
      // The button keeps the focus while it waits, so it is not disabled.
      if (this.state === "pausing") return;
      this.stopping = stopping;
      if (this.state === "paused") return this.set("paused");
      this.set("pausing");
      on.pause();
    };
    button("start").addEventListener("click", () => this.canStart && void on.start());
    button("resume").addEventListener("click", () => void on.resume());
    button("pause").addEventListener("click", () => end(false));
    button("stop").addEventListener("click", () => end(true));
    for (const id of ["kill", "cancel"]) button(id).addEventListener("click", () => on.kill());
  }

  set(state: State): void {
    const focused = all.find((id) => button(id) === document.activeElement);
    if (state !== this.state) this.wait(state);
    this.state = state;
    if (state === "training") this.stopping = this.hasStepped = false;
    this.unlocked = state === "paused" && this.stopping;
    this.showButtons();
    for (const id of ["sample", "download"]) button(id).disabled = state !== "training" && state !== "paused";
    this.showCheck();
    this.showStatus();
    if (focused !== undefined) this.keepFocus(focused);
    this.onChange(state);
  }

  /** Steps come; `seconds` is what one takes, NaN while that is not known. */
  stepped(seconds: number, diverges = false): void {
    this.hasStepped = true;
    const slow = seconds > 1 ? `: ${seconds.toFixed(1)} s a step; a smaller network is quicker` : "";
    this.about = diverges ? "Training, but the loss diverges" : `Training${slow}`;
    this.showStatus();
  }

  /** Says what is being made ready. */
  prepares(about: string): void {
    this.about = about;
    this.showStatus();
  }

  set checking(value: boolean) {
    this.isChecking = value;
    this.showCheck();
    this.showStatus();
  }

  get checking(): boolean {
    return this.isChecking;
  }

  /** True if Train may be pressed. It keeps the focus while it may not. */
  private get canStart(): boolean {
    return this.state !== "loading" && this.state !== "starting";
  }

  private showButtons(): void {
    const { state } = this;
    const paused = state === "paused";
    const running = state === "training" || state === "pausing";
    const start = button("start");
    start.hidden = running || (paused && !this.unlocked);
    start.setAttribute("aria-disabled", String(!this.canStart));
    start.textContent = paused ? "Train a new one" : "Train";
    button("pause").hidden = !running;
    button("pause").setAttribute("aria-disabled", String(state === "pausing"));
    button("resume").hidden = !paused;
    button("stop").hidden = !running && (!paused || this.unlocked);
    const isLong = performance.now() - this.since > patience;
    button("kill").hidden = !(state === "pausing" && isLong);
    button("cancel").hidden = !(state === "starting" && isLong);
  }

  /** Steps of a large network on a slow device can take many seconds, and so can making one. */
  private wait(state: State): void {
    clearInterval(this.clock);
    this.since = performance.now();
    // The planned numbers are shown until the first step.
    if (!(this.state === "starting" && state === "training")) this.about = "";
    if (state === "paused" || state === "empty") return;
    this.clock = setInterval(() => {
      if (this.state === "training" && this.hasStepped) return;
      this.showButtons();
      this.showStatus();
    }, 500);
  }

  private showStatus(): void {
    const { state, about } = this;
    const isWaiting = state === "starting" || state === "pausing" || (state === "training" && !this.hasStepped);
    const running = this.isChecking ? "The training waits for the check" : this.hasStepped ? about : words.training;
    say(block("status"), this.unlocked ? "Stopped" : state === "training" ? running : words[state]);
    block("status").dataset.state = state;
    // Beside the status, so that screen readers do not count the seconds.
    const waited = Math.floor((performance.now() - this.since) / 1000);
    say(block("waiting"), isWaiting ? [about, ...(waited >= 2 ? [`${waited} s so far`] : [])].filter(Boolean).join(", ") : "");
  }

  private showCheck(): void {
    const check = button("verify");
    // Not disabled while it checks, so that it keeps the focus.
    check.disabled = this.state === "loading" || this.state === "starting";
    check.setAttribute("aria-disabled", String(this.isChecking));
    check.textContent = this.isChecking ? "Checking…" : "Check my device";
  }

  /** Gives the focus to the button that replaced the focused one. */
  private keepFocus(focused: (typeof all)[number]): void {
    if (!button(focused).hidden) return;
    next[this.state]
      .map(button)
      .find((candidate) => !candidate.hidden && !candidate.disabled)
      ?.focus();
  }
}
