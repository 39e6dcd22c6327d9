"""Compares the products of convolutions with PyTorch's in float32: the output, the gradient of the weights and the gradient
of the input, at four shapes of vgg8b with batch size 128, which use the kernels' large tiles. Prints one line for each. The
exit status is 1 if an error is larger than rounding explains.

Without PyTorch, --against reference compares with the library's own device `reference`, in double, at small shapes.

Operands are multiples of 1/64 in [-1, 1), which bfloat16 represents exactly. The bound is that of the operation cases:
‖error‖ ≤ (2 ε √terms + u) ‖expected‖, where ε is that of float32, and u is half that of bfloat16 if the result is stored in it
(otherwise 0).
"""

import argparse
import ctypes
import math
import random
import sys

from library import Library

SHAPES = [(128, 128, 32, 32, 256), (128, 256, 16, 16, 256), (128, 256, 16, 16, 512), (128, 512, 8, 8, 512)]
SMALL_SHAPES = [(2, 8, 6, 5, 16), (3, 16, 4, 4, 72)]
EPSILON = 2.0**-23
BFLOAT16_ROUNDING = 2.0**-8


class ByPyTorch:
    """Operands and expected results as tensors."""

    def __init__(self):
        import torch

        self.torch = torch
        torch.manual_seed(1)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    def operand(self, *shape):
        return self.torch.randint(-64, 64, shape).float() / 64

    def array(self, operand):
        return (ctypes.c_float * operand.numel()).from_address(operand.data_ptr())

    def expected(self, shape, x, weight, d_y):
        x, weight, d_y = (operand.to(self.device) for operand in (x, weight, d_y))
        gradients = self.torch.nn.grad
        return (
            self.torch.nn.functional.conv2d(x, weight, padding=1),
            gradients.conv2d_weight(x, weight.shape, d_y, padding=1),
            gradients.conv2d_input(x.shape, weight, d_y, padding=1),
        )

    def off(self, actual, expected):
        """‖actual − expected‖ / ‖expected‖"""
        given = self.torch.frombuffer(actual, dtype=self.torch.float32).to(self.device).reshape(expected.shape)
        return float((given - expected).double().norm() / expected.double().norm())


class ByReference:
    """The same with the library's own device `reference`, as arrays."""

    def __init__(self, library):
        self.library = library
        self.random = random.Random(1)

    def operand(self, *shape):
        count = math.prod(shape)
        return (ctypes.c_float * count)(*(self.random.randrange(-64, 64) / 64 for _ in range(count)))

    def array(self, operand):
        return operand

    def expected(self, shape, x, weight, d_y):
        reference = self.library.convolution("reference", "auto", shape)
        y, after, d_x = reference.run(x, weight, d_y)
        reference.close()
        return y, [before - left for before, left in zip(weight, after)], d_x

    def off(self, actual, expected):
        error = math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(actual, expected)))
        return error / math.sqrt(math.fsum(b * b for b in expected))


def compare(library, device, precision, by, shape, engine):
    """Prints a line for each product. Returns how many are out of bounds."""
    n, c, h, w, o = shape
    x, weight, d_y = by.operand(n, c, h, w), by.operand(o, c, 3, 3), by.operand(n, o, h, w)
    convolution = library.convolution(device, precision, shape, engine)
    y, after, d_x = convolution.run(by.array(x), by.array(weight), by.array(d_y))
    convolution.close()
    gradient = (ctypes.c_float * len(after))(*(b - a for b, a in zip(by.array(weight), after)))
    expected = by.expected(shape, x, weight, d_y)
    stored = BFLOAT16_ROUNDING if precision == "bf16" else 0
    rows = [("output", y, 9 * c, stored), ("weights", gradient, n * h * w, 0), ("input", d_x, 9 * o, stored)]
    failed = 0
    for (what, actual, terms, rounding), wanted in zip(rows, expected):
        off, bound = by.off(actual, wanted), 2 * EPSILON * math.sqrt(terms) + rounding
        fits = off <= bound  # false for NaN
        failed += not fits
        print(f"{'ok' if fits else 'WRONG'} {engine} {precision} {n}x{h}x{w}x{c} to {o}, {what}: off by {off:.2e}, bound {bound:.2e}",
              flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True, help="liblayerwise.so")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="bf16")
    parser.add_argument("--engine", choices=("fused", "hopper"), default="fused")
    parser.add_argument("--against", choices=("pytorch", "reference"), default="pytorch")
    parser.add_argument("--small", action="store_true", help="small shapes")
    options = parser.parse_args()
    library = Library(options.library)
    by = ByPyTorch() if options.against == "pytorch" else ByReference(library)
    shapes = SMALL_SHAPES if options.small else SHAPES
    failed = sum(compare(library, options.device, options.precision, by, shape, options.engine) for shape in shapes)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
