"""Writes reference cases of residual networks: python make_fixtures.py OUT_DIR [--models NAME ...] [--images FILE]

Each file has the format layerwise-parity-network-1 and holds what PyTorch computes in float64. Two kinds of case:

- trajectory: SGD with momentum over several batches; classifiers and output layer start at zero, as the method has it.
- gradient: one step of SGD whose weight decay is 1 / lr, so that a parameter p ends as p - lr (g + p / lr) = -lr g: the
  final parameters are the gradients, times -lr. Classifiers, scales and shifts start at random, because from zero
  classifiers nothing flows back. Tensors whose gradient is zero but for rounding are not among the final ones: a bias
  before a batch norm, the shift of a shortcut's batch norm that joins before another one.

A float32 run moves a few activations across the nonlinearity's kink, and each changes a gradient by up to 1e-2 of it.
So that gradients can be compared to 1e-4, the shifts of batch norms before a nonlinearity start at -SHIFT or SHIFT:
activations of a channel then share one side of the kink.

The same case in float32 is compared with the float64 values, and its distance printed; exits with 1 if it is large.
"""

import argparse
import copy
import json
import lzma
import pathlib
import struct
import sys
from dataclasses import dataclass

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from local_loss import BlockOptions
from parity_check import (
    BLOCK_LOSS_RELATIVE,
    GLOBAL_LOSS_RELATIVE,
    GLOBAL_LOSS_RELATIVE_BACKPROP,
    Comparison,
    prefixed,
)
from residual import ResNet, create_residual_network

# Model, pre-activation, feature multiplier, batch size. A Wide ResNet has no multiplier, so its batches are small.
CASES = (
    ("resnet18", False, 0.125, 16),
    ("resnet18", True, 0.125, 16),
    ("resnet50", False, 0.125, 16),
    ("resnet50", True, 0.125, 16),
    ("wresnet16-4", True, 1.0, 8),
    ("wresnet16-4-adapted", True, 1.0, 8),
)
MODELS = tuple(dict.fromkeys(model for model, *_ in CASES))
SIZE, CHANNELS = 32, 3
TEST_IMAGES = 16
CIFAR_RECORD = 2 + CHANNELS * SIZE * SIZE  # coarse label, fine label, pixels in (C, H, W) order
SHIFT = 6.0  # Larger means cost float32 digits; few normalised activations reach 6 / 1.5, the largest scale.
# A float32 run may use this part of each limit; the rest is for implementations that round elsewhere.
SHARE_OF_LIMIT = 0.5
SAFETENSORS_TYPES = {torch.float32: "F32", torch.uint8: "U8"}


@dataclass(frozen=True)
class Schedule:
    """How a kind of case trains."""

    steps: int
    lr: float  # under local losses
    backprop_lr: float
    momentum: float
    weight_decay: float
    beta: float
    random_start: bool  # of classifiers, scales and shifts

    def learning_rate(self, network):
        return self.backprop_lr if network.backprop else self.lr


# At five to ten times these learning rates training diverges, and amplifies rounding, or one max-pooling window whose
# largest element changes, to the limits within ten steps.
SCHEDULES = {
    "trajectory": Schedule(
        10, lr=5e-3, backprop_lr=1e-4, momentum=0.9, weight_decay=0.0, beta=0.99, random_start=False
    ),
    # With beta 0.5 neither loss hides behind the other.
    "gradient": Schedule(1, lr=10.0, backprop_lr=10.0, momentum=0.0, weight_decay=0.1, beta=0.5, random_start=True),
}


@dataclass(frozen=True)
class ImageSet:
    pixels: torch.Tensor  # (count, C, H, W), bytes
    labels: torch.Tensor  # (count)
    classes: int
    mean: float
    deviation: float

    def batch(self, chosen, dtype):
        x = (self.pixels[chosen].to(dtype) / 255 - self.mean) / self.deviation
        return x, self.labels[chosen].long()


def random_images(count):
    """Smooth coloured patterns of different contrast with some noise, ten classes without meaning."""
    generator = torch.Generator().manual_seed(20)
    coarse = torch.randn(count, CHANNELS, 5, 5, generator=generator)
    contrast = 0.1 + 0.25 * torch.rand(count, 1, 1, 1, generator=generator)
    pattern = F.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear", align_corners=True)
    noise = 0.05 * torch.randn(count, CHANNELS, SIZE, SIZE, generator=generator)
    pixels = (255 * (0.5 + contrast * pattern + noise)).clamp(0, 255).to(torch.uint8)
    labels = torch.randint(10, (count,), generator=generator).to(torch.uint8)
    return ImageSet(pixels, labels, classes=10, mean=0.5, deviation=0.25)


