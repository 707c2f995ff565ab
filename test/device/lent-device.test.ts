/** A device that a page lends, and draws with: what is the page's stays the page's, what is ours is ours. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, forward, Linear, RnnError, Softmax, type Backend, type Tensor } from "webgpu-rnn";
import { numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

const shape = [2, 3];
const input: Tensor = { shape, data: numbers(6) };
const brokenShader = "@group(0) @binding(0) var<storage, read> x: array<f32>; @compute @workgroup_size(64) fn main() { let a: u32 = 1.5; }";
/** Usages that do not go together. */
const mistake = { label: "the page's own", size: 16, usage: 0x1 | 0x80 };

/** Firefox 153 tells a page of the first uncaptured error of a device and of no later one, whoever uses the device. */
const tellsOnlyTheFirst = /firefox/i.test((globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "");

/** The device of a page: a new one, which the backend that found it no longer uses. */
async function newDevice(): Promise<GPUDevice> {
  return ((await createBackend("webgpu")) as unknown as { device: GPUDevice }).device;
}

const run = (backend: Backend, out = 4) => forward(new Linear(3, out, { seed: 1 }), input, { backend });
const deviceOf = (backend: Backend): GPUDevice => (backend as unknown as { device: GPUDevice }).device;

/** All buffers made on a device from now on, with whether they were destroyed. */
function watchBuffers(device: GPUDevice): { label: string; destroyed: boolean }[] {
  const made: { label: string; destroyed: boolean }[] = [];
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const entry = { label: descriptor.label ?? "", destroyed: false };
    made.push(entry);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      entry.destroyed = true;
      return destroy();
    };
    return buffer;
  };
  return made;
}

