#!/usr/bin/env python3
"""The rows of the bench with PyTorch, for machines that have it.

    python3 pytorch.py [--json OUT] [--merge REPORT] [--shape TxBxIxH]... [--cell CELL]... [--mode MODE]...
                       [--seconds N] [--device cpu|cuda|all]

--merge adds PyTorch's rows for the cases of a report that `npm run bench -- --json REPORT` has written, in place.
On the CPU one thread is used. On a CUDA device: cuDNN in float32 without TF32, in float16 and bfloat16, and (with
torch.compile) an eager loop over a compiled cell. Each is compared with the equations in float64 before it is timed:
float32 to 1e-4 as everywhere in the bench, half precision to 5e-2, relative to |b| + rms b.
"""
import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import datetime, timezone

# Read once, when the library is loaded: OpenBLAS does not ask PyTorch how many threads it may have.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
try:
    import torch
    from torch import nn
except ImportError:
    sys.exit("PyTorch is not installed for this Python (Debian: apt-get install python3-torch; else: pip install torch)")

SHAPES = [(32, 8, 32, 32), (64, 32, 64, 128), (100, 1, 64, 128), (32, 32, 256, 512)]
CELLS = {"rnn": (nn.RNN, 1), "gru": (nn.GRU, 3), "lstm": (nn.LSTM, 4)}
MODES = ["forward", "training", "model", "generation"]  # no streams
VOCABULARY = 85
SAMPLES, LEAST = 15, 3


def flops(mode, cell, T, B, I, H):
    """Of the matrix products; the same count as in cases.ts."""
    GH = CELLS[cell][1] * H
    forward = 2 * (I + H) * GH
    training = forward + 2 * H * GH + 2 * (I + H) * GH
    logits = 2 * H * VOCABULARY
    return {
        "forward": T * B * forward,
        "training": T * B * training,
        "model": T * B * (training + 2 * I * GH + 3 * logits),
        "generation": T * (forward + logits),
    }[mode]