def cifar_images(path, count):
    """The first images of a binary CIFAR-100 file, packed with xz or not, with their fine labels."""
    data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    if len(data) % CIFAR_RECORD != 0 or len(data) < count * CIFAR_RECORD:
        raise ValueError(f"{path} does not hold {count} or more whole CIFAR-100 images: give its test.bin.")
    records = numpy.frombuffer(data, numpy.uint8).reshape(-1, CIFAR_RECORD)[:count].copy()
    pixels = torch.from_numpy(records[:, 2:]).reshape(count, CHANNELS, SIZE, SIZE).contiguous()
    return ImageSet(pixels, torch.from_numpy(records[:, 1].copy()), classes=100, mean=0.41, deviation=0.28)


def move_away_from_kinks(network):
    """Shifts of batch norms before a nonlinearity become -SHIFT or SHIFT.

    Where a shortcut is added between the two, SHIFT only: what arrives there is positive or small.
    """
    joined = set()
    if isinstance(network, ResNet) and not network.preactivation:
        joined = {id(residual.blocks()[-1].bn) for residual in network.residual_blocks()}
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and ".shortcut." not in name and module.bias.requires_grad:
            signs = 1 if id(module) in joined else torch.randint(2, module.bias.shape) * 2 - 1
            nn.init.constant_(module.bias, SHIFT).mul_(signs)


def create_case_network(case, backprop, schedule, classes):
    model, preactivation, feat_mult, _ = case
    torch.manual_seed(7)
    options = BlockOptions(
        classes,
        loss="none" if backprop else "predsim",
        beta=schedule.beta,
        nonlinearity="leakyrelu",  # and ReLU in a Wide ResNet's head
        dim_in_decoder=256,
    )
    network = create_residual_network(model, CHANNELS, (SIZE, SIZE), options, feat_mult, preactivation)
    with torch.no_grad():
        if schedule.random_start:
            for module in network.modules():
                if isinstance(module, nn.Linear):
                    module.reset_parameters()
                elif isinstance(module, nn.BatchNorm2d) and module.weight.requires_grad:
                    nn.init.uniform_(module.weight, 0.5, 1.5)
                    nn.init.uniform_(module.bias, -0.5, 0.5)
        move_away_from_kinks(network)
    return network


