// PyTorch's load_state_dict takes what saveModel wrote, and computes the same. Needs a Python with PyTorch.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  Conv1d,
  createBackend,
  Embedding,
  forward,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  RNN,
  saveModel,
  Sequential,
  Tanh,
  type Module,
  type Tensor,
} from "webgpu-rnn";
import { expectClose, numbers, sizeOf } from "../device/support.ts";
import { python } from "./python.ts";

/** PyTorch's module as Python, and ours. */
const cases: (readonly [string, Module, readonly number[]])[] = [
  ["nn.Linear(3, 4, bias=False)", new Linear(3, 4, { bias: false, seed: 1 }), [5, 3]],
  ["nn.LayerNorm([2, 3])", new LayerNorm([2, 3]), [4, 2, 3]],
  ["nn.Conv1d(4, 6, 3, groups=2)", new Conv1d(4, 6, 3, { groups: 2, seed: 2 }), [2, 4, 9]],
  ...(
    [
      ["RNN", RNN],
      ["GRU", GRU],
      ["LSTM", LSTM],
    ] as const
  ).flatMap(([name, Kind]) => [
    [`nn.${name}(3, 5)`, new Kind(3, 5, { seed: 3 }), [6, 2, 3]] as const,
    [
      `nn.${name}(3, 5, num_layers=3, bidirectional=True, batch_first=True)`,
      new Kind(3, 5, { numLayers: 3, bidirectional: true, batchFirst: true, seed: 4 }),
      [2, 6, 3],
    ] as const,
    [`nn.${name}(3, 5, num_layers=2, bias=False)`, new Kind(3, 5, { numLayers: 2, bias: false, seed: 5 }), [6, 2, 3]] as const,
  ]),
  ["nn.LSTM(3, 5, num_layers=2, proj_size=2)", new LSTM(3, 5, { numLayers: 2, projSize: 2, seed: 6 }), [6, 2, 3]],
  [
    "nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))",
    new Sequential([new Linear(3, 4, { seed: 7 }), new Tanh(), new Linear(4, 2, { seed: 8 })]),
    [5, 3],
  ],
  [
    'nn.ModuleDict({"embedding": nn.Embedding(7, 3), "rnn": nn.GRU(3, 5), "out": nn.Linear(5, 2)})',
    new Sequential({ embedding: new Embedding(7, 3, { seed: 9 }), rnn: new GRU(3, 5, { seed: 10 }), out: new Linear(5, 2, { seed: 11 }) }),
    [6, 2],
  ],
];

const program = `
import json, struct, sys, torch
from torch import nn
types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
def load(path):
    raw = open(path, "rb").read()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    def tensor(one):
        start, end = one["data_offsets"]
        return torch.frombuffer(bytearray(raw[8 + size + start:8 + size + end]), dtype=types[one["dtype"]]).reshape(one["shape"])
    return {name: tensor(one) for name, one in header.items()}
found = []
for case in json.load(open(sys.argv[1])):
    module = eval(case["code"])
    module.load_state_dict(load(case["file"]))
    module.eval()
    with torch.no_grad():
        y = torch.tensor(case["input"]["data"]).reshape(case["input"]["shape"])
        for part in module.values() if isinstance(module, nn.ModuleDict) else [module]:
            y = part(y)
            y = y[0] if isinstance(y, tuple) else y
    found.append(y.flatten().tolist())
print(json.dumps(found))
`;

it.skipIf(python === undefined)("PyTorch's modules take the files of saveModel, and compute the same", { timeout: 600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "load-state-dict-"));
  try {
    const backend = await createBackend("cpu", { wasm: false });
    const outputs: Tensor[] = [];
    const given = [];
    for (const [i, [code, model, shape]] of cases.entries()) {
      const file = join(folder, `${i}.safetensors`);
      writeFileSync(file, await saveModel(model));
      const count = sizeOf(shape);
      const data = model.idCount === undefined ? numbers(count, i + 1) : Int32Array.from({ length: count }, (_, at) => at % model.idCount!);
      outputs.push((await forward(model, { shape, data }, { backend })).output);
      given.push({ code, file, input: { shape, data: [...data] } });
    }
    writeFileSync(join(folder, "cases.json"), JSON.stringify(given));
    const { stdout, stderr } = spawnSync(python!, ["-c", program, join(folder, "cases.json")], { encoding: "utf8" });
    expect(stdout, stderr).not.toBe("");
    const found = JSON.parse(stdout) as number[][];
    expect(found).toHaveLength(cases.length);
    found.forEach((values, i) => expectClose(cases[i][0], values, outputs[i].data));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
