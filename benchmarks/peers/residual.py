"""Residual networks of local-loss blocks: ResNets, with and without pre-activation, and Wide ResNets.

Under local losses every convolution is a block that learns from its own loss. A shortcut joins the last block of its
residual block; the projection on it learns from that block's loss and has an optimizer of its own. All inputs, those
of shortcuts included, are detached, so that no gradient reaches an earlier block.
"""

import re
from dataclasses import replace

import torch.nn.functional as F
from torch import nn

from local_loss import NEGATIVE_SLOPE, BlockOptions, LocalLossBlockConv
from networks import Network, StepResult

# Residual blocks in each of the four stages, and the factor of their output channels: 4 for bottlenecks.
RESNETS = {
    "resnet18": ((2, 2, 2, 2), 1),
    "resnet34": ((3, 4, 6, 3), 1),
    "resnet50": ((3, 4, 6, 3), 4),
    "resnet101": ((3, 4, 23, 3), 4),
    "resnet152": ((3, 8, 36, 3), 4),
}
RESNET_PLANES = (64, 128, 256, 512)
WIDE_RESNET = re.compile(r"wresnet(\d+)-(\d+)(-adapted)?")  # depth, widening factor k
WIDE_RESNET_PLANES = (16, 32, 64)
HEAD_MOMENTUM = 0.9  # part of the new batch in the running statistics of a Wide ResNet's last batch norm


class PreactivationBlock(LocalLossBlockConv):
    """[element dropout ->] batch norm -> nonlinearity -> channel dropout -> convolution -> [+ shortcut].

    Returns that sum; its loss is taken of another batch norm -> nonlinearity of the sum. A network's first block has
    nothing before its convolution.
    """

    def __init__(self, in_channels, out_channels, size, options, input_dropout=0.0, first=False, **convolution):
        super().__init__(in_channels, out_channels, size, options, **convolution)
        if options.loss == "none":
            self.bn = nn.Identity()  # it serves the loss only
        self.first = first
        self.input_dropout = nn.Dropout(input_dropout)
        if not first:
            self.bn_pre = nn.BatchNorm2d(in_channels) if options.batch_norm else nn.Identity()

    def activation(self, x):
        return F.leaky_relu(x, NEGATIVE_SLOPE[self.options.nonlinearity])

    def forward(self, x, shortcut=None):
        if not self.first:
            x = self.dropout(self.activation(self.bn_pre(self.input_dropout(x))))
        y = self.encoder(x)
        return y if shortcut is None else y + shortcut

    def train_step(self, x, labels, shortcut=None):
        y = self(x, shortcut)
        loss = self.local_loss(self.activation(self.bn(y)), labels)
        self.optimizer.zero_grad()
        loss.total.backward()
        self.optimizer.step()
        return y.detach(), loss


class ResidualBlock(nn.Module):
    """Convolution blocks conv1, conv2, ... in a row, around them a shortcut that joins the last one."""

    def __init__(self, blocks, shortcut):
        super().__init__()
        self.names = [f"conv{number}" for number in range(1, len(blocks) + 1)]
        for name, block in zip(self.names, blocks):
            self.add_module(name, block)
        self.shortcut = shortcut  # an empty Sequential is the identity
        self.shortcut_optimizer = None

    def blocks(self):
        return [getattr(self, name) for name in self.names]

    def forward(self, x):
        *inner, last = self.blocks()
        y = x
        for block in inner:
            y = block(y)
        return last(y, self.shortcut(x))

    def train_step(self, x, labels):
        """Local steps of all blocks: the output, detached, and the blocks' LocalLosses."""
        *inner, last = self.blocks()
        y, losses = x, []
        for block in inner:
            y, loss = block.train_step(y, labels)
            losses.append(loss)
        if self.shortcut_optimizer is not None:
            self.shortcut_optimizer.zero_grad()
        y, loss = last.train_step(y, labels, self.shortcut(x))
        if self.shortcut_optimizer is not None:
            self.shortcut_optimizer.step()
        return y, [*losses, loss]


