"""Compares the tables of counts and waves with what the kernels do now, or writes them; see ci/check-cuda-counts.

    python3 benchmarks/gpu/check_counts.py [--update] PROGRAM      PROGRAM: step_counts
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import model
import tables

HEADER = "# What the kernels of a training step do: see docs/gpu.md. Written by ci/check-cuda-counts --update\n"
BLOCKS = "16"  # of each kernel stand for all, or fewer of those that do much
MULTIPROCESSORS = 132
WAVES = "waves.txt"
WAVES_HEADER = "# multiprocessors engine operation blocks resident wave_efficiency, of the products of vgg8b: see docs/gpu.md\n"
HOPPER = ("--engine", "hopper")
COUNTED, LAUNCHES, NOT_CHECKED = "counted", "launches", "not checked"
# table, arguments of step_counts, what a check compares; what takes minutes to count is only written
STEPS = (
    ("vgg8b", ("vgg8b",), COUNTED),
    ("vgg8b-hopper", ("vgg8b", *HOPPER), COUNTED),
    ("vgg11b", ("vgg11b",), NOT_CHECKED),
    ("vgg11b-hopper", ("vgg11b", *HOPPER), LAUNCHES),
    ("vgg11b-3x", ("vgg11b", "--multiple", "3"), NOT_CHECKED),
    ("vgg11b-3x-hopper", ("vgg11b", "--multiple", "3", *HOPPER), NOT_CHECKED),
)
# Whose waves are in the table besides those that are counted: H100 PCIe's, and a whole die's.
OTHER_WAVES = ((114, ("vgg8b",)), (144, ("vgg8b",)))
MOST_DIFFERENCES = 10
TOLERANCE = 0.02  # compilers leave out, or put together, accesses of their own choice


def count(program, arguments, blocks, multiprocessors=MULTIPROCESSORS):
    command = [program, *arguments, "--multiprocessors", str(multiprocessors), "--blocks", blocks]
    return tables.step_of_json(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def engine_of(arguments):
    return "hopper" if "hopper" in arguments else "fused"


def lines(step, counts):
    """A step as text, without what is known from counting where `counts` is false."""
    text = step.text().splitlines()
    if counts:
        return text
    return [re.split(" tiles=| read=", line)[0] for line in text if not line.startswith("    ")]


def waves(step, engine):
    """How full the waves of a step's products by that engine are, a line each."""
    kernels, card = tables.read_kernels(tables.FOLDER / "kernels.txt"), model.Card(multiprocessors=step.multiprocessors)
    return [
        f"{step.multiprocessors} {engine} {operation.label} {launch.blocks} {time.resident} {time.wave_efficiency:.2f}"
        for operation, own in model.step_times(card, step, kernels, True)
        for launch, time in zip(operation.launches, own)
        if launch.engine == engine
    ]


def write(path, text):
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).rename(path)
    print(f"wrote {path}", file=sys.stderr)


def is_same(old, new):
    """The same words, and numbers that are nearly so."""
    old_words, new_words = re.split("[ =/]", old), re.split("[ =/]", new)
    if len(old_words) != len(new_words):
        return False
    for a, b in zip(old_words, new_words):
        try:
            if not abs(float(a) - float(b)) <= TOLERANCE * abs(float(a)):
                return False
        except ValueError:
            if a != b:
                return False
    return True


def differences(name, wanted, found):
    """Lines for people: what the table has and what there is."""
    label, said = "", []
    for old, new in zip(wanted, found):
        if not new.startswith(" "):
            label = new.split()[0]
        if not is_same(old, new):
            said.append(f"{name}: {label}\n  table: {old.strip()}\n  now:   {new.strip()}")
    if len(wanted) != len(found):
        said.append(f"{name}: the table has {len(wanted)} lines, the step makes {len(found)}")
    return said


def check(program, update):
    """Writes the tables, or returns lines for people: where they differ from what there is."""
    said, of_waves = [], []
    for name, arguments, compared in STEPS:
        if compared == NOT_CHECKED and not update:
            continue
        is_counted = compared == COUNTED
        path = tables.FOLDER / f"{name}.txt"
        step = count(program, arguments, BLOCKS if is_counted or update else "0")
        if update:
            write(path, HEADER + step.text())
        else:
            said += differences(name, lines(tables.read_step(path), is_counted), lines(step, is_counted))
        if is_counted:
            of_waves += waves(step, engine_of(arguments))
    for multiprocessors, arguments in OTHER_WAVES:
        of_waves += waves(count(program, arguments, "0", multiprocessors), engine_of(arguments))
    if update:
        write(tables.FOLDER / WAVES, WAVES_HEADER + "".join(line + "\n" for line in of_waves))
    else:
        table = (tables.FOLDER / WAVES).read_text(encoding="utf-8").splitlines()[1:]
        said += differences(WAVES, table, of_waves)
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the tables")
    parser.add_argument("program", help="step_counts, built")
    options = parser.parse_args()
    try:
        said = check(options.program, options.update)
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(map(str, error.cmd))} failed with exit status {error.returncode}")
        return 1
    except FileNotFoundError as error:
        print(f"{error.filename} does not exist; build step_counts, and run ci/check-cuda-counts --update")
        return 1
    if said:
        print("\n".join(said[:MOST_DIFFERENCES]))
        print(f"{len(said)} lines differ; look at what they mean, then run ci/check-cuda-counts --update")
        return 1
    if not options.update:
        print("CUDA: the kernels of a step do what the tables say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
