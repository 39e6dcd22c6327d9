"""Compares benchmarks/gpu/kernels.txt with what nvcc has made of the kernels, or writes it; see ci/check-cuda-resources.

    python3 benchmarks/gpu/check_kernels.py [--update] FILE LOG      FILE: its lines of instances; LOG: what nvcc said

Kernels on wgmma must have what makes them fast. The compiler quietly makes them slow where it cannot prove that sums stay
alone while products are under way, or that registers suffice; no warning of nvcc's that can be made an error tells that.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import tables

ARCHITECTURE = "sm_90a"
PATH = tables.FOLDER / "kernels.txt"
PLANNED_REGISTERS = {  # RegisterShares: of a thread that fills buffers, and of one that multiplies
    "hopper_map_product_kernel": (72, 216),
    "hopper_weight_product_kernel": (40, 232),
}
MAY_NOT_GROW = ("registers", "shared", "instructions", "memory_instructions", "loop_instructions")
COMPLAINTS = {  # of ptxas: what they mean
    "wgmma.mma_async instructions are serialized": "products wait for each other",
    "warpgroup.wait is injected": "sums are touched while products are under way",
    "'setmaxnreg' ignored": "registers are not moved",
}
HEADER = f"# Kernels as compiled for {ARCHITECTURE}: see docs/gpu.md. Written by ci/check-cuda-resources --update\n"


class Instance(NamedTuple):
    symbol: str
    spilled: int
    kernel: tables.CompiledKernel


def compiled_instances(text):
    """Of that architecture."""
    rows = [line.split() for line in text.splitlines()]
    # symbol, architecture, registers, static shared bytes, stack, spilled bytes; instructions and what they consist of
    return [
        Instance(row[0], int(row[5]), tables.CompiledKernel(*map(int, row[2:4] + row[6:])))
        for row in rows
        if row[1] == ARCHITECTURE
    ]


def faults(instances, log):
    """Lines for people: why kernels on wgmma are not as fast as they should be."""
    said = [
        f"{meaning}: {line.strip()}"
        for line in log.splitlines()
        for complaint, meaning in COMPLAINTS.items()
        if complaint in line
    ]
    for symbol, spilled, kernel in instances:
        if "hopper" not in symbol:
            continue
        if not kernel.warpgroup_products:
            said.append(f"{symbol} has no HGMMA")
        if spilled:
            said.append(f"{symbol} spills {spilled} bytes")
        registers = (kernel.released_registers, kernel.claimed_registers)
        planned = next((pair for name, pair in PLANNED_REGISTERS.items() if name in symbol), (0, 0))
        if registers != planned:
            wanted, found = ("%d and %d" % pair for pair in (planned, registers))
            said.append(f"{symbol}: setmaxnreg sets {found} registers (0: it is not there; -1: several); planned are {wanted}")
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("instances", type=Path, help="the lines")
    parser.add_argument("log", type=Path, help="what nvcc said")
    options = parser.parse_args()
    instances = compiled_instances(options.instances.read_text(encoding="utf-8"))
    said = faults(instances, options.log.read_text(encoding="utf-8", errors="replace"))
    if said:
        print("\n".join(said))
        return 1
    names = tables.short_names(instance.symbol for instance in instances)
    found = {names[instance.symbol]: instance.kernel for instance in instances}
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
            if now > then and field in MAY_NOT_GROW:
                said.append(f"{name}: {field} {now}, {PATH.name} has {then}")
    for line in said:
        print(line)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
