"""Summarizes ncu's output about kernels in a few lines."""

import csv
import io

IN_MICROSECONDS = {"ns": 1e-3, "nsecond": 1e-3, "us": 1, "usecond": 1, "ms": 1e3, "msecond": 1e3, "s": 1e6, "second": 1e6}
SHOWN = {
    "Compute (SM) Throughput": "compute",
    "DRAM Throughput": "DRAM",
    "L2 Cache Throughput": "L2",
    "Achieved Occupancy": "occupancy",
    "Registers Per Thread": "registers",
}


def hottest(text, count):
    """Lines about the kernels that took longest, from ncu's output (--csv --page details). Launches of one kernel with the same
    grid count together."""
    start = text.find('"ID"')
    if start < 0:
        return []
    kernels = {}
    for row in csv.DictReader(io.StringIO(text[start:])):
        launch = (row.get("Kernel Name"), row.get("Grid Size"))
        if not all(launch):
            continue
        kernel = kernels.setdefault(launch, {"microseconds": 0.0, "launches": 0, "values": {}})
        metric = row.get("Metric Name", "")
        try:
            value = float((row.get("Metric Value") or "").replace(",", ""))
        except ValueError:
            continue
        if metric == "Duration":
            kernel["microseconds"] += value * IN_MICROSECONDS.get(row.get("Metric Unit", ""), 1)
            kernel["launches"] += 1
        elif metric in SHOWN:
            kernel["values"][metric] = value
    total = sum(kernel["microseconds"] for kernel in kernels.values())
    ranked = sorted(kernels.items(), key=lambda item: -item[1]["microseconds"])[:count]
    return [
        f"{kernel['microseconds'] / total if total else 0:5.1%} {kernel['microseconds']:.1f} us in {kernel['launches']}, "
        + ", ".join(f"{short} {kernel['values'][name]:g}" for name, short in SHOWN.items() if name in kernel["values"])
        + f": {name[:90]} {grid}"
        for (name, grid), kernel in ranked
    ]
