"""Image data sets in MNIST's file format (IDX, gzipped or not), held as bytes and augmented a batch at a time."""

import gzip
import pathlib
import struct
from dataclasses import dataclass

import numpy
import torch

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801  # unsigned bytes in three and in one dimension


@dataclass(frozen=True)
class Recipe:
    """Statistics of pixel / 255 over the training images, and the published training augmentation."""

    mean: float
    deviation: float
    crop_padding: int
    horizontal_flip: bool
    classes: int = 10


RECIPES = {
    "fashion-mnist": Recipe(0.286, 0.353, crop_padding=2, horizontal_flip=True),
    "mnist": Recipe(0.1307, 0.3081, crop_padding=2, horizontal_flip=False),
    "digits": Recipe(0.3054, 0.3753, crop_padding=0, horizontal_flip=False),
}


def read_idx(folder, name, magic):
    """The array of the IDX file `name` or `name`.gz."""
    plain = pathlib.Path(folder) / name
    packed = plain.with_name(name + ".gz")
    if plain.exists():
        path, data = plain, plain.read_bytes()
    elif packed.exists():
        path, data = packed, gzip.decompress(packed.read_bytes())
    else:
        raise ValueError(f"{plain} (or .gz) does not exist: --data-dir must name the folder that holds it.")
    rank = magic & 0xFF
    header = 4 + 4 * rank
    if len(data) < header or struct.unpack(">I", data[:4])[0] != magic:
        raise ValueError(f"{path} is not an IDX file of rank {rank}: fetch it anew.")
    shape = struct.unpack(f">{rank}I", data[4:header])
    if len(data) - header != numpy.prod(shape, dtype=numpy.int64):
        raise ValueError(f"{path} holds {len(data) - header} bytes for the shape {shape}: fetch it anew.")
    return numpy.frombuffer(data, numpy.uint8, offset=header).reshape(shape)


class Images:
    """One part ('train' or 'test') of a data set: pixels (count, 1, H, W) as bytes, labels (count)."""

    def __init__(self, folder, part, recipe):
        images_name, labels_name = FILES[part]
        images = read_idx(folder, images_name, IMAGES_MAGIC)
        labels = read_idx(folder, labels_name, LABELS_MAGIC)
        if len(images) != len(labels):
            raise ValueError(
                f"{folder}: {images_name} has {len(images)} images but {labels_name} has {len(labels)} labels: "
                "fetch both anew."
            )
        if labels.max() >= recipe.classes:
            raise ValueError(
                f"{folder}: {labels_name} has the label {labels.max()}, but the classes are 0 to {recipe.classes - 1}: "
                "fetch it anew."
            )
        self.recipe = recipe
        self.pixels = torch.from_numpy(images.copy()).unsqueeze(1)
        self.labels = torch.from_numpy(labels.astype(numpy.int64))

    def __len__(self):
        return len(self.labels)

    @property
    def size(self):
        return tuple(self.pixels.shape[2:])

    def batch(self, indices, augment):
        """Normalised images (N, 1, H, W) and labels (N); with `augment`, cropped and flipped at random."""
        pixels = self.pixels[indices]
        if augment and self.recipe.crop_padding > 0:
            pixels = random_crop(pixels, self.recipe.crop_padding)
        if augment and self.recipe.horizontal_flip:
            flipped = torch.rand(len(pixels)) < 0.5
            pixels = torch.where(flipped[:, None, None, None], pixels.flip(3), pixels)
        return (pixels.float() / 255 - self.recipe.mean) / self.recipe.deviation, self.labels[indices]


def random_crop(pixels, padding):
    """Each image (N, C, H, W) framed by `padding` black pixels and cut to its size at a place of its own."""
    count, channels, height, width = pixels.shape
    framed = torch.nn.functional.pad(pixels, (padding,) * 4)
    top = torch.randint(2 * padding + 1, (count, 1)) + torch.arange(height)  # (N, H)
    left = torch.randint(2 * padding + 1, (count, 1)) + torch.arange(width)  # (N, W)
    sample = torch.arange(count)[:, None, None, None]
    channel = torch.arange(channels)[None, :, None, None]
    return framed[sample, channel, top[:, None, :, None], left[:, None, None, :]]
