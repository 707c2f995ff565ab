#!/usr/bin/env python3
"""Goes on with a training of webgpu-rnn in PyTorch, on as many processes as torchrun starts, and writes it back.

    torchrun --nproc_per_node 2 continue.py checkpoint.safetensors batches.safetensors out.safetensors \
        --steps 20 --optimizer '{"lr": 0.002}'

`checkpoint.safetensors` is what `trainer.checkpoint()` gave, `out.safetensors` what `trainer.restore` takes. Parameters,
state of the optimiser and number of steps go over. The model below has to be yours: the names of its parameters are those of
the checkpoint. Options of the optimiser, data and loss are not in the file; give what the trainer has.

`batches.safetensors` holds "input" [batches, steps, rows] and "targets" [batches, steps, rows], integers, in the order in which
the trainer takes them. Each process takes its share of the rows, which their number must divide, and DistributedDataParallel
takes the mean of the gradients; so losses and parameters are those of one process with all rows.

Needs PyTorch (1.13 or later) alone. What torchrun sets (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) may come from
another launcher.
"""

import argparse
import json
import os
import struct
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

FORMAT = "webgpu-rnn checkpoint 1"

# The optimisers by the names that webgpu-rnn has for them: the class, and its words for what it keeps for each parameter.
MOMENTS = {"firstMoment": "exp_avg", "secondMoment": "exp_avg_sq"}
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"velocity": "momentum_buffer"}),
    "rmsprop": (
        torch.optim.RMSprop,
        {"squareAverage": "square_avg", "gradientAverage": "grad_avg", "velocity": "momentum_buffer"},
    ),
    "adam": (torch.optim.Adam, MOMENTS),
    "adamw": (torch.optim.AdamW, MOMENTS),
    "nadam": (torch.optim.NAdam, MOMENTS),
}

DTYPES = {"F32": torch.float32, "F64": torch.float64, "I32": torch.int32}


def read_file(path):
    """The tensors and the texts of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        if first == last:
            tensors[name] = torch.zeros(entry["shape"], dtype=DTYPES[entry["dtype"]])
            continue
        flat = torch.frombuffer(data[first:last], dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata


def write_file(path, tensors, metadata):
    """Writes tensors of float32 and texts. The file appears when it is whole."""
    header, parts, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        part = tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(part)]}
        parts.append(part)
        offset += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(path + ".part", path)


def load_checkpoint(path, module, options):
    """Loads parameters into the module; returns its optimiser with the state of the checkpoint, and the metadata."""
    tensors, metadata = read_file(path)
    if metadata.get("format") != FORMAT:
        sys.exit(f"{path}: not a checkpoint of webgpu-rnn, whose metadata say format {FORMAT!r}")
    if any(name.startswith("carried.") for name in tensors):
        sys.exit(f"{path}: it carries states from batch to batch; train with carryState: false to go on here")
    module.load_state_dict({name: value for name, value in tensors.items() if not name.startswith("optimizer.")})
    kind, slots = OPTIMIZERS[metadata["optimizer"]]
    optimizer = kind(module.parameters(), **options)
    updates = json.loads(metadata.get("updates", "{}"))
    for name, parameter in module.named_parameters():
        count = updates.get(name, int(metadata["step"]))
        state = {
            word: tensors[f"optimizer.{slot}.{name}"].to(parameter.device)
            for slot, word in slots.items()
            if f"optimizer.{slot}.{name}" in tensors
        }
        if count == 0 or (kind is torch.optim.SGD and not state):
            continue
        if kind is not torch.optim.SGD:
            state["step"] = torch.tensor(float(count))
        if kind is torch.optim.NAdam:
            group = optimizer.param_groups[0]
            beta, decay = group["betas"][0], group["momentum_decay"]
            mu = [beta * (1 - 0.5 * 0.96 ** (t * decay)) for t in range(1, count + 1)]
            state["mu_product"] = torch.tensor(mu, dtype=torch.float64).prod().float()
        optimizer.state[parameter] = state
    return optimizer, metadata


def save_checkpoint(path, module, optimizer, metadata, steps):
    """Writes what `load_checkpoint` read, `steps` steps later."""
    _, slots = OPTIMIZERS[metadata["optimizer"]]
    tensors = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    for slot, word in slots.items():
        for name, parameter in module.named_parameters():
            value = optimizer.state[parameter].get(word)
            if value is not None:
                tensors[f"optimizer.{slot}.{name}"] = value
    texts = {**metadata, "step": str(int(metadata["step"]) + steps)}
    if "updates" in metadata:
        texts["updates"] = json.dumps({name: count + steps for name, count in json.loads(metadata["updates"]).items()})
    write_file(path, tensors, texts)


class Model(torch.nn.Module):
    """Yours instead. This one is
    new Sequential({ embedding: new Embedding(V, E), rnn: new LSTM(E, H, { numLayers }), out: new Linear(H, V) })."""

    def __init__(self, shapes):
        super().__init__()
        vocabulary, size = shapes["embedding.weight"]
        units = shapes["rnn.weight_hh_l0"][1]
        layers = sum(name.startswith("rnn.weight_hh_l") for name in shapes)
        self.embedding = torch.nn.Embedding(vocabulary, size)
        self.rnn = torch.nn.LSTM(size, units, layers)
        self.out = torch.nn.Linear(units, vocabulary)

    def forward(self, ids):
        return self.out(self.rnn(self.embedding(ids))[0])


def loss_of(logits, targets):
    """What `crossEntropy()` computes: the mean over all steps and rows."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("checkpoint")
    arguments.add_argument("batches")
    arguments.add_argument("out")
    arguments.add_argument("--steps", type=int, default=20)
    arguments.add_argument("--optimizer", type=json.loads, default={}, help="options of the optimiser as JSON, by PyTorch's names")
    arguments.add_argument("--clip-norm", type=float, default=0, help="the trainer's clipNorm; 0 for none")
    given = arguments.parse_args()

    on_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo")
    rank, processes = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")

    shapes = {name: tuple(value.shape) for name, value in read_file(given.checkpoint)[0].items()}
    module = Model(shapes).to(device)
    optimizer, metadata = load_checkpoint(given.checkpoint, module, given.optimizer)
    parallel = DistributedDataParallel(module, device_ids=[device.index] if on_gpu else None)

    batches, _ = read_file(given.batches)
    inputs, targets = (batches[name].long() for name in ("input", "targets"))
    if inputs.shape[2] % processes:
        sys.exit(f"the {inputs.shape[2]} rows of a batch must be a multiple of the {processes} processes")
    rows = slice(rank * inputs.shape[2] // processes, (rank + 1) * inputs.shape[2] // processes)
    first = int(metadata["step"])
    for step in range(first, first + given.steps):
        batch = step % inputs.shape[0]
        optimizer.zero_grad()
        loss = loss_of(parallel(inputs[batch][:, rows].to(device)), targets[batch][:, rows].to(device))
        loss.backward()
        if given.clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(module.parameters(), given.clip_norm)
        optimizer.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        if rank == 0:
            print(f"{step + 1} {mean.item() / processes:.8f}", flush=True)
    if rank == 0:
        save_checkpoint(given.out, module, optimizer, metadata, given.steps)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
