"""The predicted time of a training step's kernels, from counts. docs/gpu.md gives the formula and what is wrong with it.

No number in here has been fitted to a prediction: rates are the H100's, as published or as an expert estimates what can
be attained of them.
"""

import collections
from typing import NamedTuple


class Card(NamedTuple):
    """Like an H100 SXM. Rates of the whole card are for 132 multiprocessors; the L2 cache's follows their number."""

    multiprocessors: int = 132
    clock: float = 1.6e9  # per second, under the load of tensor cores
    mma_cycles: float = 6  # of a quarter of a multiprocessor, per mma.sync of 16×8×16 bfloat16: 2/3 of what wgmma attains
    wgmma_cycles: float = 70  # of a multiprocessor, per m64n128k16: 64 at the full rate; the best libraries attain 0.91 of it
    instructions_per_cycle: float = 2.8  # of a multiprocessor: 4 schedulers, 0.7 attained with few warps
    wavefronts_per_cycle: float = 1.0  # of shared memory
    l2_bytes_per_second: float = 5.5e12 / 132  # a multiprocessor's share where all of them read
    l2_bytes_per_cycle: float = 64  # what one can read at most, where few do
    hbm_bytes_per_second: float = 3.0e12
    launch_seconds: float = 1.3e-6  # between a node of a graph and the next one
    early_launch_seconds: float = 0.6e-6  # where the next one is launched before the first has ended
    latency_seconds: float = 0.8e-6  # a kernel's first loads and last stores, which nothing hides
    registers: int = 65536
    shared_bytes: int = 228 << 10
    reserved_shared_bytes: int = 1 << 10  # of a block
    threads: int = 2048
    blocks: int = 32


class Time(NamedTuple):
    seconds: float
    limit: str  # what takes longest
    resident: int = 0  # blocks of a multiprocessor
    occupancy: float = 0  # warps of the most that there can be
    wave_efficiency: float = 0  # the part of the time in which all multiprocessors have as much to do as they can


def divided(extent, by):
    return -(-extent // by)


def resident_blocks(card, launch, kernel):
    warps = divided(launch.threads, 32)
    registers = divided(kernel.registers * 32, 256) * 256 * warps
    shared = launch.shared + kernel.shared + card.reserved_shared_bytes
    return min(card.registers // max(registers, 1), card.shared_bytes // shared, card.threads // (32 * warps), card.blocks)


def cycles_by_limit(card, counts, instructions, hbm_bytes, active):
    """What a tile keeps each part of its multiprocessor busy for, `active` of which work: they share L2 cache and memory."""
    l2_share = min(card.l2_bytes_per_second / card.clock * card.multiprocessors / active, card.l2_bytes_per_cycle)
    return {
        "mma": (counts.mma_bf16 + counts.mma_tf32) * card.mma_cycles / 4 + counts.wgmma * card.wgmma_cycles,
        "issue": instructions / card.instructions_per_cycle,
        "shared": counts.shared_wavefronts() / card.wavefronts_per_cycle,
        "L2": 32 * counts.global_sectors() / l2_share,
        "HBM": hbm_bytes / card.hbm_bytes_per_second * active * card.clock,
    }


def instructions_of(launch, kernel, is_tail):
    """Estimated: products bring those of the loop that they are in; what has none takes as many for a request to memory as
    the whole kernel has. A wgmma is an instruction of four warps, and other warps load for it."""
    counts = launch.tail if is_tail else launch.main
    requests = counts.memory_requests() * kernel.instructions / max(kernel.memory_instructions, 1)
    if is_tail or not kernel.loop_products:
        return requests
    of_a_product = kernel.loop_instructions / kernel.loop_products
    if counts.wgmma:
        return 4 * counts.wgmma * of_a_product + requests
    return (counts.mma_bf16 + counts.mma_tf32) * of_a_product or requests


def launch_time(card, launch, kernel, is_early):
    """Of one node of the graph."""
    gap = card.early_launch_seconds if is_early else card.launch_seconds
    if not launch.is_kernel:
        return Time(gap + card.latency_seconds + (launch.read + launch.written) / card.hbm_bytes_per_second, "launch")
    resident = resident_blocks(card, launch, kernel)
    # Blocks of the multiprocessor that has most of them: whole waves, then what is left, evenly spread.
    slots = card.multiprocessors * resident
    busiest = launch.blocks // slots * resident + divided(launch.blocks % slots, card.multiprocessors)
    parts = [(launch.main, False, launch.read + launch.written)]
    if launch.tail.memory_requests():
        parts = [(launch.main, False, launch.read), (launch.tail, True, launch.written)]
    totals, cycles = collections.Counter(), 0.0
    for counts, is_tail, hbm_bytes in parts:
        instructions = instructions_of(launch, kernel, is_tail)
        active = min(launch.blocks, card.multiprocessors)
        limits = cycles_by_limit(card, counts, instructions, hbm_bytes / (launch.blocks * launch.tiles), active)
        name = max(limits, key=limits.get)
        totals[name] += limits[name]
        cycles += limits[name]
    work = busiest * launch.most_tiles * cycles / card.clock
    fixed = gap + card.latency_seconds
    limit = "launch" if fixed > work else totals.most_common(1)[0][0]
    occupancy = resident * divided(launch.threads, 32) * 32 / card.threads
    efficiency = launch.tiles / launch.most_tiles * launch.blocks / (card.multiprocessors * busiest)
    return Time(fixed + work, limit, resident, occupancy, efficiency)


def step_times(card, step, kernels, early_launches):
    """[(operation, [Time of each of its launches])]. Throws KeyError for a kernel that is in no table. `early_launches`:
    whether kernels are launched before the one before them has ended."""
    times, after_kernel = [], False
    for operation in step.operations:
        own = []
        for launch in operation.launches:
            is_early = early_launches and after_kernel and launch.is_kernel
            kernel = kernels[launch.kernel] if launch.is_kernel else None
            own.append(launch_time(card, launch, kernel, is_early))
            after_kernel = launch.is_kernel
        times.append((operation, own))
    return times


def fastest_times(steps_times):
    """Of several predictions of one step, by different engines: for each operation the one that takes least, the first of
    equals. Throws ValueError where they are not the same operations in the same order."""
    labels = [[operation.label for operation, _ in times] for times in steps_times]
    if any(other != labels[0] for other in labels):
        raise ValueError("the engines' tables are of different steps; run ci/check-cuda-counts --update")
    return [min(rows, key=lambda row: sum(time.seconds for time in row[1])) for rows in zip(*steps_times)]
