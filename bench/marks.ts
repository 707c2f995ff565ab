/** Where a logarithmic axis has its marks. */

/** 1, 2, 5 in each decade where there are few decades, else the decades. */
export function marks([low, high]: readonly [number, number]): number[] {
  const decades = Math.log10(high / low);
  const steps = decades < 2.2 ? [1, 2, 5] : [1];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of steps) all.push(Number(`${step}e${power}`));
  }
  return all.filter((v) => v >= low && v <= high);
}
