"""Blocks that learn from local error signals (Nøkland & Eidnes 2019, arXiv 1901.06656), in PyTorch.

A block computes h = act(BN(encoder(x)) [+ shortcut]) and hands on dropout(h), detached. Its own loss is taken of h:

- pred:     cross-entropy of a linear classifier on h (maps are average-pooled first);
- sim:      mean squared difference of two similarity matrices, that of h's features and that of the labels;
- predsim:  beta * sim + (1 - beta) * pred;
- none:     no loss; the block learns from what flows back to it (backpropagation).

Shapes: N samples, C channels or features, H rows, W columns, K classes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

LOSSES = ("pred", "sim", "predsim", "none")
NEGATIVE_SLOPE = {"relu": 0.0, "leakyrelu": 0.01}
SIMILARITY_EPSILON = 1e-8  # added to the norm that a centred vector is divided by


@dataclass(frozen=True)
class BlockOptions:
    """What all blocks of a network share."""

    classes: int
    loss: str = "predsim"
    beta: float = 0.99
    nonlinearity: str = "relu"
    dropout: float = 0.0
    batch_norm: bool = True
    similarity_std: bool = True  # False: the similarity compares flattened maps
    dim_in_decoder: int = 4096  # most features that a convolution's local classifier sees

    def __post_init__(self):
        if self.loss not in LOSSES:
            raise ValueError(f"Unknown loss '{self.loss}': choose one of {', '.join(LOSSES)}.")
        if self.nonlinearity not in NEGATIVE_SLOPE:
            raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}': choose one of {', '.join(NEGATIVE_SLOPE)}.")


@dataclass
class LocalLoss:
    """A block's loss and the parts that it was made of; a part that the loss does not have is 0 or None."""

    similarity: torch.Tensor  # scalar, weighted as in the total
    prediction: torch.Tensor  # scalar, weighted as in the total
    logits: torch.Tensor | None = None  # (N, K)
    similarity_hidden: torch.Tensor | None = None  # (N, N)
    similarity_target: torch.Tensor | None = None  # (N, N)

    @property
    def total(self):
        return self.similarity + self.prediction


def similarity_matrix(features):
    """Cosines between the centred rows of features (N, F), clamped to [-1, 1]: (N, N)."""
    centred = features - features.mean(dim=1, keepdim=True)
    unit = centred / (SIMILARITY_EPSILON + centred.norm(dim=1, keepdim=True))
    return (unit @ unit.t()).clamp(-1, 1)


def label_similarity(labels, classes):
    """similarity_matrix of the one-hot labels in closed form: 1 for equal classes, -1 / (K - 1) otherwise."""
    equal = labels.unsqueeze(0) == labels.unsqueeze(1)
    return torch.where(equal, 1.0, -1.0 / (classes - 1))


