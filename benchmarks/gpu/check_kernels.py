"""Compares benchmarks/gpu/kernels.txt with what nvcc has made of the kernels, or writes it; see ci/check-cuda-resources.

    python3 benchmarks/gpu/check_kernels.py [--update] FILE      FILE: its lines of instances
"""

import argparse
import sys
from pathlib import Path

import tables

ARCHITECTURE = "sm_90a"
PATH = tables.FOLDER / "kernels.txt"
HEADER = f"# Kernels as compiled for {ARCHITECTURE}: see docs/gpu.md. Written by ci/check-cuda-resources --update\n"


def compiled_kernels(path):
    rows = [line.split() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row[1] == ARCHITECTURE]
    names = tables.short_names(row[0] for row in rows)
    # registers, static shared bytes; not the stack and what is spilled; instructions and what they consist of
    return {names[row[0]]: tables.CompiledKernel(*map(int, row[2:4] + row[6:10])) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("instances", help="the lines")
    options = parser.parse_args()
    found = compiled_kernels(options.instances)
    if options.update:
        text = HEADER + "# kernel " + " ".join(tables.CompiledKernel._fields) + "\n"
        text += "".join(f"{name} {' '.join(map(str, kernel))}\n" for name, kernel in sorted(found.items()))
        PATH.write_text(text, encoding="utf-8")
        print(f"wrote {PATH}", file=sys.stderr)
        return 0
    table = tables.read_kernels(PATH)
    said = [f"{name} is in {PATH.name}, but is not compiled" for name in table if name not in found]
    for name, kernel in found.items():
        if name not in table:
            said.append(f"{name} is not in {PATH.name}; run with --update")
            continue
        for field, now, then in zip(kernel._fields, kernel, table[name]):
            if now > then and field != "loop_products":
                said.append(f"{name}: {field} {now}, {PATH.name} has {then}")
    for line in said:
        print(line)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
