"""The tables of what kernels do: counts of a training step (native/benchmarks/step_counts writes them as JSON) and what
kernels were compiled to (ci/check-cuda-resources). docs/gpu.md tells what the columns mean."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
PRODUCTS = {"implicit_gemm_kernel": "fused", "hopper_": "hopper"}  # engines, by how the names of their products begin
SINGLE = ("mma_bf16", "mma_tf32", "wgmma", "shuffles", "barriers")
REQUESTS = (
    "shared_loads",
    "shared_stores",
    "matrix_loads",
    "copies_read",
    "copies_stored",
    "product_loads",
    "global_loads",
    "global_stores",
)
NO_INSTRUCTIONS = ("copies_stored", "product_loads")  # what copies and products do by themselves
SHARED = ("shared_loads", "shared_stores", "matrix_loads", "copies_stored", "product_loads")


class Requests(NamedTuple):
    requests: float = 0
    parts: float = 0  # wavefronts of shared memory, sectors of global memory
    bytes: float = 0


class Counts:
    """Of an average block, or of an average tile where blocks do several in turn."""

    def __init__(self, values):
        for name in SINGLE:
            setattr(self, name, float(values.get(name, 0)))
        for name in REQUESTS:
            setattr(self, name, Requests(*map(float, values.get(name, ()))))

    def memory_requests(self):
        return sum(getattr(self, name).requests for name in REQUESTS if name not in NO_INSTRUCTIONS)

    def shared_wavefronts(self):
        return sum(getattr(self, name).parts for name in SHARED)

    def global_sectors(self):
        return sum(getattr(self, name).parts for name in ("copies_read", "global_loads", "global_stores"))

    def text(self):
        words = [f"{name}={getattr(self, name):.6g}" for name in SINGLE if getattr(self, name)]
        for name in REQUESTS:
            requests = getattr(self, name)
            if requests.requests:
                words.append(name + "=" + "/".join(f"{value:.6g}" for value in requests))
        return " ".join(words)

    @staticmethod
    def parse(words):
        values = {}
        for word in words:
            name, _, value = word.partition("=")
            if name not in SINGLE + REQUESTS:
                raise ValueError(f"there is no count '{name}'")
            values[name] = value.split("/") if name in REQUESTS else value
        return Counts(values)


class Launch:
    """A kernel, copy or fill of a step. `tiles`: of an average block, and of the one that has most; 1 where a block does one
    piece of work and ends. The counts are those of a tile."""

    def __init__(self, kernel, blocks, threads, shared, read, written, main, tail, tiles=(1, 1)):
        self.kernel, self.blocks, self.threads, self.shared = kernel, blocks, threads, shared
        self.read, self.written, self.main, self.tail = read, written, main, tail
        self.tiles, self.most_tiles = tiles

    @property
    def is_kernel(self):
        return self.blocks > 0

    @property
    def engine(self):
        """Which engine's product this is; None where it is none."""
        return next((engine for start, engine in PRODUCTS.items() if self.kernel.startswith(start)), None)

    def text(self):
        tiles = "" if (self.tiles, self.most_tiles) == (1, 1) else f" tiles={self.tiles:.6g}/{self.most_tiles:g}"
        return (
            f"{self.kernel} blocks={self.blocks} threads={self.threads} shared={self.shared}{tiles} "
            f"read={self.read} written={self.written}"
        )


class Operation:
    def __init__(self, label, shapes, flops, bytes):
        self.label, self.shapes, self.flops, self.bytes = label, shapes, flops, bytes
        self.launches = []


class Step:
    def __init__(self, model, multiple, batch, multiprocessors, nodes):
        self.model, self.multiple, self.batch = model, multiple, batch
        self.multiprocessors, self.nodes = multiprocessors, nodes
        self.operations = []

    def text(self):
        lines = [
            f"step {self.model} multiple={self.multiple:g} batch={self.batch} "
            f"multiprocessors={self.multiprocessors} nodes={self.nodes}"
        ]
        for operation in self.operations:
            lines.append(f"{operation.label} flops={operation.flops:.9g} bytes={operation.bytes:.9g} {operation.shapes}".rstrip())
            for launch in operation.launches:
                lines.append("  " + launch.text())
                for name, counts in (("main", launch.main), ("tail", launch.tail)):
                    if counts.text():
                        lines.append(f"    {name} {counts.text()}")
        return "\n".join(lines) + "\n"


