// The flags of `npm run train`: what is taken, what is refused, and in which words.
import { describe, expect, it } from "vitest";
import { completeOptions, help, keep, parseCommandLine } from "../../scripts/train/options.ts";
import { UserError } from "../../scripts/user-error.ts";

function problem(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).exitCode).toBe(2);
    return (error as UserError).message.replace(" (npm run train -- --help lists all flags)", "");
  }
  return expect.fail("nothing was refused");
}

describe("the command line", () => {
  it("takes values behind a space or an equals sign, and the file anywhere", () => {
    const expected = { help: false, file: "a text.txt", given: { cell: "gru", lr: 0.5, hidden: 3, out: "x=y", seed: 0 } };
    expect(parseCommandLine(["--cell", "gru", "a text.txt", "--lr=.5", "--hidden", "3", "--out=x=y", "--seed", "0"])).toEqual(expected);
    expect(parseCommandLine(["--cell=gru", "--lr", "5e-1", "--hidden=3", "--out", "x=y", "--seed=0", "--", "a text.txt"])).toEqual(
      expected,
    );
  });

  it("takes the last of several", () => {
    expect(parseCommandLine(["--steps", "1", "--steps=2"]).given).toEqual({ steps: 2 });
  });

  it("takes --help before everything else", () => {
    expect(parseCommandLine(["--help"]).help).toBe(true);
    expect(parseCommandLine(["--hidden", "3", "-h", "--nonsense"]).help).toBe(true);
  });

  it.each([
    [["--hiden", "3"], "unknown flag --hiden; did you mean --hidden?"],
    [["--optimiser=adam"], "unknown flag --optimiser; did you mean --optimizer?"],
    [["--temp", "1"], "unknown flag --temp; did you mean --temperature?"],
    [["--gpu"], "unknown flag --gpu"],
    [["--constructor", "1"], "unknown flag --constructor"],
    [["-x"], "unknown flag -x"],
    [["--cell", "transformer"], '--cell must be lstm or gru or rnn, got "transformer"'],
    [["--cell", "LSTM"], '--cell must be lstm or gru or rnn, got "LSTM"'],
    [["--cell="], '--cell must be lstm or gru or rnn, got ""'],
    [["--reset", "never"], '--reset must be after or before, got "never"'],
    [["--optimizer", "adagrad"], '--optimizer must be adam or adamw or nadam or rmsprop or sgd, got "adagrad"'],
    [["--backend", "cuda"], '--backend must be auto or cpu or webgpu, got "cuda"'],
    [["--hidden", "-3"], '--hidden must be an integer from 1 to 16384, got "-3"'],
    [["--hidden", "0"], '--hidden must be an integer from 1 to 16384, got "0"'],
    [["--hidden", "2.5"], '--hidden must be an integer from 1 to 16384, got "2.5"'],
    [["--hidden", "99999"], '--hidden must be an integer from 1 to 16384, got "99999"'],
    [["--embedding", "many"], '--embedding must be an integer from 1 to 16384, got "many"'],
    [["--layers", "NaN"], '--layers must be an integer from 1 to 64, got "NaN"'],
    [["--batch", ""], '--batch must be an integer from 1 to 65536, got ""'],
    [["--length", "0"], '--length must be an integer from 1 to 65536, got "0"'],
    [["--steps", "-1"], '--steps must be an integer of at least 0, got "-1"'],
    [["--steps", "1e99"], '--steps must be an integer of at least 0, got "1e99"'],
    [["--seed", "0.5"], '--seed must be an integer of at least 0, got "0.5"'],
    [["--seed", "9007199254740993"], '--seed must be an integer of at least 0, got "9007199254740993"'],
    [["--lr", "0"], '--lr must be a number above 0, got "0"'],
    [["--lr", "NaN"], '--lr must be a number above 0, got "NaN"'],
    [["--lr", "Infinity"], '--lr must be a number above 0, got "Infinity"'],
    [["--lr", "0x10"], '--lr must be a number above 0, got "0x10"'],
    [["--lr", "1,5"], '--lr must be a number above 0, got "1,5"'],
    [["--clip", "-1"], '--clip must be a number of at least 0, got "-1"'],
    [["--dropout", "1"], '--dropout must be a number from 0 to below 1, got "1"'],
    [["--validation", "1"], '--validation must be a number from 0 to below 1, got "1"'],
    [["--temperature", "-0.1"], '--temperature must be a number of at least 0, got "-0.1"'],
    [["--sample", "-1"], '--sample must be an integer from 0 to 1000000, got "-1"'],
    [["--prompt", ""], '--prompt must be a text that is not empty, got ""'],
    [["--out="], '--out must be a text that is not empty, got ""'],
    [["--lr"], "--lr needs a value: a number above 0"],
    [["--out", "--json", "x"], "--out needs a value: a text that is not empty"],
    [["--lr", "--clip=3"], "--lr needs a value: a number above 0"],
    [["a.txt", "b.txt"], 'one FILE at most, got "a.txt" and "b.txt"'],
  ])("refuses %j", (args, message) => {
    expect(problem(() => parseCommandLine(args))).toBe(message);
  });
});

describe("the options", () => {
  it("are those of the README where nothing is said", () => {
    expect(completeOptions({})).toMatchObject({
      cell: "lstm",
      reset: "after",
      embedding: 64,
      hidden: 128,
      layers: 1,
      dropout: 0,
      batch: 32,
      length: 64,
      validation: 0,
      optimizer: "adam",
      lr: 0.005,
      clip: 5,
      backend: "auto",
      steps: 400,
      seed: 1,
      sample: 300,
      temperature: 0.8,
      out: undefined,
      json: undefined,
      resume: undefined,
      "save-every": 0,
    });
  });

  it("refuse each other where they do not go together", () => {
    expect(problem(() => completeOptions({ reset: "before" }))).toBe("--reset is for --cell gru, got --cell lstm");
    expect(problem(() => completeOptions({ "save-every": 3 }))).toBe("--save-every needs --out");
  });

  it("come back from a checkpoint, apart from those that are given now and may change", () => {
    const before = completeOptions({ cell: "gru", reset: "before", hidden: 7, lr: 0.1, clip: 0, dropout: 0.5, seed: 2 ** 50, steps: 9 });
    expect(completeOptions({ lr: 0.2, hidden: 7 }, keep(before))).toEqual({ ...before, lr: 0.2, steps: 400 });
    expect(problem(() => completeOptions({ hidden: 8 }, keep(before)))).toBe(
      "--hidden 8: the run that --resume goes on with has --hidden 7",
    );
  });

  it.each([
    ["nonsense", "--resume: the file's options cannot be used: they are no JSON"],
    ["3", "--resume: the file's options cannot be used: they are no JSON object"],
    ["{}", "--resume: the file's options cannot be used: --cell is missing"],
    [
      keep(completeOptions({})).replace("128", "-128"),
      '--resume: the file\'s options cannot be used: --hidden must be an integer from 1 to 16384, got "-128"',
    ],
  ])("of a checkpoint are checked: %s", (json, message) => {
    expect(() => completeOptions({}, json)).toThrow(message);
  });
});

describe("--help", () => {
  it("names every option with its default in lines that fit a terminal", () => {
    for (const name of Object.keys(completeOptions({}))) expect(help).toContain(`--${name} `);
    expect(help).toContain("learning rate (0.005)");
    for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
  });
});
