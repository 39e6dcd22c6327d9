"""What several GPUs would gain, on paper: bytes and bandwidths around a predicted step. Nothing here was measured.

A node has 8 GPUs. Ring algorithms move a GPU's bytes at NVLink's rate inside one node, and at the rate of the GPU's own
network card where the ring leaves the node. Each exchange has a latency, which grows with the logarithm of the nodes.
"""

import argparse
import dataclasses
import json
import math
import subprocess
from pathlib import Path

GPUS_PER_NODE = 8
NVLINK = 450e9  # bytes per second and direction
NETWORK = 50e9  # of each GPU: a node has eight cards of 400 Gb/s
LATENCY, LATENCY_PER_DOUBLING = 12e-6, 6e-6  # assumptions: of an exchange in a node, and more for twice as many nodes
SIMILARITY_RATE = 100e12  # assumption: FLOP/s of the similarity loss, which has small tiles
MOST_DECODER_FEATURES = 4096

# Output channels of 3x3 convolutions, M for 2x2 max-pooling; then one linear layer of 1024.
FEATURES = {
    "vgg8b": "128 256 M 256 512 M 512 M 512 M",
    "vgg11b": "128 128 128 256 M 256 512 M 512 512 M 512 M",
}


@dataclasses.dataclass(frozen=True)
class Block:
    parameters: int
    compared: int  # features of a sample that the similarity loss compares
    channels: int


def pooled_features(channels, side):
    """Of the local classifier: pooled in rows and columns by turns until they fit."""
    rows = columns = 1

    def features():
        return channels * -(-side // rows) * -(-side // columns)

    while features() > MOST_DECODER_FEATURES and rows < side:
        rows *= 2
        if features() > MOST_DECODER_FEATURES:
            columns *= 2
    return features()


def blocks(network, multiple=1, classes=100, side=32, channels=3):
    """Hidden blocks and the output layer of a network for images of 3x32x32, by predsim."""
    result = []
    for item in FEATURES[network].split():
        if item == "M":
            side //= 2
            continue
        out = int(int(item) * multiple)
        classifier = classes * (pooled_features(out, side) + 1)
        result.append(Block(9 * channels * out + 3 * out + classifier + 9 * out * out, out, out))
        channels = out
    linear = channels * side * side
    result.append(Block(linear * 1024 + 3 * 1024 + classes * 1025 + 1024 * 1024, 1024, 1024))
    result.append(Block(1024 * classes + classes, 0, 0))
    return result


def received_bytes(block, gpus, batch, statistics):
    """By each GPU in a step, `batch` images on each: docs/distributed.md has the formula."""
    others = gpus - 1
    gradient = 2 * 4 * block.parameters * others / gpus
    if block.channels == 0:
        return gradient
    moments = 2 * block.channels * 4 * others
    if statistics == "local":
        return gradient + moments
    return gradient + 2 * moments + others * batch * 4 * (block.compared + 1)


def exchange_seconds(block, gpus, batch, statistics):
    if gpus == 1:
        return 0
    nodes = max(1, gpus / GPUS_PER_NODE)
    exchanges = 2 if block.channels == 0 else 3 if statistics == "local" else 6
    rate = NVLINK if nodes == 1 else NETWORK
    return exchanges * (LATENCY + LATENCY_PER_DOUBLING * math.log2(nodes)) + (
        received_bytes(block, gpus, batch, statistics) / rate
    )


def gradient_seconds(block, gpus):
    return 2 * 4 * block.parameters * (gpus - 1) / gpus / (NVLINK if gpus <= GPUS_PER_NODE else NETWORK)


def more_similarity_seconds(block, gpus, batch):
    """Own rows against the columns of the other GPUs: a product forward and one backward."""
    return 4 * batch * batch * (gpus - 1) * block.compared / SIMILARITY_RATE


@dataclasses.dataclass(frozen=True)
class Prediction:
    gpus: int
    statistics: str
    megabytes: float       # that a GPU receives
    exchange_ms: float     # of a step; nothing is overlapped
    efficiency: float      # images per second and GPU, compared with one GPU
    overlapped: float      # the same if gradients are exchanged while the next block computes


def predict(network, multiple, step_seconds, gpus, statistics, batch=128):
    """Every GPU has `batch` images: the batch grows with their number."""
    of = blocks(network, multiple)
    exchange = sum(exchange_seconds(block, gpus, batch, statistics) for block in of)
    more = sum(more_similarity_seconds(block, gpus, batch) for block in of) if statistics == "global" else 0
    hidden = min(sum(gradient_seconds(block, gpus) for block in of), step_seconds)
    received = sum(received_bytes(block, gpus, batch, statistics) for block in of)
    return Prediction(
        gpus,
        statistics,
        received * 1e-6,
        exchange * 1e3,
        step_seconds / (step_seconds + more + exchange),
        step_seconds / (step_seconds + more + exchange - hidden),
    )


def predict_layers(network, multiple, step_seconds, gpus, gain, stages, batch=128):
    """Stages of consecutive blocks, each on gpus / stages replicas with local statistics; `gain` is how many times as fast
    the stages are as one GPU that does all blocks. Parameters are taken to be spread evenly."""
    replicas = gpus // stages
    of = blocks(network, multiple)
    exchange = sum(exchange_seconds(block, replicas, batch, "local") for block in of) / stages
    return step_seconds / gain / (step_seconds / gain + exchange) * gain / stages


def step_seconds(network, multiple):
    program = Path(__file__).resolve().parent.parent / "predict_gpu_step"
    arguments = [program, "--model", network, "--multiple", str(multiple), "--json"]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=FEATURES, default="vgg8b")
    parser.add_argument("--multiple", type=int, default=1, help="factor of the convolutions' channels (default: 1)")
    options = parser.parse_args()
    seconds = step_seconds(options.model, options.multiple)
    print(f"{options.model} {options.multiple}x, 128 images per GPU: predicted step of one GPU {1e3 * seconds:.2f} ms\n")
    print("| GPUs | statistics | MB received | exchanges, ms | efficiency | gradients overlapped |")
    print("|---|---|---|---|---|---|")
    for gpus in (8, 16, 64, 512):
        for statistics in ("global", "local"):
            of = predict(options.model, options.multiple, seconds, gpus, statistics)
            print(
                f"| {gpus} | {statistics} | {of.megabytes:.0f} | {of.exchange_ms:.2f} | {of.efficiency:.0%} "
                f"| {of.overlapped:.0%} |"
            )
    print("\n| GPUs | stages × replicas | efficiency |\n|---|---|---|")
    for gpus, gain, stages in ((8, 1.94, 2), (16, 1.94, 2), (64, 1.94, 2), (512, 1.94, 2), (512, 2.46, 4)):
        share = predict_layers(options.model, options.multiple, seconds, gpus, gain, stages)
        print(f"| {gpus} | {stages} × {gpus // stages} | {share:.0%} |")


if __name__ == "__main__":
    main()
