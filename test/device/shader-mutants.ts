/**
 * Changes to each WGSL file, of the kinds that slip in: a sign, a bound, a barrier, a swapped gate, a dropped sum, a
 * constant, an index off by one. Each has a model whose `verify` must name a kernel made of that file, or the reason why
 * no model computes anything else with it.
 */
import type { SubjectName } from "./shader-subjects.ts";

export interface ShaderMutant {
  /** Below `shaders/`, without extension. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly subject?: SubjectName;
  readonly equivalent?: string;
}

const mutants: ShaderMutant[] = [];
/** Changes of one file, each as [from, to], seen through one model. */
const change = (file: string, subject: SubjectName, ...changes: readonly (readonly [string, string])[]): void => {
  for (const [from, to] of changes) mutants.push({ file, from, to, subject });
};
const same = (file: string, from: string, to: string, equivalent: string): void => void mutants.push({ file, from, to, equivalent });

change(
  "activation-backward",
  "parts",
  ["1.0 - y[i] * y[i]", "1.0 + y[i] * y[i]"],
  ["y[i] > 0.0", "y[i] >= 0.5"],
  ["value += dx[i]", "value = dx[i]"],
);
change(
  "activation-forward",
  "parts",
  ["case 1u: { y[i] = safeTanh(x[i]); }", "case 1u: { y[i] = sigmoid(x[i]); }"],
  ["max(x[i], 0.0)", "max(x[i], 0.1)"],
);
change(
  "adam",
  "linear",
  ["parameters[i] = lastGood[kept];", ""],
  ["secondMoment[i] = lastGood[kept + 128u];", ""],
  ["lastGood[kept + 64u] = firstMoment[i];", ""],
  ["parameter -= learningRate * params.weightDecay", "parameter += learningRate * params.weightDecay"],
  ["secondMoment[i] = v;", ""],
  ["gradientFactor * g", "gradientFactor * m"],
  ["sqrt(v / biasCorrection2)", "sqrt(v)"],
  ["penalty = 0.0;", ""],
);
change("advance-position", "embedding", ["+= params.by", "+= 1u"]);
change(
  "binary-cross-entropy",
  "yesNo",
  ["max(x[i], 0.0)", "max(-x[i], 0.0)"],
  ["* normalizer[1]", "* normalizer[0]"],
  ["if (weight == 0.0)", "if (weight != 0.0)"],
);
change(
  "binary",
  "sentences",
  ["case 1u: { return left * right; }", "case 1u: { return left + right; }"],
  ["value += y[at]", "value -= y[at]"],
);
change("binary", "operators", ["exponent * 0.5 != floor", "exponent * 0.5 == floor"], ["left <= right", "left < right"]);
change(
  "binary-gradient",
  "operators",
  ["-d * (value / right)", "d * (value / right)"],
  ["(left > right) != second", "(left > right) == second"],
  ["result += dx[at]", "result = dx[at]"],
);
change("lib/broadcast", "sentences", ["k * params.b2", "k * params.b1"]);
change("lib/no-number", "operators", ["if (x < 0.0) { return noNumber(); }", "if (x < 5.0) { return noNumber(); }"]);
change(
  "lib/math-functions",
  "operators",
  ["x * normalBelow(x)", "x * (1.0 - normalBelow(x))"],
  ["x >= alpha && x <= beta", "x > alpha && x <= beta"],
  ["d / (2.0 * y)", "d / y"],
);
change("unary-backward", "operators", ["value += dx[i]", "value = dx[i]"]);
change("pick", "operators", ["select(0.0, params.fill,", "select(params.fill, 0.0,"], ["value += y[at]", "value -= y[at]"]);
change(
  "shift-rows",
  "causal",
  ["- i32(params.before)", "+ i32(params.before)"],
  ["lengths[outer / (params.outer / params.rows)]", "lengths[0]"],
);
change("unfold", "operators", ["step - params.before < params.length", "step < params.length"], ["k * params.dilation;", "k;"]);
change("fold", "operators", ["start / params.stride < params.positions", "start / params.stride + 1u < params.positions"]);
change("extreme-forward", "operators", ["params.sign * value > params.sign * best", "value >= best"], ["places[at] = f32(place);", ""]);
change("extreme-backward", "operators", ["u32(places[row]) == i", "u32(places[row]) == i + 1u"], ["value += dx[at]", "value = dx[at]"]);
change("cumulative-sum", "operators", ["params.size - 1u - step", "params.size - step"], ["sum += x[at];", "sum = x[at];"]);
change(
  "normalize-forward",
  "operators",
  ["distance * distance", "abs(distance)"],
  ["variances[row] = variance;", "variances[row] = mean;"],
);
change("normalize-backward", "operators", ["- y[i] * slope", ""], ["- mean", ""]);
change("unary-forward", "operators", ["params.alpha, params.beta", "params.beta, params.alpha"]);
change("choose-tokens", "sentences", ["row & 3u", "row & 1u"], ["params.offset + row", "row"]);
change(
  "column-sum",
  "reset",
  ["if (params.accumulate != 0u) { sum += sums[column]; }", ""],
  ["half >= width", "half > width"],
  ["column >= params.columns", "column > params.columns"],
  ["min(4u,", "min(3u,"],
);
change(
  "cross-entropy",
  "classes",
  ["select(0.0, 1.0, i32(column) == label)", "select(0.0, 1.0, i32(column) + 1 == label)"],
  ["label == params.ignoreIndex", "label == -1"],
  ["let scale = weight * normalizer[1];", "let scale = normalizer[1];"],
  ["+ log(sum)", "- log(sum)"],
  ["dLogits[at + column] = 0.0;", ""],
);
change(
  "dropout",
  "parts",
  ["uniformOf(word) >= params.p", "uniformOf(word) < params.p"],
  ["words.w", "words.z"],
  ["value += y[i]", "value = y[i]"],
  ["params.stream, random[2]", "params.stream, 0u"],
);
change(
  "embedding-gather",
  "embedding",
  ["params.firstId + i / params.columns", "i / params.columns"],
  ["+ i % params.columns", "+ (i + 1u) % params.columns"],
);
change(
  "embedding-scatter",
  "embedding",
  ["first += 2048u", "first += 4096u"],
  ["if (params.accumulate != 0u) { sums[j] += dWeight[at]; }", ""],
  ["params.columns > 64u", "params.columns > 128u"],
  ["left &= left - 1u;", "left = 0u;"],
  ["ids[params.firstId + n] == v", "ids[n] == v"],
);
change(
  "gradient-norm",
  "linear",
  ["if (healthy) { norm[3] = 1.0; }", ""],
  ["sqrt(total) <= params.mostNorm", "sqrt(total) > params.mostNorm"],
  ["isFinite(total) && isFinite(lossTotal)", "isFinite(total)"],
  ["norm[2] != 0.0 && isFinite(total)", "isFinite(total)"],
  ["params.squared != 0u", "params.squared == 0u"],
  ["min(1.0, params.maxNorm", "max(1.0, params.maxNorm"],
  ["row += 256u", "row += 512u"],
);
change(
  "gradient-norm-partial",
  "wide",
  ["params.groups * 64u", "params.groups * 128u"],
  ["rowSum(sum, thread, 64u)", "rowSum(sum, thread, 32u)"],
);
change("loss-sum", "linear", ["i += 256u", "i += 257u"], ["normalizer[1] * sum", "sum"]);
change(
  "mask-steps",
  "lengths",
  ["t < lengths[row]", "t <= lengths[row]"],
  ["value += y[i]", "value -= y[i]"],
  ["(i / params.H) % params.B", "i % params.B"],
);
change("matmul-block", "large", ["startsOfB(i, n + 32u)", "startsOfB(i, n)"], ["biasBlock(n + 32u)", "biasBlock(n)"]);
change("matmul-block", "square", ["storeSums(m + 4u, tile.rows1)", "storeSums(m + 4u, tile.rows0)"]);
change("matmul-small-m", "wide", ["share < 8u", "share < 7u"], ["n < params.N", "n + 1u < params.N"]);
change(
  "matmul-split",
  "split",
  ["one < shares; one++) { total +=", "one + 1u < shares; one++) { total +="],
  ["one * 16u + thread]; }\n    storeSums", "one * 16u]; }\n    storeSums"],
  ["four += shares", "four += shares * 2u"],
  ["at.m + block / 4u * side() + row", "at.m + block / 4u * side()"],
);
change(
  "matmul-staged",
  "staged",
  ["sliceB[four][one][local.x + 8u]", "sliceB[four][one][local.x]"],
  ["addStaged(four, 2u, local", "addStaged(four, 1u, local"],
  ["addFourStaged(3u, local", "addFourStaged(2u, local"],
  ["sliceA[ofA.x][one][ofA.y] = blockA[one]", "sliceA[ofA.x][one][ofA.y] = blockA[0]"],
  ["k += 16u;", "k += 12u;"],
  ["tile.rows0 += sumOf(blockA)", "tile.rows0 = sumOf(blockA)"],
  [" + sliceA[3][0][thread]", ""],
  ["j / 4u % 2u * 32u", "j / 4u % 2u * 36u"],
);
change(
  "per-unit-gradient",
  "peepholes",
  ["select(params.cCurrent, params.cPrevious, seesBefore)", "params.cPrevious"],
  ["row += 16u", "row += 32u"],
  ["sum += dOwn[column]", "sum -= dOwn[column]"],
);
change(
  "rmsprop",
  "rootMean",
  ["velocity[i] = lastGood[kept + keptVelocity * 64u];", ""],
  ["lastGood[kept + 128u] = gradientAverage[i];", ""],
  ["square - average * average", "square"],
  ["velocity[i] = update;", ""],
  ["params.alpha * squareAverage[i]", "squareAverage[i]"],
);
change(
  "sample-token",
  "embedding",
  ["total >= topK", "total > topK"],
  ["columns[other] < bestColumn", "columns[other] > bestColumn"],
  ["words = words.yzwx;", ""],
  ["random[firstWord + 2u] + position[0]", "random[firstWord + 2u]"],
  ["logit / temperature", "logit"],
);
change(
  "sgd",
  "yesNo",
  ["velocity[i] = lastGood[kept + 64u];", ""],
  ["lastGood[kept + 64u] = velocity[i];", ""],
  ["if (control[3] == 0.0)", "if (control[3] != 0.0)"],
  ["(1.0 - params.dampening) * g", "g"],
  ["g += params.momentum * v", "g = v"],
);
change("softmax-backward", "parts", ["dy[at + column] * y[at + column]", "dy[at + column]"], ["value += dx[i]", "value = dx[i]"]);
change("softmax-forward", "logSoftmax", ["shifted - logSum", "shifted + logSum"], ["greatest = rowMax(greatest, thread, share);", ""]);
change("squared-error", "linear", ["weight * 2.0 * params.factor", "weight * params.factor"], ["* normalizer[1]", ""]);
change(
  "step-bits",
  "masked",
  ["1u << bit", "2u << bit"],
  ["!= 0.0", "== 0.0"],
  ["firstStep == 0u", "firstStep != 0u"],
  ["params.T - firstStep", "params.T - firstStep - 1u"],
);
change("strided-copy", "lstm", ["if (params.accumulate != 0u) { value += output[at]; }", ""], ["k * params.from2", "k * params.from1"]);
change("to-half", "halves", ["pair.y = x[at + 1u]", "pair.y = x[at]"], ["at >= params.length", "at > params.length"]);
change(
  "cells/gru",
  "gru",
  ["vec2((1.0 - gates.z)", "vec2((1.0 + gates.z)"],
  ["Gates(dr, dz, dn * gates.r)", "Gates(dr, dz, dn)"],
  ["gateFunction(updateSign * (x.z", "gateFunction((x.z + 0.01"],
);
change("cells/gru", "writing", ["if (hasReset) { r =", "if (true) { r ="], ["gateGradient(updateSign * dh", "gateGradient(dh"]);
change(
  "cells/gru-reset-before",
  "resetSteps",
  ["r * hPrevious)", "hPrevious)"],
  ["gateGradient(dOperand * hPrevious", "gateGradient(dOperand"],
  ["dOperand * gates.r)", "dOperand)"],
);
change(
  "cells/lstm",
  "lstmSteps",
  ["f * cPrevious + i * g", "f * cPrevious - i * g"],
  ["candidateGradient(dcTotal * i, g)", "candidateGradient(dcTotal * i, i)"],
  ["Gates(i, f, g, gateFunction(a.o))", "Gates(f, i, g, gateFunction(a.o))"],
  ["dcTotal * cPrevious, f", "dcTotal, f"],
);
change("cells/lstm", "coupled", ["f = 1.0 - i;", "f = i;"], ["written -= cPrevious;", ""]);
change("cells/lstm", "peepholes", ["a.o += peepholes.o * c;", ""], ["dForget * peepholes.f", "dForget * peepholes.i"]);
change("cells/rnn", "rnn", ["candidateGradient(dh, h)", "candidateGradient(dh, hPrevious)"]);
change("lib/gate-functions", "lstmSteps", ["d * y * (1.0 - y)", "d * (1.0 - y)"], ["d * (1.0 - y * y)", "d * (1.0 - y)"]);
change("lib/functions", "relu", ["d * select(0.0, 1.0, y > 0.0)", "d"], ["max(x, 0.0); }", "x; }"]);
change("lib/chosen-functions", "clipped", ["y == candidateTop || ", ""], [" || y == candidateBottom", ""]);
change("lib/functions", "chosen", ["clamp(alpha * x + beta, 0.0, 1.0)", "alpha * x + beta"], ["select(y + alpha, 1.0, y > 0.0)", "1.0"]);
change("lib/chosen-functions", "chosen", ["select(gatesBottom, gatesTop, a > 0.0)", "gatesTop"]);
change("cells/slstm", "slstm", ["logF + before.m > logI", "logF > logI"], ["dc * gates.z + dn", "dc * gates.z"]);
change("lib/activations", "lstmSteps", ["1.0 / (1.0 +", "1.0 / (1.001 +"]);
change(
  "cells/min-gru",
  "minGru",
  ["(1.0 - gates.z) * hPrevious + gates.z * gates.n", "gates.z * hPrevious + (1.0 - gates.z) * gates.n"],
  ["gates.n - hPrevious", "hPrevious - gates.n"],
  ["dn *= positiveSlope(gates.n);", ""],
);
change(
  "cells/min-lstm",
  "minLstm",
  ["return gates.i / (gates.f + gates.i);", "return gates.i;"],
  ["-dShares * (1.0 - gates.i)", "dShares * (1.0 - gates.i)"],
  ["dShares * (1.0 - gates.f)", "dShares * gates.f"],
);
change("lib/activations", "minGru", ["x + 0.5, x", "x + 0.51, x"], ["1.0, y >= 0.5", "1.0, y >= 0.4"]);
change(
  "lib/scan",
  "minGru",
  ["(part + 1u) * most)", "(part + 1u) * most - 1u)"],
  ["0.0, 1.0, 0.0, Gates()).dhPrevious", "0.0, 0.9, 0.0, Gates()).dhPrevious"],
);
change(
  "strategies/scan-forward",
  "minGru",
  ["if (!hasStep(column / params.H, step.t)) { continue; }", ""],
  ["fma(kept, all.shift, fromZero.h)", "all.shift + fromZero.h"],
  ["kept * all.factor", "all.factor"],
  ["part < thread;", "part + columns < thread;"],
  ["h[step.hCurrent + column] = state;", "if (hasStep(column / params.H, step.t)) { h[step.hCurrent + column] = state; }"],
);
change(
  "strategies/scan-backward",
  "minLstm",
  ["kept * (all.shift + dy[step.dy + column])", "kept * all.shift + dy[step.dy + column]"],
  ["part > thread;", "part > thread + columns;"],
  ["gates[at] = packed(Gates());", ""],
  ["vec2(dState, 0.0)", "vec2(0.0, dState)"],
  [
    "i = steps.y; i > steps.x; i--) {\n    let step = stepAt(lane, i - 1u);\n    let at",
    "i = steps.y; i > steps.x; i--) {\n    let step = stepAt(lane, i);\n    let at",
  ],
);
change(
  "lib/cell-weights",
  "peepholes",
  ["matrixRows() + 1u + perUnitRows", "matrixRows() + 1u"],
  ["return named(weightAt(i));", "return Gates();"],
);
change(
  "lib/cell-weights",
  "heads",
  ["unit - unit % (params.H / heads)", "unit % (params.H / heads)"],
  ["params.H / heads, hasMatrix", "1u, hasMatrix"],
);
change("lib/cell-weights", "minGruSteps", [
  "if (!hasMatrix) { return PackedGates(); }",
  "if (!hasMatrix) { return packed(Gates(0.5, 0.5)); }",
]);
change("lib/finite", "linear", ["0x7f800000u) !=", "0x7fc00000u) !="]);
change(
  "lib/fold",
  "linear",
  ["i < 16u; i++) { total += folded[i]; }", "i < 15u; i++) { total += folded[i]; }"],
  ["i * 16u + thread", "i * 15u + thread"],
);
change(
  "lib/gradient",
  "linear",
  ["norm[2] != 0.0", "true"],
  ["norm[3] != 0.0", "false"],
  ["* (count - 1u)", "* count"],
  ["clamp(g, -clipValue, clipValue)", "min(g, clipValue)"],
  ["fma(weightDecay, parameter, g)", "g"],
);
change(
  "lib/lane",
  "lstmSteps",
  ["params.T - 1u - done", "params.T - done"],
  ["lane * ((size + 63u) / 64u * 64u)", "lane * size"],
  ["return t < steps;", "return t <= steps;"],
  [">> (t & 31u)", ">> (t & 30u)"],
  ["params.hBase + (params.T + 1u)", "(params.T + 1u)"],
);
change("lib/linear-index", "linear", ["groupIndex(group, groups) * 64u + thread", "groupIndex(group, groups) * 63u + thread"]);
change("lib/matmul", "wide", ["value += bias[n]", "value -= bias[n]"], ["value += c[at]", "value = c[at]"], ["i * params.cBatch", "i"]);
change(
  "lib/operands-strided",
  "linear",
  ["params.aOffset + i * params.aBatch + min", "i * params.aBatch + min"],
  ["return params.K % 4u;", "return 0u;"],
);
change("lib/operands-strided", "wide", ["n * params.bColumn]", "n * params.bRow]"]);
change("lib/operands-vec4", "lstm", ["(params.aColumn / 4u)", "(params.aColumn / 2u)"], ["  return params.K % 4u;", "  return 0u;"]);
change("lib/operands-vec4", "characters", [
  "transpose(mat4x4(b[at.x], b[at.y], b[at.z], b[at.w]))",
  "mat4x4(b[at.x], b[at.y], b[at.z], b[at.w])",
]);
change(
  "lib/blocks",
  "large",
  ["if (params.accumulate != 0u) { value += vec4(c[at]", "if (false) { value += vec4(c[at]"],
  ["c[at + 3u] = value.w;", ""],
  ["n + j < params.N", "n + j + 1u < params.N"],
  ["tile.sum11 = addBlock(below, right", "tile.sum11 = addBlock(above, right"],
  ["addOuter(a[3], b[3]", "addOuter(a[3], b[2]"],
);
change("lib/blocks", "square", ["tile.rows1 += sumOf(below)", "tile.rows1 += sumOf(above)"], ["columns[2] + columns[3]", "columns[2]"]);
change("lib/philox", "parts", ["round < 10u", "round < 9u"], ["word >> 8u", "word >> 9u"]);
change(
  "lib/regularized",
  "layerNorm",
  ["folded[2u * n] + folded[2u * n + 1u]", "folded[2u * n]"],
  ["sum.r, one), dot(sum.r, other)", "sum.x, one), dot(sum.r, other)"],
  ["return 1.0 / (1.0 - params.dropP);", "return 1.0;"],
  ["uniformOf(words.x), uniformOf(words.y)", "uniformOf(words.y), uniformOf(words.x)"],
);
change(
  "lib/regularized-forward",
  "layerNorm",
  ["(1.0 - remaining) * state + remaining * hPrevious", "(1.0 - remaining) * hPrevious + remaining * state"],
  ["sides.r *= gain(lane, 2u, element.unit);", ""],
  ["kept.c = value;", ""],
);
change(
  "lib/regularized-gradient",
  "layerNorm",
  ["inputBias + d.x)", "d.x)"],
  ["remaining.y * one.dc)", "one.dc)"],
  ["if (fused) { return kept.carried; }", ""],
);
change("lib/row-product-forward", "layerNorm", ["multiplyAdd(operands[k]", "multiplyAdd(operands[0]"]);
change("lib/row-product-backward", "layerNorm", ["dotGates(operands[k]", "dotGates(operands[0]"]);
change(
  "lib/row-product-forward-shared",
  "gpuNorms",
  ["matrixOf(lane) + min(", "min("],
  ["putState(0u, thread, operand)", "putState(0u, thread, 0.5)"],
);
change("lib/row-product-backward-shared", "gpuNorms", ["putGradient(0u, thread, d)", "putGradient(0u, thread, PackedGates())"]);
change("lib/row-sums", "linear", ["value += sums[m + r]", "value = sums[m + r]"], ["m + r < params.M", "m + r + 1u < params.M"]);
change(
  "lib/rows",
  "classes",
  ["i < first + share; i++) { total", "i + 1u < first + share; i++) { total"],
  ["max(greatest, lanes[i])", "min(greatest, lanes[i])"],
);
change("lib/running-statistics", "batchNorm", ["params.keptSteps - 1u", "params.keptSteps"], ["params.momentum * (value", "(value"]);
change("lib/weights-float", "lstmSteps", ["return weights[i];", "return weights[i + 1u];"]);
change("lib/weights-padded", "gpuGru", ["gatesOf(w)", "gatesOf(w.yzwx)"]);
change("strategies/prepare-layer", "gpuGru", ["i / params.G) * params.width", "i / params.G) * params.G"]);
change("lib/weights-half", "halves", ["unpacked(weights[i])", "unpacked(weights[i + 1u])"]);
change(
  "strategies/prepare-layer",
  "lstm",
  ["forwardWeights[at] = bias[i]", "forwardWeights[at] = 0.0"],
  ["((j - inHead + k) * params.G + g) * params.fanIn + inHead", "(j * params.G + g) * params.fanIn + k"],
);
change("strategies/prepare-layer", "characters", ["ids[params.firstId + at / params.columns]", "ids[at / params.columns]"]);
change(
  "lib/products-forward",
  "lstm",
  ["let hk = tile[first + k];", "let hk = tile[k];"],
  ["sum3 = multiplyAdd(hk.w, w, sum3);", "sum3 = multiplyAdd(hk.z, w, sum3);"],
);
change("lib/products-forward", "lstmSteps", ["multiplyAdd(h[at3 + k], w, sum3)", "multiplyAdd(h[at2 + k], w, sum3)"]);
change("lib/products-forward", "heads", ["multiplyAdd(h[at0 + k], w, sum0)", "multiplyAdd(h[at0], w, sum0)"]);
change("lib/products-backward", "lstm", ["sum3 = dotGates(tile[3u * tileUnits", "sum3 = dotGates(tile[2u * tileUnits"]);
change("lib/products-backward", "lstmSteps", ["gradientAt(at2 + k, recurrent), w, sum2)", "gradientAt(at2 + k, recurrent), w, sum1)"]);
change("lib/gate-gradients", "gru", ["splitsRecurrentGradient && recurrent", "false"]);
change("lib/eight-weights", "gpuWideLoop", ["weights[at + to[5]]", "weights[at + to[4]]"]);
change("lib/eight-weights", "gpuWideLoop", ["if (k + n < count)", "if (k + n + 1u < count)"]);
change(
  "lib/weights-streamed",
  "gpuWideLoop",
  ["at += 8u * params.H;", "at += 7u * params.H;"],
  ["whole / each == share", "true"],
  ["eightFrom(whole * 8u, count, weight)", "eightFrom(whole * 8u, count - 1u, weight)"],
);
change("lib/weights-streamed", "gpuSteps", ["var eight = min(share * each, whole);", "var eight = 0u;"]);
change(
  "lib/weights-held",
  "gpuLoop",
  ["held1 = eightFrom(first + 8u", "held1 = eightFrom(first + 7u"],
  ["addEight(first, held0, before)", "before"],
);
change(
  "lib/weights-held",
  "gpuHalves",
  ["held3 = eightFrom(first + 24u", "held3 = eightFrom(first + 16u"],
  ["addEight(first + 4u, held4, sums)", "sums"],
);
change(
  "lib/products-forward-shared",
  "gpuSteps",
  ["addProduct(h[1].w, w[7]", "addProduct(h[1].w, w[6]"],
  ["[unit / 4u % 2u][unit % 4u] = h", "[0][unit % 4u] = h"],
);
change("lib/products-backward-shared", "gpuSteps", ["addProduct(d[4], w[4],", "addProduct(d[4], w[3],"]);
change("lib/one-row", "gpuLoop", ["addRow(tile[eight][0], w, sums.row0)", "sums.row0"]);
change("lib/two-rows", "gpuRows", ["addSecond(tile[eight][1], w, half.row1)", "addSecond(tile[eight][0], w, half.row1)"]);
change("lib/four-rows", "gpuSteps", ["addRow(tile[eight][3], w, sums.row3)", "addRow(tile[eight][2], w, sums.row3)"]);
change("lib/eight-rows", "gpuManyRows", ["addRow(tile[eight][7], w, sums.row7)", "addRow(tile[eight][6], w, sums.row7)"]);
change("lib/fold-forward", "gpuSteps", ["foldRow(3u, sums.row3", "foldRow(3u, sums.row2"]);
change("lib/fold-forward-eight", "gpuManyRows", ["foldRow(5u, sums.row5", "foldRow(5u, sums.row4"]);
change(
  "lib/fold-backward",
  "gpuSteps",
  ["totalOf(sums.row2)", "totalOf(sums.row1)"],
  ["parts[share * units + thread % units][row]", "parts[share * units + thread % units].x"],
);
change("lib/fold-backward-eight", "gpuManyRows", ["totalOf(sums.row6)", "totalOf(sums.row5)"]);
change(
  "strategies/loop-forward-shared",
  "gpuRows",
  ["group.x * rows + share", "group.x + share"],
  ["thread, bias)", "thread, PackedGates())"],
);
change("strategies/loop-backward-shared", "gpuRows", ["if (i > 0u)", "if (i > 1u)"], ["one.carry, perUnit", "Carry(), perUnit"]);
change(
  "lib/staged-forward",
  "gpuSteps",
  ["operandAt(first + k)", "operandAt(first)"],
  ["putState(own + 1u, unit, pair.y)", "putState(own + 1u, unit, pair.x)"],
);
change("strategies/step-forward-shared", "gpuSteps", ["thread, biasAt(firstWeight, own)", "thread, PackedGates()"]);
change("lib/staged-backward", "gpuSteps", ["weight + k * params.H, sums)", "weight, sums)"]);
change("strategies/step-backward-shared", "gpuSteps", ["i + 1u < params.steps", "i + 2u < params.steps"]);
change(
  "lib/loop-forward",
  "lstm",
  ["if (hasStep(row, step.t))", "if (hasStep(row, step.t) || row == 0u)"],
  ["return gates[step.gates + row * params.H + unit];", "return gates[step.gates + unit];"],
);
change("lib/loop-backward", "lstm", ["gates[at] = PackedGates();", ""]);
change("lib/step-forward", "lstmSteps", ["!hasStep(row, step.t)", "!hasStep(row, step.t) && row > 0u"]);
change(
  "lib/step-backward",
  "lstmSteps",
  ["return dy[step.dy + cell];", "return 0.0;"],
  ["Carry(out.dhPrevious, out.dcPrevious)", "Carry(out.dcPrevious, out.dhPrevious)"],
);
change("lib/step-backward", "wavefront", ["lane + 1u == params.lanes", "lane == params.lanes"]);
change("strategies/loop-forward", "lstm", ["putStates(copy + unit", "putStates(unit"]);
change("strategies/loop-backward", "lstm", ["if (i > 0u)", "if (i > 1u)"], ["row0.carry.h += sum.x;", ""]);
change("strategies/loop-two-phase-forward", "reset", ["let q = operands[k];", "let q = states[k];"]);
change("lib/loop-two-phase-forward", "reset", ["c[step.cCurrent + cell] = out.operand;", ""]);
change(
  "strategies/loop-two-phase-forward-shared",
  "gpuReset",
  ["putState(share, unit, operand)", "putState(share, unit, state)"],
  ["let candidate = fold(addShare(share, params.H, firstWeight + own, Sums()), thread, bias);", "let candidate = bias;"],
);
change("strategies/loop-two-phase-backward-shared", "gpuReset", ["one.dh += product;", ""], ["ofPhase(phase, gates)", "gates"]);
change("lib/loop-two-phase-backward", "reset", ["before.dh + out.dhPrevious, 0.0", "out.dhPrevious, 0.0"]);
change(
  "strategies/loop-two-phase-backward",
  "reset",
  ["row0.dh += product.x;", ""],
  ["handed[3u * threads + k]", "handed[2u * threads + k]"],
);
change(
  "strategies/step-forward",
  "lstmSteps",
  ["min(vec4(row, row + 1u, row + 2u, row + 3u)", "min(vec4(row, row + 1u, row + 2u, row + 2u)"],
  ["biasAt(firstWeight, own)", "PackedGates()"],
);
change(
  "strategies/step-forward",
  "wavefront",
  ["stepAt(lane - 1u, i).hCurrent + starts", "stepAt(lane - 1u, i).hCurrent + starts.xxzw"],
  ["params.lanes + lane - 1u", "params.lanes + lane"],
);
change("strategies/step-backward", "lstmSteps", ["i + 1u < params.steps", "i + 2u < params.steps"]);
change("strategies/step-backward", "wavefront", ["stepAt(lane + 1u, i).gates", "stepAt(lane, i).gates"]);
change(
  "lib/two-phase-forward",
  "resetSteps",
  ["return c[i];", "return h[i];"],
  ["c[step.cCurrent + cell] = 0.0;", "c[step.cCurrent + cell] = 1.0;"],
);
change("strategies/two-phase-forward", "resetSteps", ["let at2 = start + min(row + 2u, last)", "let at2 = start + min(row + 1u, last)"]);
change("lib/two-phase-backward", "resetSteps", ["carried.x + out.dhPrevious", "out.dhPrevious"]);
change(
  "lib/phases",
  "resetSteps",
  ["fma(scale, w.z, sum.z), sum.n)", "sum.z, sum.n)"],
  ["fma(d.z, w.z, fma(d.r, w.r, sum))", "fma(d.r, w.r, sum)"],
  ["gates[at].r = d.r;", ""],
);
change("lib/two-phase-backward", "gpuResetSteps", ["return gatesAt(phase, at);", "return gatesAt(0u, at);"]);
change("strategies/two-phase-backward", "resetSteps", ["params.i + 1u < params.steps", "params.i + 2u < params.steps"]);
change("strategies/two-phase-forward-shared", "gpuResetSteps", ["weightAt(weight + params.H * params.H)", "PackedGates()"]);
change("strategies/two-phase-backward-shared", "gpuResetSteps", ["params.i + 1u < params.steps", "params.i + 2u < params.steps"]);
change(
  "strategies/regularized-forward",
  "layerNorm",
  ["squares = Sides(squares.x + x * x", "squares = Sides(squares.x + x"],
  ["Sides(inverseSqrt(variance.x", "Sides(inverseSqrt(variance.r"],
);
change("strategies/regularized-forward", "batchNorm", ["keepSide(params.first + i, 2u", "keepSide(params.first + i, 0u"]);
change(
  "strategies/regularized-backward",
  "layerNorm",
  ["gr - mean.r - kept", "gr - kept"],
  ["memory.dRead * memory.normalized;", "memory.dRead;"],
);
change("strategies/regularized-backward", "batchNorm", ["reach.hBeside + out.dhPrevious", "reach.hBeside"]);
same(
  "lib/operands-vec4",
  "min(m, params.M - 4u)",
  "min(m, params.M)",
  "rows past the edge are read from elsewhere, and what comes of them is not stored",
);
same(
  "lib/no-read-out",
  "return 0.0;",
  "return 1.0;",
  "its functions are called for a normalised memory only, and the cells that it stands before have none",
);
same("lib/no-row-sums", "addsRows = false", "addsRows = true", "rows are added up and handed to an empty function");
same(
  "lib/cell",
  "dhPrevious: f32, dcPrevious: Memory }",
  "dhPrevious: f32, dcPrevious: Memory, }",
  "it holds types alone: another order or type does not compile, and a comma changes nothing",
);
same(
  "lib/two-phase",
  "struct SecondForward { gates: Gates, h: f32 }",
  "struct SecondForward { gates: Gates, h: f32, }",
  "it holds types alone: another order or type does not compile, and a comma changes nothing",
);
same(
  "from-half",
  "pair.x;",
  "pair.y;",
  "only a layer that computes its gates again from halves unpacks them, which needs `recompute`; the kernel tests see it",
);
same(
  "matmul-naive",
  "k = 0u",
  "k = 1u",
  "no model uses it: it is what the kernel tests hold the other products to, and sees this change itself",
);

export const shaderMutants: readonly ShaderMutant[] = mutants;
