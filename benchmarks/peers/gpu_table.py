"""Prints the measurements of `ci/gpu-check bench` as tables.

The folder holds files of JSON lines, as the programs printed them: steps.NETWORK.ENGINE.jsonl of `layerwise bench step`
or gpu_step.py (the engine is then pytorch), and operations.NETWORK.ENGINE.jsonl of `layerwise bench ops`.
"""

import json
import pathlib
import sys

PEER = "pytorch"


def read(folder, kind):
    """{network: {engine: [events]}}, empty files left out."""
    found = {}
    for file in sorted(folder.glob(f"{kind}.*.*.jsonl")):
        _, network, engine, _ = file.name.split(".")
        events = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
        if events:
            found.setdefault(network, {})[engine] = events
    return found


def result(events):
    return next((event for event in reversed(events) if event["event"] == "result"), None)


def matrix_rate(operations):
    """The best measured rate of a matrix product, in GFLOP/s; None without measurements."""
    rates = [
        event["gflop_per_second"]
        for engines in operations.values()
        for events in engines.values()
        for event in events
        if event["event"] == "peaks"
    ]
    return max(rates, default=None)


def print_steps(steps, peak):
    print("Whole training steps; x is how many times as fast as PyTorch\n")
    print(
        f"{'network':<14} {'engine':<8} {'step ms':>9} {'fastest':>9} {'images/s':>10} {'TFLOP/s':>8} {'of peak':>8}"
        f" {'x':>6}"
    )
    for network, engines in steps.items():
        peer = result(engines[PEER]) if PEER in engines else None
        for engine, events in engines.items():
            line = result(events)
            if line is None:
                print(f"{network:<14} {engine:<8} failed")
                continue
            flops = line.get("gflop_per_second")
            rate = f"{flops / 1e3:8.1f}" if flops else f"{'':>8}"
            share = f"{flops / peak:8.1%}" if flops and peak else f"{'':>8}"
            faster = f"{peer['step_ms_median'] / line['step_ms_median']:6.2f}" if peer else f"{'':>6}"
            print(
                f"{network:<14} {engine:<8} {line['step_ms_median']:9.3f} {line['step_ms_min']:9.3f} "
                f"{line['images_per_second']:10.0f} {rate} {share} {faster}"
            )


def print_operations(network, engines):
    """One line per operation and shapes: its time in a step by each engine, and its floor."""
    rows = {}
    for engine, events in engines.items():
        for event in events:
            if event["event"] == "operation":
                rows.setdefault((event["operation"], event["shapes"]), {})[engine] = event
    print(f"\nOperations of a step of {network}, in ms; the floor is the time at the best rates measured\n")
    print(f"{'operation':<20} {'shapes':<34} {'floor':>8}" + "".join(f" {engine:>8}" for engine in engines))
    for (operation, shapes), by_engine in rows.items():
        floor = min(event["floor_ms"] for event in by_engine.values())
        times = "".join(f" {by_engine[e]['ms']:8.3f}" if e in by_engine else f" {'':>8}" for e in engines)
        print(f"{operation:<20} {shapes:<34} {floor:8.3f}{times}")


def main():
    if len(sys.argv) != 2:
        print("usage: gpu_table.py FOLDER", file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    steps, operations = read(folder, "steps"), read(folder, "operations")
    if not steps and not operations:
        print(f"gpu_table.py: {folder} holds no measurements.", file=sys.stderr)
        return 1
    peak = matrix_rate(operations)
    if peak:
        print(f"best rate seen in a matrix product: {peak / 1e3:.1f} TFLOP/s\n")
    print_steps(steps, peak)
    for network, engines in operations.items():
        print_operations(network, engines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
