"""Networks of local-loss blocks: the multilayer perceptron and the VGGs of the published recipes."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from local_loss import BlockOptions, LocalLossBlock, LocalLossBlockConv, LocalLossBlockLinear

# Output channels of 3x3 convolutions, and M for 2x2 max-pooling.
VGG_FEATURES = {
    "vgg6a": "128 M 256 M 512 M 512",
    "vgg6b": "128 M 256 M 512 M 512 M",
    "vgg8": "64 M 128 M 256 M 512 M 512 M",
    "vgg8a": "128 256 M 256 512 M 512 M 512",
    "vgg8b": "128 256 M 256 512 M 512 M 512 M",
    "vgg11": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "vgg11b": "128 128 128 256 M 256 512 M 512 512 M 512 M",
    "vgg13": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "vgg16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "vgg19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}
MODELS = ("mlp", *VGG_FEATURES)
LARGE_INPUT = 64  # inputs above this many pixels get a 7x7 first convolution of stride 2


@dataclass
class StepResult:
    """What one training step computed, detached."""

    logits: torch.Tensor  # (N, K)
    global_loss: torch.Tensor  # the output layer's mean cross-entropy, unweighted
    block_losses: list = field(default_factory=list)  # (similarity, prediction) of each block, weighted


class Network(nn.Module):
    """Hidden modules (blocks and poolings) in order, then an output layer.

    Under local losses nothing flows from one block to the block before it, and each has its own optimizer. Blocks
    whose loss is 'none' are trained by backpropagation of the output layer's loss.
    """

    def __init__(self, options):
        super().__init__()
        self.backprop = options.loss == "none"
        self.output_loss_weight = 1.0 - options.beta if options.loss == "predsim" else 1.0
        self.output_optimizer = None

    def hidden_modules(self):
        raise NotImplementedError

    def output_layer(self):
        raise NotImplementedError

    def blocks(self):
        return [module for module in self.hidden_modules() if isinstance(module, LocalLossBlock)]

    def create_optimizers(self, create):
        """create(parameters) gives the optimizer of one block, or of the output layer."""
        for block in self.blocks():
            block.optimizer = create(block.parameters())
        self.output_optimizer = create(self.output_layer().parameters())

    def optimizers(self):
        return [block.optimizer for block in self.blocks()] + [self.output_optimizer]

    def forward(self, x):
        """Logits (N, K) of images x (N, C, H, W)."""
        for module in self.hidden_modules():
            x = module(x)
        return self.output_layer()(x.flatten(1))

    def train_step(self, x, labels):
        """Trains every block and the output layer on one batch."""
        return self._global_step(x, labels) if self.backprop else self._local_step(x, labels)

    def _local_step(self, x, labels):
        block_losses = []
        for module in self.hidden_modules():
            if isinstance(module, LocalLossBlock):
                x, loss = module.train_step(x, labels)
                block_losses.append((loss.similarity.detach(), loss.prediction.detach()))
            else:
                x = module(x)
        logits = self.output_layer()(x.flatten(1))
        loss = F.cross_entropy(logits, labels)
        self.output_optimizer.zero_grad()
        (self.output_loss_weight * loss).backward()
        self.output_optimizer.step()
        return StepResult(logits.detach(), loss.detach(), block_losses)

    def _global_step(self, x, labels):
        logits = self(x)
        loss = F.cross_entropy(logits, labels)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers():
            optimizer.step()
        return StepResult(logits.detach(), loss.detach())


class LinearStack(nn.Module):
    """Linear blocks and an output layer, whose weights start at zero under local losses."""

    def __init__(self, in_features, num_layers, num_hidden, options):
        super().__init__()
        widths = [in_features] + [num_hidden] * num_layers
        self.layers = nn.ModuleList(LocalLossBlockLinear(a, b, options) for a, b in zip(widths, widths[1:]))
        self.layer_out = nn.Linear(widths[-1], options.classes)
        if options.loss != "none":
            nn.init.zeros_(self.layer_out.weight)


class MultilayerPerceptron(Network):
    def __init__(self, channels, size, num_layers, num_hidden, options):
        super().__init__(options)
        stack = LinearStack(channels * size[0] * size[1], num_layers, num_hidden, options)
        self.layers, self.layer_out = stack.layers, stack.layer_out

    def hidden_modules(self):
        return self.layers

    def output_layer(self):
        return self.layer_out


class Vgg(Network):
    """Convolution blocks and max-poolings, then num_layers linear blocks (0: none), then the output layer."""

    def __init__(self, name, channels, size, feat_mult, num_layers, num_hidden, options):
        super().__init__(options)
        self.features = nn.ModuleList()
        for item in VGG_FEATURES[name].split():
            if item == "M":
                if min(size) < 2:
                    raise ValueError(
                        f"{name} has no pixels left to pool at features.{len(self.features)}: "
                        "choose a network with fewer poolings, or larger images."
                    )
                self.features.append(nn.MaxPool2d(2))
                size = (size[0] // 2, size[1] // 2)
            else:
                large = not self.features and max(size) > LARGE_INPUT
                shape = {"kernel": 7, "stride": 2, "padding": 3} if large else {}
                block = LocalLossBlockConv(channels, int(int(item) * feat_mult), size, options, **shape)
                self.features.append(block)
                channels, size = block.encoder.out_channels, block.out_size
        features = channels * size[0] * size[1]
        if num_layers > 0:
            self.classifier = LinearStack(features, num_layers, num_hidden, options)
        else:
            self.classifier = nn.Linear(features, options.classes)

    def hidden_modules(self):
        return [*self.features, *(self.classifier.layers if isinstance(self.classifier, LinearStack) else ())]

    def output_layer(self):
        return self.classifier.layer_out if isinstance(self.classifier, LinearStack) else self.classifier


def create_network(
    model: str, channels: int, size: tuple, options: BlockOptions, num_layers=1, num_hidden=1024, feat_mult=1.0
) -> Network:
    """A network by its published name for images of C channels and size (H, W). feat_mult widens the convolutions."""
    if model == "mlp":
        return MultilayerPerceptron(channels, size, num_layers, num_hidden, options)
    if model not in VGG_FEATURES:
        raise ValueError(f"Unknown model '{model}': choose one of {', '.join(MODELS)}.")
    return Vgg(model, channels, size, feat_mult, num_layers, num_hidden, options)
