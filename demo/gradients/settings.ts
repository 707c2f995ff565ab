/** The limits of the settings, and their names on the page. */
import { RnnError } from "webgpu-rnn";
import { checkLearningRate, checkNumber, checkWhole } from "../settings.ts";
import { labels } from "./networks.ts";
import type { Settings } from "./messages.ts";

/** @throws RnnError `option`, naming the field as the page does */
export function checkSettings({ steps, units, learningRate, clip, identityTimes, lastOnly }: Settings): void {
  checkWhole(labels.steps, steps, 4, 100);
  checkWhole(labels.units, units, 1, 128);
  checkLearningRate(learningRate);
  checkNumber(labels.clip, clip, 0, 1e6);
  checkNumber(labels.identityTimes, identityTimes, 0, 2);
  if (typeof lastOnly !== "boolean") throw new RnnError("option", "The error counts", "must be at the end or at every step");
}
