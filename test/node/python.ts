/** A Python with PyTorch, if this machine has one: it is only looked for, since to import it takes seconds. */
import { spawnSync } from "node:child_process";

const looks = 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)';
export const python = ["python3", "/usr/bin/python3"].find((name) => spawnSync(name, ["-c", looks]).status === 0);
