import { reading, RnnError, show } from "../errors.ts";

/** @throws RnnError `option` unless `value` is an AbortSignal, or left out */
export function checkSignal(where: string, value: unknown): void {
  const { aborted, addEventListener } = reading("option", where, "signal", () => {
    const signal = (value ?? {}) as Partial<AbortSignal>;
    return { aborted: signal.aborted, addEventListener: signal.addEventListener };
  });
  if (value !== undefined && (typeof aborted !== "boolean" || typeof addEventListener !== "function"))
    throw new RnnError("option", where, `signal must be an AbortSignal, got ${show(value)}`);
}