class ResidualNetwork(Network):
    """A convolution block conv1, stages layer1, layer2, ... of residual blocks, pooling, the output layer linear."""

    def __init__(self, options):
        super().__init__(options)
        self.stage_names = []
        self.head_optimizer = None

    def add_stage(self, residual_blocks):
        self.stage_names.append(f"layer{len(self.stage_names) + 1}")
        self.add_module(self.stage_names[-1], nn.Sequential(*residual_blocks))

    def add_output_layer(self, features, options):
        self.linear = nn.Linear(features, options.classes)
        if not self.backprop:
            nn.init.zeros_(self.linear.weight)

    def residual_blocks(self):
        return [block for name in self.stage_names for block in getattr(self, name)]

    def blocks(self):
        return [self.conv1, *(block for residual in self.residual_blocks() for block in residual.blocks())]

    def output_layer(self):
        return self.linear

    def head_parameters(self):
        """Trained parameters between the last stage and the output layer."""
        return []

    def pool(self, x):
        """Features (N, F) of the last stage's maps (N, C, H, W)."""
        raise NotImplementedError

    def create_optimizers(self, create):
        super().create_optimizers(create)
        for residual in self.residual_blocks():
            if len(residual.shortcut) > 0:
                residual.shortcut_optimizer = create(residual.shortcut.parameters())
        if self.head_parameters():
            self.head_optimizer = create(self.head_parameters())

    def optimizers(self):
        others = [residual.shortcut_optimizer for residual in self.residual_blocks()] + [self.head_optimizer]
        return super().optimizers() + [optimizer for optimizer in others if optimizer is not None]

    def forward(self, x):
        x = self.conv1(x)
        for residual in self.residual_blocks():
            x = residual(x)
        return self.linear(self.pool(x))

    def _local_step(self, x, labels):
        x, loss = self.conv1.train_step(x, labels)
        losses = [loss]
        for residual in self.residual_blocks():
            x, more = residual.train_step(x, labels)
            losses += more
        logits = self.linear(self.pool(x))
        loss = F.cross_entropy(logits, labels)
        self.output_optimizer.zero_grad()
        (self.output_loss_weight * loss).backward()
        self.output_optimizer.step()
        block_losses = [(part.similarity.detach(), part.prediction.detach()) for part in losses]
        return StepResult(logits.detach(), loss.detach(), block_losses)