def average_pooling(channels, height, width, limit):
    """Kernel and padding (rows, columns) that pool C x H x W to at most `limit` features.

    The kernel doubles in rows and columns by turns until the features fit or it covers the rows. Where it does not
    divide the map, padding of half a kernel makes the pooled size the rounded-up quotient.
    """

    def too_many(rows, columns):
        return channels * -(-height // rows) * -(-width // columns) > limit

    rows = columns = 1
    while too_many(rows, columns) and rows < height:
        rows *= 2
        if too_many(rows, columns):
            columns *= 2
    return (rows, columns), (rows // 2 if height % rows else 0, columns // 2 if width % columns else 0)


class LocalLossBlock(nn.Module):
    """What convolution and linear blocks have in common. Subclasses give the features that the two losses look at."""

    def __init__(self, encoder, batch_norm, dropout, classifier_features, options):
        super().__init__()
        self.options = options
        self.encoder = encoder
        self.bn = batch_norm if options.batch_norm else nn.Identity()
        self.dropout = dropout
        self.optimizer = None
        self.has_similarity = options.loss in ("sim", "predsim")
        self.has_prediction = options.loss in ("pred", "predsim")
        if self.has_prediction:
            self.decoder_y = nn.Linear(classifier_features, options.classes)
            nn.init.zeros_(self.decoder_y.weight)

    def similarity_features(self, h):
        """(N, F): what the similarity loss compares."""
        raise NotImplementedError

    def classifier_features(self, h):
        """(N, F): what the local classifier sees."""
        raise NotImplementedError

    def hidden(self, x, shortcut=None):
        """h, before dropout."""
        y = self.bn(self.encoder(x))
        if shortcut is not None:
            y = y + shortcut
        return F.leaky_relu(y, NEGATIVE_SLOPE[self.options.nonlinearity])

    def forward(self, x, shortcut=None):
        return self.dropout(self.hidden(x, shortcut))

    def local_loss(self, h, labels):
        """The LocalLoss of h for labels (N)."""
        both = self.options.loss == "predsim"
        result = LocalLoss(similarity=h.new_zeros(()), prediction=h.new_zeros(()))
        if self.has_similarity:
            result.similarity_hidden = similarity_matrix(self.similarity_features(h))
            result.similarity_target = label_similarity(labels, self.options.classes).to(h.dtype)
            weight = self.options.beta if both else 1.0
            result.similarity = weight * F.mse_loss(result.similarity_hidden, result.similarity_target)
        if self.has_prediction:
            result.logits = self.decoder_y(self.classifier_features(h))
            weight = 1.0 - self.options.beta if both else 1.0
            result.prediction = weight * F.cross_entropy(result.logits, labels)
        return result

    def train_step(self, x, labels, shortcut=None):
        """One local step: forward, own loss, own gradients, own optimizer.

        Returns the block's output, computed with the parameters before the update and detached, and its LocalLoss.
        """
        h = self.hidden(x, shortcut)
        loss = self.local_loss(h, labels)
        self.optimizer.zero_grad()
        loss.total.backward()
        self.optimizer.step()
        return self.dropout(h.detach()), loss


class LocalLossBlockConv(LocalLossBlock):
    """A convolution over maps (N, C, H, W), with channel dropout. `size` is the input's (H, W)."""

    def __init__(self, in_channels, out_channels, size, options, kernel=3, stride=1, padding=1, bias=True):
        self.out_size = tuple((extent + 2 * padding - kernel) // stride + 1 for extent in size)
        self.pooling, self.pooling_padding = average_pooling(out_channels, *self.out_size, options.dim_in_decoder)
        pooled_positions = 1
        for extent, step in zip(self.out_size, self.pooling):
            pooled_positions *= -(-extent // step)
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=bias),
            nn.BatchNorm2d(out_channels),
            nn.Dropout2d(options.dropout),
            out_channels * pooled_positions,
            options,
        )
        if self.has_similarity:
            self.conv_loss = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)

    def similarity_features(self, h):
        z = self.conv_loss(h)
        if self.options.similarity_std and z.shape[1] > 3 and z.shape[2] > 1:
            return z.flatten(2).std(dim=2)  # unbiased; PyTorch's gradient is 0 where the deviation is 0
        return z.flatten(1)

    def classifier_features(self, h):
        if self.pooling != (1, 1):
            h = F.avg_pool2d(h, self.pooling, padding=self.pooling_padding)
        return h.flatten(1)


class LocalLossBlockLinear(LocalLossBlock):
    """A linear layer over the flattened input, with element dropout."""

    def __init__(self, in_features, out_features, options, bias=True):
        super().__init__(
            nn.Linear(in_features, out_features, bias=bias),
            nn.BatchNorm1d(out_features),
            nn.Dropout(options.dropout),
            out_features,
            options,
        )
        if self.has_similarity:
            self.linear_loss = nn.Linear(out_features, out_features, bias=False)

    def hidden(self, x, shortcut=None):
        return super().hidden(x.flatten(1), shortcut)

    def similarity_features(self, h):
        return self.linear_loss(h)

    def classifier_features(self, h):
        return h
