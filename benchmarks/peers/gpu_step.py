"""Times whole training steps of a network of local-loss blocks, as `layerwise bench step` does, in PyTorch.

A step takes a batch of random byte images in device memory, crops, flips and normalizes it, and trains every block on its
own loss and the output layer on the network's loss. It uses channels-last activations, bfloat16 autocast for matrix products
and convolutions, one compiled graph for each block's forward pass and losses, and fused Adam.

Prints one JSON object: the median and shortest time of a step in milliseconds, and images per second at the median.
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from local_loss import BlockOptions, LocalLossBlock
from networks import MODELS, create_network

BATCHES = 4  # of random images, so that steps see different ones
CROP_PADDING = 4
BYTE_MEAN, BYTE_DEVIATION = 0.5, 0.29


def make_parser(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", choices=MODELS, default="vgg8b")
    parser.add_argument("--feat-mult", type=float, default=1)
    parser.add_argument("--loss", choices=("pred", "sim", "predsim", "backprop"), default="predsim")
    parser.add_argument("--num-layers", type=int, default=1, help="hidden linear layers (default: %(default)s)")
    parser.add_argument("--num-hidden", type=int, default=1024)
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--input", default="3x32x32", help="channels, height and width (default: %(default)s)")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5, help="steps before measuring (default: %(default)s)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=("bf16", "f32"), default="bf16")
    parser.add_argument("--tf32", action="store_true", help="allow TF32: float32 products with ten bits of mantissa")
    parser.add_argument("--default-adam", action="store_true", help="PyTorch's default Adam instead of the fused one")
    parser.add_argument("--no-compile", action="store_true", help="do not use torch.compile")
    parser.add_argument("--compile-mode", default="default", help="mode of torch.compile (default: %(default)s)")
    return parser


def parse_arguments():
    parser = make_parser("Times training steps with local losses in PyTorch.")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("there is no CUDA device that PyTorch can use; --device cpu tries the program without one")
    return options


class Images:
    """Random byte images and labels on the device."""

    def __init__(self, count, shape, classes, device):
        channels, height, width = shape
        generator = torch.Generator().manual_seed(1)
        framed = (count, channels, height + 2 * CROP_PADDING, width + 2 * CROP_PADDING)
        pixels = torch.zeros(framed, dtype=torch.uint8)
        pixels[:, :, CROP_PADDING:-CROP_PADDING, CROP_PADDING:-CROP_PADDING] = torch.randint(
            256, (count, *shape), dtype=torch.uint8, generator=generator
        )
        self.pixels = pixels.to(device)
        self.labels = (torch.arange(count) % classes).to(device)
        self.rows = torch.arange(height, device=device)
        self.columns = torch.arange(width, device=device)

    def batch(self, first, count):
        """Images (N, C, H, W), cropped, flipped and normalized, and labels."""
        device = self.pixels.device
        top = torch.randint(2 * CROP_PADDING + 1, (count, 1), device=device)
        left = torch.randint(2 * CROP_PADDING + 1, (count, 1), device=device)
        flipped = torch.randint(2, (count, 1), device=device, dtype=torch.bool)
        columns = left + torch.where(flipped, self.columns.flip(0), self.columns)
        image = torch.arange(first, first + count, device=device)
        cut = self.pixels[image[:, None, None], :, (top + self.rows)[:, :, None], columns[:, None, :]]  # (N, H, W, C)
        images = (cut / 255 - BYTE_MEAN) / BYTE_DEVIATION
        return images.permute(0, 3, 1, 2), self.labels[first : first + count]


class BlockStep:
    """A block's training step, with what stands between it and the next block."""

    def __init__(self, block, compile_function):
        self.block = block
        self.pools = []
        self.forward = compile_function(self._forward)

    def _forward(self, x, labels):
        h = self.block.hidden(x)
        output = self.block.dropout(h.detach())
        for pool in self.pools:
            output = pool(output)
        return self.block.local_loss(h, labels).total, output

    def __call__(self, x, labels, autocast):
        with autocast():
            loss, output = self.forward(x, labels)
        self.block.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.block.optimizer.step()
        return output


class Trainer:
    """All steps of a network."""

    def __init__(self, network, options):
        device = torch.device(options.device)
        self.autocast = lambda: torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16")

        def compile_function(function):
            return function if options.no_compile else torch.compile(function, mode=options.compile_mode)

        self.network = network
        self.blocks = []
        if network.backprop:
            self.global_loss = compile_function(lambda x, labels: F.cross_entropy(network(x), labels))
            return
        for module in network.hidden_modules():
            if isinstance(module, LocalLossBlock):
                self.blocks.append(BlockStep(module, compile_function))
            else:
                self.blocks[-1].pools.append(module)
        self.output_loss = compile_function(self._output_loss)

    def _output_loss(self, x, labels):
        return self.network.output_loss_weight * F.cross_entropy(self.network.output_layer()(x.flatten(1)), labels)

    def global_step(self, x, labels):
        with self.autocast():
            loss = self.global_loss(x, labels)
        for optimizer in self.network.optimizers():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.network.optimizers():
            optimizer.step()
        return loss.detach()

    def step(self, x, labels):
        if self.network.backprop:
            return self.global_step(x, labels)
        for block in self.blocks:
            x = block(x, labels, self.autocast)
        with self.autocast():
            loss = self.output_loss(x, labels)
        self.network.output_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.network.output_optimizer.step()
        return loss.detach()


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_steps(options, trainer, images, first, count, synchronize):
    """Trains on `count` images of each batch, from `first` on. Gives what a result says of the time of the whole batch."""
    times = []
    for step in range(options.warmup + options.steps):
        synchronize()
        begin = time.perf_counter()
        x, labels = images.batch(step % BATCHES * options.batch_size + first, count)
        loss = trainer.step(x.contiguous(memory_format=torch.channels_last), labels)
        synchronize()
        if step >= options.warmup:
            times.append(1e3 * (time.perf_counter() - begin))
    if not torch.isfinite(loss):
        raise ValueError("The steps computed a loss that is not a number; their time says nothing.")
    median = statistics.median(times)
    return {
        "images_per_second": 1e3 * options.batch_size / median,
        "step_ms_median": median,
        "step_ms_min": min(times),
    }


def run(options):
    device = torch.device(options.device)
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    shape = tuple(int(extent) for extent in options.input.split("x"))
    if options.threads:
        torch.set_num_threads(options.threads)
    loss = "none" if options.loss == "backprop" else options.loss
    network = create_network(
        options.model,
        shape[0],
        shape[1:],
        BlockOptions(options.classes, loss, nonlinearity="leakyrelu"),
        options.num_layers,
        options.num_hidden,
        options.feat_mult,
    )
    network = network.to(device, memory_format=torch.channels_last).train()
    fused = None if options.default_adam else True
    network.create_optimizers(lambda parameters: torch.optim.Adam(parameters, lr=1e-4, fused=fused))
    trainer = Trainer(network, options)
    images = Images(BATCHES * options.batch_size, shape, options.classes, device)

    times = time_steps(options, trainer, images, 0, options.batch_size, lambda: synchronize(device))
    return {
        "event": "result",
        "model": options.model,
        "feat_mult": options.feat_mult,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else options.device,
        "precision": options.precision,
        "torch": torch.__version__,
        "batch_size": options.batch_size,
        "steps": options.steps,
        **times,
        "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main():
    try:
        print(json.dumps(run(parse_arguments())))
    except ValueError as error:
        print(f"gpu_step.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