class ResNet(ResidualNetwork):
    """Basic or bottleneck residual blocks, the first of stages 2 to 4 with stride 2, and 4x4 average pooling."""

    def __init__(self, name, channels, size, feat_mult, options, preactivation):
        super().__init__(options)
        self.preactivation = preactivation
        counts, expansion = RESNETS[name]
        planes = [int(count * feat_mult) for count in RESNET_PLANES]
        block = PreactivationBlock if preactivation else LocalLossBlockConv
        first = {"first": True} if preactivation else {}
        self.conv1 = block(channels, planes[0], size, options, bias=False, **first)
        channels, size = planes[0], self.conv1.out_size
        for stage, (width, count) in enumerate(zip(planes, counts)):
            residual_blocks = []
            for position in range(count):
                stride = 2 if stage > 0 and position == 0 else 1
                residual_blocks.append(self.residual_block(block, channels, width, expansion, size, stride, options))
                channels, size = width * expansion, residual_blocks[-1].blocks()[-1].out_size
            self.add_stage(residual_blocks)
        if min(size) < 4:
            raise ValueError(f"{name} cannot pool its last {size[0]}x{size[1]} maps: choose larger images.")
        self.add_output_layer(channels * (size[0] // 4) * (size[1] // 4), options)

    @staticmethod
    def residual_block(block, channels, width, expansion, size, stride, options):
        out_channels = width * expansion
        if expansion == 1:
            conv1 = block(channels, width, size, options, stride=stride, bias=False)
            blocks = [conv1, block(width, width, conv1.out_size, options, bias=False)]
        else:
            pointwise = {"kernel": 1, "padding": 0, "bias": False}
            conv2 = block(width, width, size, options, stride=stride, bias=False)
            blocks = [
                block(channels, width, size, options, **pointwise),
                conv2,
                block(width, out_channels, conv2.out_size, options, **pointwise),
            ]
        shortcut = nn.Sequential()
        if stride != 1 or channels != out_channels:
            projection = nn.Conv2d(channels, out_channels, 1, stride, bias=False)
            shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
        return ResidualBlock(blocks, shortcut)

    def pool(self, x):
        return F.avg_pool2d(x, 4).flatten(1)


class WideResNet(ResidualNetwork):
    """Pre-activation residual blocks of two 3x3 convolutions with biases, the second with the stride.

    Plain: element dropout between the two. Adapted: the blocks' own channel dropout, and a wider first convolution.
    The last batch norm is trained by backpropagation only; under local losses its scale and shift stay 1 and 0.
    """

    def __init__(self, depth, widening, adapted, channels, size, options):
        super().__init__(options)
        self.adapted = adapted
        between = 0.0 if adapted else options.dropout
        inside = options if adapted else replace(options, dropout=0.0)
        planes = [count * widening for count in WIDE_RESNET_PLANES]
        first_channels = planes[0] if adapted else WIDE_RESNET_PLANES[0]
        self.conv1 = PreactivationBlock(channels, first_channels, size, options, first=True)
        channels, size = first_channels, self.conv1.out_size
        for stage, width in enumerate(planes):
            residual_blocks = []
            for position in range((depth - 4) // 6):
                stride = 2 if stage > 0 and position == 0 else 1
                conv1 = PreactivationBlock(channels, width, size, inside)
                conv2 = PreactivationBlock(width, width, conv1.out_size, inside, between, stride=stride)
                shortcut = nn.Sequential()
                if stride != 1 or channels != width:
                    shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride))
                residual_blocks.append(ResidualBlock([conv1, conv2], shortcut))
                channels, size = width, conv2.out_size
            self.add_stage(residual_blocks)
        self.bn1 = nn.BatchNorm2d(channels, momentum=HEAD_MOMENTUM).requires_grad_(self.backprop)
        window = self.pooling_window
        if min(size) < window:
            raise ValueError(f"A Wide ResNet cannot pool its last {size[0]}x{size[1]} maps: choose larger images.")
        self.add_output_layer(channels * (size[0] // window) * (size[1] // window), options)

    @property
    def pooling_window(self):
        return 2 if self.adapted else 8

    def head_parameters(self):
        return list(self.bn1.parameters()) if self.backprop else []

    def pool(self, x):
        x = F.relu(self.bn1(x))
        pool = F.max_pool2d if self.adapted else F.avg_pool2d
        return pool(x, self.pooling_window).flatten(1)


def create_residual_network(
    model: str, channels: int, size: tuple, options: BlockOptions, feat_mult=1.0, preactivation=False
) -> ResidualNetwork:
    """A residual network by its published name for images of C channels and size (H, W).

    feat_mult widens a ResNet, preactivation chooses its kind of block; a Wide ResNet knows neither.
    """
    if model in RESNETS:
        return ResNet(model, channels, size, feat_mult, options, preactivation)
    wide = WIDE_RESNET.fullmatch(model)
    if wide is None:
        raise ValueError(f"Unknown model '{model}': choose one of {', '.join(RESNETS)} or wresnetD-K[-adapted].")
    depth, widening = int(wide[1]), int(wide[2])
    if depth < 10 or (depth - 4) % 6 != 0 or widening < 1:
        raise ValueError(f"{model}: the depth of a Wide ResNet is 6n + 4, its widening factor at least 1.")
    if feat_mult != 1:
        raise ValueError(f"{model}: a Wide ResNet is widened by its name, not by feat_mult.")
    return WideResNet(depth, widening, wide[3] is not None, channels, size, options)
