/** Elements along an axis in another order, left out or repeated. */
import { pick as pickKernel } from "../kernels/pick.ts";
import type { View } from "../recording/recording.ts";
import { around } from "./parts.ts";
import type { Tape, Variable } from "./tape.ts";

interface Lists {
  readonly starts: View;
  readonly sources: View;
}

/** For each place its sources, as the kernel reads them. */
function listsOf(tape: Tape, label: string, sources: readonly (readonly number[])[]): Lists {
  const starts = [0];
  for (const list of sources) starts.push(starts[starts.length - 1] + list.length);
  const all = sources.flat();
  const constant = (name: string, data: readonly number[]): View =>
    tape.recording.buffer(`${label}.${name}`, [data.length], "constant", "u32", Uint32Array.from(data));
  return { starts: constant("starts", starts), sources: constant("sources", all.length > 0 ? all : [0]) };
}

/**
 * Index i of `axis` is index ids[i] of x, or `fill` if that is -1.
 * @param ids from -1 up to the size of the axis
 */
export function pick(tape: Tape, label: string, x: Variable, axis: number, ids: readonly number[], fill = 0): Variable {
  const [outer, size, inner] = around(x.shape, axis);
  const count = ids.length;
  const y = tape.result(
    label,
    x.shape.map((n, i) => (i === axis ? count : n)),
    [x],
  );
  const lists = listsOf(
    tape,
    label,
    ids.map((id) => (id < 0 ? [] : [id])),
  );
  tape.recording.dispatch(pickKernel, { x: x.view, ...lists, y: y.view }, { outer, size, inner, count, fill, accumulate: 0 });
  tape.record([y], () => {
    const places = Array.from({ length: size }, (): number[] => []);
    ids.forEach((id, i) => id >= 0 && places[id].push(i));
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(
      pickKernel,
      { x: y.gradient!, ...listsOf(tape, `${label}.d`, places), y: view },
      { outer, size: count, inner, count: size, fill: 0, accumulate },
    );
  });
  return y;
}