class Loop(nn.Module):
    """The layer as an eager loop over one compiled step, the way a researcher tries a cell of their own."""

    def __init__(self, cell, layer):
        super().__init__()
        self.cell, self.layer = cell, layer
        self.step = torch.compile(self.one_step)

    def one_step(self, given, h, c):
        weights = self.layer
        sums = torch.nn.functional.linear(h, weights.weight_hh_l0, weights.bias_hh_l0)
        if self.cell == "rnn":
            return torch.tanh(given + sums), c
        if self.cell == "gru":
            r, z, n = given.chunk(3, -1)
            hr, hz, hn = sums.chunk(3, -1)
            z = torch.sigmoid(z + hz)
            return (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h, c
        i, f, g, o = (given + sums).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def forward(self, x):
        given = torch.nn.functional.linear(x, self.layer.weight_ih_l0, self.layer.bias_ih_l0)
        h = c = x.new_zeros(x.shape[1], self.layer.hidden_size)
        outputs = []
        for one in given:
            h, c = self.step(one, h, c)
            outputs.append(h)
        return torch.stack(outputs), h


class Character(nn.Module):
    """Embedding, layer, logits."""

    def __init__(self, cell, I, H):
        super().__init__()
        self.embedding, self.layer, self.logits = nn.Embedding(VOCABULARY, I), CELLS[cell][0](I, H), nn.Linear(H, VOCABULARY)

    def forward(self, ids, state=None):
        y, state = self.layer(self.embedding(ids), state)
        return self.logits(y), state


def data(T, B, I, H):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(T, B, I, generator=generator) * 2 - 1, torch.rand(T, B, H, generator=generator) - 0.5


def gradients(layer, x, target):
    """Output and gradients of mean (y - target)²."""
    layer.zero_grad()
    y, _ = layer(x)
    ((y - target) ** 2).mean().backward()
    return {"output": y.detach(), **{name: p.grad for name, p in layer.named_parameters()}}


def blas():
    """Which library multiplies matrices on the CPU; Debian's PyTorch takes whichever is installed."""
    torch.rand(64, 64) @ torch.rand(64, 64)
    try:
        with open("/proc/self/maps", encoding="utf8") as maps:
            loaded = maps.read()
    except OSError:
        loaded = ""
    for mark, name in [("mkl_", "MKL"), ("openblas", "OpenBLAS"), ("blis", "BLIS"), ("/libblas.so", "reference BLAS (slow: install libopenblas0-pthread)")]:
        if mark in loaded:
            return name
    return "MKL" if torch.backends.mkl.is_available() else "unknown BLAS"


def worst(got, expected):
    error = 0.0
    for name, b in expected.items():
        difference = (got[name].detach().double().cpu() - b).abs() / (b.abs() + b.square().mean().sqrt())
        error = max(error, difference.max().item())
        if not difference.isfinite().all():
            return float("inf")
    return error


def reference(cell, layer, x, target):
    """The equations in float64: PyTorch's own plain loops on the CPU, without oneDNN."""
    exact = CELLS[cell][0](layer.input_size, layer.hidden_size).double()
    exact.load_state_dict({name: p.double().cpu() for name, p in layer.state_dict().items()})
    return gradients(exact, x.double(), target.double())


class Variant:
    def __init__(self, backend, device, dtype=torch.float32, compiled=False):
        self.backend, self.device, self.dtype, self.compiled = backend, device, dtype, compiled
        self.tolerance = 1e-4 if dtype == torch.float32 else 5e-2
        self.adapter = torch.cuda.get_device_name() if device == "cuda" else f"CPU, one thread, {blas()}"

    def sync(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def prepare(self, mode, cell, T, B, I, H):
        """(run, steady or None, worst error): `run(n)` does what cases.ts says of the mode, n times."""
        torch.manual_seed(0)
        if mode in ("model", "generation"):
            return self.character(mode, cell, T, B, I, H)
        host_x, host_target = data(T, B, I, H)
        layer = CELLS[cell][0](I, H).to(self.device, self.dtype)
        few = min(T, 16)  # as in the bench: what proves the weights right need not be long
        module = Loop(cell, layer) if self.compiled else layer
        named = dict(layer.named_parameters())
        got = gradients(module, host_x[:few].to(self.device, self.dtype), host_target[:few].to(self.device, self.dtype))
        got = {name.replace("layer.", ""): value for name, value in got.items()}
        error = worst(got, reference(cell, layer, host_x[:few], host_target[:few]))
        if not error <= self.tolerance:
            raise ArithmeticError(f"differs from the equations by {error:.2e}")
        x, target = host_x.to(self.device, self.dtype), host_target.to(self.device, self.dtype)
        if mode == "training":
            optimizer = torch.optim.SGD(named.values(), lr=0.01)

            def train(times):
                for _ in range(times):
                    optimizer.zero_grad()
                    y, _ = module(x)
                    loss = ((y - target) ** 2).mean()
                    loss.backward()
                    optimizer.step()
                loss.item()

            return train, None, error

        @torch.no_grad()
        def forward(times):
            for _ in range(times):
                module(host_x.to(self.device, self.dtype))[0].cpu()

        @torch.no_grad()
        def steady(times):
            for _ in range(times):
                module(x)
            self.sync()

        return forward, steady, error

    def character(self, mode, cell, T, B, I, H):
        if self.compiled or self.dtype != torch.float32:
            raise NotImplementedError("measured in float32 only")
        model = Character(cell, I, H).to(self.device)
        ids = torch.arange(T * B + B, device=self.device) % VOCABULARY
        inputs, targets = ids[: T * B].view(T, B), ids[B:].view(T, B)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

        def train(times):
            for _ in range(times):
                optimizer.zero_grad()
                logits, _ = model(inputs)
                loss = nn.functional.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
            loss.item()

        @torch.no_grad()
        def draw(times):
            for _ in range(times):
                token, state = torch.ones(1, 1, dtype=torch.long, device=self.device), None
                for _ in range(T):
                    logits, state = model(token, state)
                    token = logits.argmax(-1)
                token.cpu()

        return (train if mode == "model" else draw), None, 0.0


def measure(run, seconds):
    """Milliseconds of samples, per run; samples of at least 60 ms, as in measure.ts."""
    def timed(times):
        started = time.perf_counter()
        run(times)
        return 1000 * (time.perf_counter() - started)

    timed(2)
    one, five = timed(1), timed(5)
    each = max((five - one) / 4, 0.002)
    times = max(1, min(500, round(min(1000, max(60, 5 * (one - each))) / each)))
    samples, spent = [], 0
    while len(samples) < SAMPLES and (len(samples) < LEAST or spent < 1000 * seconds):
        took = timed(times)
        spent += took
        samples.append(took / times)
    return samples


def rounded(value):
    return float(f"{value:.4g}")


def row(variant, mode, cell, shape, seconds):
    T, B, I, H = shape
    run, steady, error = variant.prepare(mode, cell, T, B, I, H)
    samples = measure(run, seconds)
    middle = statistics.median(samples)
    resident = statistics.median(measure(steady, seconds / 2)) if steady else None
    return {
        "library": "pytorch", "version": torch.__version__, "backend": variant.backend, "adapter": variant.adapter,
        "cell": cell, "steps": T, "batch": 1 if mode == "generation" else B, "input": I, "hidden": H, "mode": mode,
        "median_ms": rounded(middle), "min_ms": rounded(min(samples)), "max_ms": rounded(max(samples)), "samples": len(samples),
        **({"steady_ms": rounded(resident)} if resident else {}),
        "dispatches": 0, "submits": 0,
        "gflops": rounded(flops(mode, cell, *shape) / middle / 1e6),
        "us_per_step": rounded(1000 * (resident or middle) / T),
        "worst_error": error, "checked_steps": min(T, 16),
    }


def variants(device):
    found = []
    if device in ("cuda", "all") and torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        found += [Variant("cuda float32", "cuda"), Variant("cuda float16", "cuda", torch.float16), Variant("cuda bfloat16", "cuda", torch.bfloat16)]
        if hasattr(torch, "compile"):
            found.append(Variant("cuda compiled cell", "cuda", compiled=True))
    if device in ("cpu", "all"):
        found.append(Variant("cpu", "cpu"))
    return found


def parse_shape(text):
    sizes = tuple(int(n) for n in text.replace(",", "x").split("x"))
    if len(sizes) != 4 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is no shape; write steps x batch x input x hidden, e.g. 64x32x64x128')
    return sizes


def case_of(row):
    return tuple(row.get(name) for name in ("mode", "cell", "steps", "batch", "input", "hidden", "layers"))


def main():
    parser = argparse.ArgumentParser(description="The rows of the bench with PyTorch.")
    parser.add_argument("--json")
    parser.add_argument("--merge")
    parser.add_argument("--shape", type=parse_shape, action="append")
    parser.add_argument("--cell", choices=CELLS, action="append")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda", "all"], default="all")
    options = parser.parse_args()
    torch.set_num_threads(1)

    report = {"adapter": "none", "software": False, "note": "PyTorch only.", "browser": "none", "machine": platform.processor() or platform.machine(), "matmul": {}, "rows": [], "absent": []}
    if options.merge:
        with open(options.merge, encoding="utf8") as file:
            report = json.load(file)
        wanted = {(r["mode"], r["cell"], (r["steps"], r["batch"], r["input"], r["hidden"])): None for r in report["rows"] if r["cell"] in CELLS and r["mode"] in MODES}
        cases = list(wanted)
    else:
        report["date"] = datetime.now(timezone.utc).isoformat()
        cases = [(mode, cell, shape) for shape in options.shape or SHAPES for cell in options.cell or CELLS for mode in options.mode or MODES]
    for mode, cell, shape in cases:
        for variant in variants(options.device):
            name = f"{cell} {'x'.join(map(str, shape))} {mode}"
            try:
                made = row(variant, mode, cell, shape, options.seconds)
                report["rows"].append(made)
                print(f"{name} pytorch {variant.backend}: {made['median_ms']} ms, {made['us_per_step']} µs a step", file=sys.stderr)
            except NotImplementedError as error:
                report["absent"].append({"library": "pytorch", "backend": variant.backend, "case": name, "kind": "skipped", "reason": str(error)})
            except Exception as error:  # one case that fails must not take the others with it
                report["absent"].append({"library": "pytorch", "backend": variant.backend, "case": name, "kind": "refused", "reason": str(error).split("\n")[0][:300]})
                print(f"REFUSED {name} pytorch {variant.backend}: {error}", file=sys.stderr)
    # Rows of a case stand together.
    order = {}
    for one in report["rows"]:
        order.setdefault(case_of(one), len(order))
    report["rows"].sort(key=lambda one: order[case_of(one)])
    target = options.json or options.merge
    if target:
        with open(target, "w", encoding="utf8") as file:
            json.dump(report, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
