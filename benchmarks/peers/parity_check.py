"""Replays reference cases of the published method and compares every tensor: python parity_check.py FOLDER

FOLDER holds safetensors files of the formats layerwise-parity-block-1 (one forward and backward of one block) and
layerwise-parity-network-1 (twenty training steps of a network). Cases with feedback alignment ('bio') or an
unsupervised loss are skipped: the peer does not have these variants. Exits with 1 if a comparison fails.
"""

import argparse
import json
import pathlib
import struct
import sys

import numpy
import torch

from local_loss import BlockOptions, LocalLossBlockConv, LocalLossBlockLinear
from networks import create_network

# Block cases: reference and peer are both float32 and may sum in another order. float32 rounds at 6e-8, and sums of
# some thousand terms were seen to differ by 5e-6; the relative part leaves a factor of twenty. The absolute part
# covers gradients that are zero but for rounding (a bias before batch normalisation).
TENSOR_RELATIVE, TENSOR_ABSOLUTE = 1e-4, 1e-6
LOSS_RELATIVE = 1e-5
# Network cases: twenty steps let rounding grow. The same runs in float64 differ from the float32 reference by up to
# 1e-5 in the global loss (backprop 4e-3, nothing there stops a difference from travelling) and 6e-4 in block losses.
GLOBAL_LOSS_RELATIVE, GLOBAL_LOSS_RELATIVE_BACKPROP = 1e-3, 2e-2
BLOCK_LOSS_RELATIVE = 2e-3
# Final parameters are judged under SGD only: Adam turns the rounding noise of a zero gradient into full steps.
FINAL_PARAMETER_RELATIVE = 1e-4

NUMPY_TYPES = {"F32": "<f4", "I32": "<i4", "U8": "u1"}


