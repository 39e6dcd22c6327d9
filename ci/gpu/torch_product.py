"""Measures PyTorch's rate in a large bfloat16 product of random matrices: torch_product.py DEVICE SIDE"""

import sys
import time

import torch


def main():
    device, side = sys.argv[1], int(sys.argv[2])
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(20):
        if device == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            a @ b
            end.record()
            torch.cuda.synchronize()
            times.append(1e-3 * begin.elapsed_time(end))
        else:
            started = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - started)
    best, median = min(times), sorted(times)[len(times) // 2]
    rate = 2e-12 * side**3
    print(f"PyTorch, product of {side}x{side} in bf16: median {rate / median:.1f} TFLOP/s, best {rate / best:.1f}")


if __name__ == "__main__":
    main()