describe("a device that a page lends", () => {
  let owner: Backend;
  let device: GPUDevice;
  let seen: string[];
  const listen = (event: GPUUncapturedErrorEvent): void => {
    event.preventDefault?.();
    seen.push(event.error.message);
  };
  beforeAll(async () => {
    owner = await createBackend("webgpu");
    device = deviceOf(owner);
    device.addEventListener("uncapturederror", listen);
  });
  afterAll(() => owner.destroy());

  it("keeps the page's own mistakes for the page, whenever they come", async () => {
    seen = [];
    const backend = await createBackend("webgpu", { device });
    const expected = (await run(backend)).output;
    let mistakes = 0;
    for (let moment = 0; moment < 30; moment++) {
      const pending = run(backend, 4);
      for (let i = 0; i < moment; i++) await Promise.resolve();
      device.createBuffer(mistake);
      mistakes++;
      expect((await pending).output).toEqual(expected);
    }
    const told = tellsOnlyTheFirst ? 1 : mistakes;
    while (seen.length < told) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen.length).toBe(told);
    expect(seen.every((message) => !message || /page's own|usage/i.test(message))).toBe(true);
    expect((await run(backend)).output).toEqual(expected);
    backend.destroy();
  });

  it("leaves the page's error scopes to the page", async () => {
    const backend = await createBackend("webgpu", { device });
    for (let moment = 0; moment < 30; moment++) {
      device.pushErrorScope("validation");
      const pending = run(backend, 4);
      for (let i = 0; i < moment; i++) await Promise.resolve();
      const wrong = moment % 2 === 1;
      if (wrong) device.createBuffer(mistake);
      const popped = await device.popErrorScope();
      expect(popped !== null).toBe(wrong);
      await pending;
    }
    backend.destroy();
  });

  it("says that our own mistakes are ours, and not to the page", async () => {
    seen = [];
    const backend = await createBackend("webgpu", { device, shaders: { "softmax-forward": brokenShader } });
    await expect(forward(new Softmax(), input, { backend })).rejects.toMatchObject({ kind: "device", where: "softmax-forward" });
    // A buffer that the package believes longer than it is, so that the device refuses the write, not the package.
    const buffer = Object.assign(backend.createBuffer("short", "f32", 4), { length: 64 });
    backend.write(buffer, new Float32Array(64));
    await expect(backend.read(buffer)).rejects.toMatchObject({ kind: "device" });
    expect(() => backend.write(buffer, [1])).toThrow(/the device refused a write/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual([]);
    backend.destroy();
  });

  it("survives the end of a backend, which takes back all that it has made", async () => {
    const backend = await createBackend("webgpu", { device });
    const made = watchBuffers(device);
    await run(backend);
    const pending = run(backend);
    expect(made.length).toBeGreaterThan(4);
    backend.destroy();
    await expect(pending).rejects.toMatchObject({ kind: "device" });
    expect(made.filter(({ destroyed }) => !destroyed)).toEqual([]);
    expect(backend.counters.bytes).toBe(0);
    expect(backend.ended).toBe("destroyed");
    expect(await backend.lost).toBeInstanceOf(RnnError);
    await expect(run(backend)).rejects.toThrow(/the backend was destroyed by this program/);
    const other = await createBackend("webgpu", { device });
    await run(other);
    other.destroy();
  });

  it("carries two backends at once, of which either may go first", async () => {
    for (const first of [0, 1]) {
      const backends = await Promise.all([createBackend("webgpu", { device }), createBackend("webgpu", { device })]);
      const results = await Promise.all(backends.map((backend) => run(backend)));
      expect(results[0].output).toEqual(results[1].output);
      backends[first].destroy();
      expect((await run(backends[1 - first])).output).toEqual(results[0].output);
      backends[1 - first].destroy();
    }
  });

  it("gets no listener that stays", async () => {
    const listeners = new Set<unknown>();
    device.addEventListener = (...args: unknown[]) => void listeners.add(args[1]);
    device.removeEventListener = (...args: unknown[]) => void listeners.delete(args[1]);
    for (let i = 0; i < 10; i++) {
      const backend = await createBackend("webgpu", { device });
      await run(backend);
      backend.destroy();
    }
    for (const name of ["addEventListener", "removeEventListener"]) Reflect.deleteProperty(device, name);
    expect(listeners.size).toBe(0);
  });

  it("is enough where WebGPU's constants are no globals, as in Node", async () => {
    const names = ["GPUBufferUsage", "GPUShaderStage", "GPUMapMode"];
    const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
    for (const name of names) Reflect.deleteProperty(globalThis, name);
    try {
      const backend = await createBackend("webgpu", { device });
      expect((await run(backend)).output.shape).toEqual([2, 4]);
      backend.destroy();
    } finally {
      for (const [name, descriptor] of before) if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    }
  });

  it("is refused if it is no device", async () => {
    for (const wrong of [{}, 5, "gpu", { createBuffer() {} }]) {
      await expect(createBackend("webgpu", { device: wrong as unknown as GPUDevice })).rejects.toMatchObject({
        name: "RnnError",
        kind: "option",
      });
    }
  });
});

describe("a device that the page loses", () => {
  it("ends calls in progress and every later call with a typed error", async () => {
    const device = await newDevice();
    const backend = await createBackend("webgpu", { device });
    await run(backend);
    const pending = [run(backend), run(backend, 5), backend.read(backend.createBuffer("some", "f32", 8))];
    device.destroy();
    for (const result of await Promise.allSettled(pending)) {
      // The work that the device had done before is still correct.
      if (result.status === "rejected") expect(result.reason).toMatchObject({ name: "RnnError", kind: "device" });
    }
    await backend.lost;
    expect(backend.ended).toBe("lost");
    await expect(run(backend)).rejects.toMatchObject({ name: "RnnError", kind: "device" });
    await expect(createBackend("webgpu", { device })).rejects.toMatchObject({ name: "RnnError", kind: "device" });
    backend.destroy();
  });
});

describe("programs that are made at the same time", () => {
  it("are refused one by one: only the broken ones, which leave no memory", async () => {
    const rounds = Array.from({ length: 12 }, (_, i) => i);
    for (const round of sampled(rounds, 4)) {
      const backend = await createBackend("webgpu", { shaders: { "softmax-forward": brokenShader } });
      const broken = [0, 1, 2].map((i) => (round >> i) % 2 === 1);
      const results = await Promise.allSettled(broken.map((bad) => (bad ? forward(new Softmax(), input, { backend }) : run(backend))));
      results.forEach((result, i) => {
        if (!broken[i]) expect(result.status).toBe("fulfilled");
        else expect(result).toMatchObject({ status: "rejected", reason: { kind: "device", where: "softmax-forward" } });
      });
      await run(backend);
      backend.destroy();
    }
  });

  it("name memory that the device has not, and work again when it has", async () => {
    const backend = await createBackend("webgpu");
    const device = deviceOf(backend);
    // Held until the end: a collection would free its memory.
    const model = new Linear(3, 4, { seed: 1 });
    await forward(model, input, { backend });
    const before = backend.counters.bytes;
    const pop = device.popErrorScope.bind(device);
    let full = true;
    device.popErrorScope = async () => {
      const found = await pop();
      return full ? { message: "no room" } : found;
    };
    await expect(forward(new Linear(3, 64, { seed: 1 }), input, { backend })).rejects.toMatchObject({
      kind: "limit",
      message: expect.stringMatching(/out of device memory: no room; use a smaller batch/) as string,
    });
    full = false;
    expect(backend.ended).toBeUndefined();
    expect(backend.counters.bytes).toBe(before);
    await forward(new Linear(3, 64, { seed: 1 }), input, { backend });
    model.dispose();
    backend.destroy();
  });
});