def short_name(demangled):
    """A kernel's name without what all of them share, and without spaces."""
    name = demangled.replace("layerwise::cuda::", "").replace("layerwise::", "").removeprefix("void ")
    depth = 0
    for at, letter in enumerate(name):  # up to the arguments; those of templates may have brackets too
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            name = name[:at]
            break
    name = re.sub(r"\(Inner\)0", "Inner::depth", name)
    name = re.sub(r"\(Inner\)1", "Inner::extent", name)
    return name.replace("unsigned ", "unsigned_").replace(" ", "")


def short_names(symbols):
    symbols = list(symbols)
    demangled = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True)
    return dict(zip(symbols, map(short_name, demangled.stdout.splitlines())))


def step_of_json(text):
    """Of what step_counts prints."""
    rows = [json.loads(line) for line in text.splitlines()]
    names = short_names({row["kernel"] for row in rows if row["event"] == "launch"})
    head = next(row for row in rows if row["event"] == "step")
    step = Step(head["model"], head["multiple"], head["batch_size"], head["multiprocessors"], head["nodes"])
    operations = [row for row in rows if row["event"] == "operation"]
    outside = Operation("outside", "", 0, 0)  # what no operation launches
    here = outside
    step.operations.append(here)
    for row in rows:
        if row["event"] != "launch":
            continue
        if not row["label"]:
            here = outside
        elif row["label"] != here.label:
            while operations[0]["label"] != row["label"]:
                operations.pop(0)  # it launched nothing
            costs = operations.pop(0)
            here = Operation(costs["label"], costs["shapes"], costs["flops"], costs["bytes"])
            step.operations.append(here)
        copied = row["copied"]
        here.launches.append(
            Launch(
                names[row["kernel"]],
                row["blocks"],
                row["threads"],
                row["shared_bytes"],
                copied if row["kernel"] == "copy" else row["read"],
                copied or row["written"],
                Counts(row["main"]),
                Counts(row["tail"]),
                (row.get("tiles", 1), row.get("most_tiles", 1)),
            )
        )
    return step


def fields(words):
    return dict(word.split("=", 1) for word in words)


def read_step(path):
    """Throws ValueError where the file is no such table."""
    step = None
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        words = line.split()
        try:
            if line.startswith("step "):
                head = fields(words[2:])
                step = Step(words[1], float(head["multiple"]), *(int(head[n]) for n in ("batch", "multiprocessors", "nodes")))
            elif line.startswith("    "):
                setattr(step.operations[-1].launches[-1], words[0], Counts.parse(words[1:]))
            elif line.startswith("  "):
                own = fields(words[1:])
                numbers = [int(own[n]) for n in ("blocks", "threads", "shared", "read", "written")]
                tiles, most_tiles = map(float, own.get("tiles", "1/1").split("/"))
                launch = Launch(words[0], *numbers, Counts({}), Counts({}), (tiles, most_tiles))
                step.operations[-1].launches.append(launch)
            else:
                own = fields(words[1:3])
                step.operations.append(Operation(words[0], " ".join(words[3:]), float(own["flops"]), float(own["bytes"])))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: this is no table of counts ({error})") from error
    if step is None:
        raise ValueError(f"{path}: this is no table of counts")
    return step


class CompiledKernel(NamedTuple):
    registers: int
    shared: int
    instructions: int
    memory_instructions: int
    loop_instructions: int
    loop_products: int
    warpgroup_products: int = 0
    released_registers: int = 0
    claimed_registers: int = 0


def read_kernels(path):
    """By short name."""
    kernels = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, *numbers = line.split()
        kernels[name] = CompiledKernel(*map(int, numbers))
    return kernels