def state(network, prefix):
    """Parameters and running statistics."""
    tensors = {prefix + name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def run(network, dtype, schedule, batch, images):
    """Trains a copy of the network in a precision: what a file records of it, by name."""
    network = copy.deepcopy(network).to(dtype)
    settings = {"momentum": schedule.momentum, "weight_decay": schedule.weight_decay}
    lr = schedule.learning_rate(network)
    network.create_optimizers(lambda parameters: torch.optim.SGD(parameters, lr=lr, **settings))
    results = []
    for step in range(schedule.steps):
        x, labels = images.batch(slice(step * batch, (step + 1) * batch), dtype)
        results.append(network.train_step(x, labels))
    tensors = state(network, "final.")
    tensors["global_loss"] = torch.stack([result.global_loss for result in results])
    if not network.backprop:
        block_losses = [[torch.stack(losses) for losses in result.block_losses] for result in results]
        tensors["block_losses"] = torch.stack([torch.stack(losses) for losses in block_losses])
    network.eval()
    with torch.inference_mode():
        tensors["test.logits"] = network(images.batch(slice(-TEST_IMAGES, None), dtype)[0])
    return tensors


def compare(actual, expected, backprop):
    """A Comparison of two runs by the limits that the reference cases are held to."""
    comparison = Comparison()
    global_limit = GLOBAL_LOSS_RELATIVE_BACKPROP if backprop else GLOBAL_LOSS_RELATIVE
    for name, tensor in expected.items():
        if name.endswith("_loss") or name.endswith("_losses"):
            limit = global_limit if name == "global_loss" else BLOCK_LOSS_RELATIVE
            for index, (a, b) in enumerate(zip(actual[name].flatten().tolist(), tensor.flatten().tolist())):
                comparison.relative(f"{name}[{index}]", a, b, limit)
        else:
            comparison.tensor(name, actual[name], tensor)
    return comparison


def without_zero_gradients(tensors, network, schedule):
    """Leaves out final parameters of a gradient case that are zero but for float64's rounding."""
    zero = 1e-12 * schedule.learning_rate(network)
    trained = {f"final.{name}" for name, parameter in network.named_parameters() if parameter.requires_grad}
    return {
        name: tensor for name, tensor in tensors.items() if name not in trained or tensor.square().mean().sqrt() > zero
    }


def write_safetensors(path, tensors, metadata):
    """An 8-byte header length, a JSON header padded to 8 bytes, raw little-endian elements."""
    header, offset, parts = {"__metadata__": metadata}, 0, []
    for name, tensor in sorted(tensors.items()):
        data = tensor.contiguous().numpy().tobytes()
        header[name] = {
            "dtype": SAFETENSORS_TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"".join(parts))


def metadata_of(case, network, schedule, images, test_error):
    model, preactivation, feat_mult, batch = case
    return {
        "format": "layerwise-parity-network-1",
        "model": model,
        "pre_act": "1" if preactivation and model.startswith("resnet") else "0",
        "feature_multiplier": str(feat_mult),
        "num_layers": "0",
        "num_hidden": "0",
        "loss": "predsim",
        "backprop": "1" if network.backprop else "0",
        "beta": str(schedule.beta),
        "alpha": "0.0",
        "unsupervised": "none",
        "bio": "0",
        "similarity_std": "1",
        "nonlinearity": "leakyrelu",
        "dim_in_decoder": "256",
        "input_channels": str(CHANNELS),
        "input_dim": str(SIZE),
        "classes": str(images.classes),
        "normalize_mean": str(images.mean),
        "normalize_std": str(images.deviation),
        "batch": str(batch),
        "steps": str(schedule.steps),
        "optimizer": "sgd",
        "lr": str(schedule.learning_rate(network)),
        "momentum": str(schedule.momentum),
        "weight_decay": str(schedule.weight_decay),
        "final_test_error": str(test_error),
        "block_losses": "(steps, blocks, [similarity, prediction]) each weighted as in the total: similarity carries "
        "beta, prediction 1 - beta; backprop has none",
        "computed_with": f"PyTorch {torch.__version__}, float64",
    }


def make(case, backprop, kind, images, folder):
    """Writes one file and returns the Comparison of float32 with it."""
    model, preactivation, _, batch = case
    schedule = SCHEDULES[kind]
    network = create_case_network(case, backprop, schedule, images.classes)
    exact = without_zero_gradients(run(network, torch.float64, schedule, batch, images), network, schedule)
    comparison = compare(run(network, torch.float32, schedule, batch, images), exact, backprop)

    test_labels = images.labels[-TEST_IMAGES:]
    test_error = (exact["test.logits"].argmax(dim=1) != test_labels).double().mean().item()
    parameters = dict(network.named_parameters())
    tensors = {name: tensor.float() for name, tensor in exact.items()}
    tensors |= {f"init.{name}": parameter.detach() for name, parameter in parameters.items()}
    tensors |= {
        "train.images": images.pixels[: schedule.steps * batch],
        "train.labels": images.labels[: schedule.steps * batch],
        "test.images": images.pixels[-TEST_IMAGES:],
        "test.labels": test_labels,
    }
    variant = "_preact" if preactivation and model.startswith("resnet") else ""
    name = f"net_{model}{variant}_{'backprop' if backprop else 'predsim'}_{kind}"
    metadata = metadata_of(case, network, schedule, images, test_error)
    write_safetensors(folder / f"{name}.safetensors", tensors, metadata)
    return name, comparison


def main():
    parser = argparse.ArgumentParser(description="Writes reference cases of residual networks.")
    parser.add_argument("folder", type=pathlib.Path, metavar="OUT_DIR", help="folder for the cases; created if it does not exist")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--kinds", nargs="+", choices=SCHEDULES, default=tuple(SCHEDULES))
    parser.add_argument("--images", type=pathlib.Path, help="CIFAR-100's test.bin[.xz] (default: random images)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    count = max(schedule.steps for schedule in SCHEDULES.values()) * max(batch for *_, batch in CASES) + TEST_IMAGES
    try:
        images = cifar_images(arguments.images, count) if arguments.images else random_images(count)
    except (OSError, ValueError, lzma.LZMAError) as error:
        parser.error(str(error))

    failed = 0
    for case in (case for case in CASES if case[0] in arguments.models):
        for backprop in (False, True):
            for kind in arguments.kinds:
                name, comparison = make(case, backprop, kind, images, arguments.folder)
                close = not comparison.failures and comparison.worst <= SHARE_OF_LIMIT
                failed += not close
                worst = f"float32's worst passing at {comparison.worst:.1%} of its limit"
                print(f"{'pass' if close else 'FAIL'} {name}: {comparison.count} comparisons, {worst}", flush=True)
                for failure in comparison.failures:
                    print(f"     {failure}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