def read_safetensors(path):
    """(tensors by name, metadata): an 8-byte header length, a JSON header, raw little-endian elements."""
    data = path.read_bytes()
    (header_length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + header_length + offset for offset in entry["data_offsets"])
        array = numpy.frombuffer(data[begin:end], dtype=NUMPY_TYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors, metadata


class Comparison:
    """Collects the comparisons of one case. Written as not (error <= limit), so that NaN fails."""

    def __init__(self):
        self.count = 0
        self.worst = 0.0  # largest error / limit
        self.failures = []

    def check(self, name, error, limit):
        self.count += 1
        if not error <= limit:
            self.failures.append(f"{name}: error {error:.3g} above {limit:.3g}")
        elif limit > 0:
            self.worst = max(self.worst, error / limit)

    def tensor(self, name, actual, expected):
        if actual.shape != expected.shape:
            self.check(f"{name} of shape {tuple(actual.shape)}, expected {tuple(expected.shape)}", 1, 0)
            return
        difference = (actual.detach().double() - expected.double()).norm().item()
        limit = TENSOR_RELATIVE * expected.double().norm().item() + TENSOR_ABSOLUTE * expected.numel() ** 0.5
        self.check(name, difference, limit)

    def relative(self, name, actual, expected, limit):
        self.check(name, abs(actual - expected), limit * abs(expected))


def prefixed(tensors, prefix):
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def load_parameters(module, parameters):
    """Every parameter of the module must be given, and nothing else; buffers keep their initial values."""
    own = dict(module.named_parameters())
    if own.keys() != parameters.keys():
        raise ValueError(f"Parameters differ between case and peer: {sorted(own.keys() ^ parameters.keys())}.")
    for name, parameter in own.items():
        if parameter.shape != parameters[name].shape:
            shapes = f"{tuple(parameter.shape)} in the peer, {tuple(parameters[name].shape)} in the case"
            raise ValueError(f"The shape of {name} is {shapes}.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(parameters[name])


def block_options(metadata):
    return BlockOptions(
        classes=int(metadata["classes"]),
        loss="none" if metadata.get("backprop") == "1" else metadata["loss"],
        beta=float(metadata["beta"]),
        nonlinearity=metadata["nonlinearity"],
        batch_norm=metadata.get("batch_norm", "1") == "1",
        similarity_std=metadata["similarity_std"] == "1",
        dim_in_decoder=int(metadata["dim_in_decoder"]),
    )


def check_block(tensors, metadata, comparison):
    options = block_options(metadata)
    in_channels, out_channels = int(metadata["ch_in"]), int(metadata["ch_out"])
    bias = metadata["bias"] == "1"
    if metadata["kind"] == "conv":
        kernel, stride, padding = (int(metadata[key]) for key in ("kernel", "stride", "padding"))
        size = (int(metadata["dim_in"]),) * 2
        block = LocalLossBlockConv(in_channels, out_channels, size, options, kernel, stride, padding, bias)
        if "avg_pool" in metadata:
            if str(block.pooling) != metadata["avg_pool"] or str(block.pooling_padding) != metadata["avg_pool_padding"]:
                comparison.check(f"pooling {block.pooling} padded by {block.pooling_padding}", 1, 0)
    else:
        block = LocalLossBlockLinear(in_channels, out_channels, options, bias)
    load_parameters(block, prefixed(tensors, "param."))

    shortcut = tensors["shortcut"].requires_grad_() if "shortcut" in tensors else None
    h = block.hidden(tensors["x"], shortcut)
    loss = block.local_loss(h, tensors["y"].long())
    loss.total.backward()

    comparison.tensor("h", h, tensors["h"])
    computed = {
        "local_logits": loss.logits,
        "similarity_hidden": loss.similarity_hidden,
        "similarity_target": loss.similarity_target,
    }
    for name in computed.keys() & tensors.keys():
        comparison.tensor(name, computed[name], tensors[name])
    gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
    if shortcut is not None:
        gradients["shortcut"] = shortcut.grad
    for name, expected in prefixed(tensors, "grad.").items():
        comparison.tensor(f"grad.{name}", gradients[name], expected)
    buffers = dict(block.named_buffers())
    for name, expected in prefixed(tensors, "buffer.").items():
        comparison.tensor(f"buffer.{name}", buffers[name], expected)
    for name, value in (("total", loss.total), ("sim_weighted", loss.similarity), ("pred_weighted", loss.prediction)):
        comparison.relative(f"loss_{name}", value.item(), float(metadata[f"loss_{name}"]), LOSS_RELATIVE)
    if loss.logits is not None:
        correct = (loss.logits.argmax(dim=1) == tensors["y"]).sum().item()
        comparison.check("correct", abs(correct - int(metadata["correct"])), 0)


def create_optimizer(metadata):
    settings = {"lr": float(metadata["lr"]), "weight_decay": float(metadata["weight_decay"])}
    if metadata["optimizer"] == "sgd":
        return lambda parameters: torch.optim.SGD(parameters, momentum=float(metadata["momentum"]), **settings)
    return lambda parameters: torch.optim.Adam(parameters, **settings)


def check_network(tensors, metadata, comparison):
    size = (int(metadata["input_dim"]),) * 2
    network = create_network(
        metadata["model"],
        int(metadata["input_channels"]),
        size,
        block_options(metadata),
        int(metadata["num_layers"]),
        int(metadata["num_hidden"]),
        float(metadata["feature_multiplier"]),
    )
    load_parameters(network, prefixed(tensors, "init."))
    network.create_optimizers(create_optimizer(metadata))

    images = tensors["train.images"].unsqueeze(1).float() / 255
    images = (images - float(metadata["normalize_mean"])) / float(metadata["normalize_std"])
    labels = tensors["train.labels"].long()
    batch = int(metadata["batch"])
    global_limit = GLOBAL_LOSS_RELATIVE_BACKPROP if network.backprop else GLOBAL_LOSS_RELATIVE
    for step in range(int(metadata["steps"])):
        chosen = slice(step * batch, (step + 1) * batch)
        result = network.train_step(images[chosen], labels[chosen])
        expected = tensors["global_loss"][step].item()
        comparison.relative(f"global_loss[{step}]", result.global_loss.item(), expected, global_limit)
        for index, losses in enumerate(result.block_losses):
            expected = tensors["block_losses"][step, index].tolist()
            for part, (name, value) in enumerate(zip(("similarity", "prediction"), losses)):
                comparison.relative(f"block {index} {name}[{step}]", value.item(), expected[part], BLOCK_LOSS_RELATIVE)

    if metadata["optimizer"] == "sgd":
        final = prefixed(tensors, "final.")
        for name, parameter in network.named_parameters():
            expected = final[name].double()
            difference = (parameter.detach().double() - expected).norm().item()
            comparison.check(f"final.{name}", difference, FINAL_PARAMETER_RELATIVE * expected.norm().item())


CHECKS = {"layerwise-parity-block-1": check_block, "layerwise-parity-network-1": check_network}


def main():
    parser = argparse.ArgumentParser(description="Replays reference cases of the published method.")
    parser.add_argument("folder", type=pathlib.Path, help="folder of reference cases (*.safetensors)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    checked = skipped = failed = 0
    for path in sorted(arguments.folder.glob("*.safetensors")):
        tensors, metadata = read_safetensors(path)
        if metadata.get("format") not in CHECKS:
            parser.error(f"{path} has the format '{metadata.get('format')}', expected one of {', '.join(CHECKS)}.")
        if metadata["bio"] == "1" or metadata["unsupervised"] != "none":
            skipped += 1
            print(f"skip {path.stem}")
            continue
        comparison = Comparison()
        CHECKS[metadata["format"]](tensors, metadata, comparison)
        checked += 1
        failed += bool(comparison.failures)
        verdict = "FAIL" if comparison.failures else "pass"
        worst = f"worst passing at {comparison.worst:.1%} of its limit"
        print(f"{verdict} {path.stem}: {comparison.count} comparisons, {worst}")
        for failure in comparison.failures:
            print(f"     {failure}")
    print(f"{checked} cases checked, {failed} failed, {skipped} skipped")
    if checked == 0:
        parser.error(f"{arguments.folder} holds no case that the peer can replay.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
