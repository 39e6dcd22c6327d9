"""What compiled kernels consist of, read from their machine code: cubins, or objects that nvcc wrote with --no-compress.

    python3 benchmarks/gpu/sass.py FILE...    a line per kernel: symbol, architecture, and the fields of Kernel

The encoding of instructions is not documented. The operation codes below were found by compiling kernels whose
instructions are known; the counts fit the sources. Targets of branches are known of 9.0 alone, for which loops are used.
"""

import struct
import sys
from pathlib import Path
from typing import NamedTuple

INSTRUCTION_BYTES = 16
BRANCH, NO_OPERATION = 0x947, 0x918
TENSOR_CORE = 0x23C  # HMMA
MATRIX_LOAD, ASYNC_COPY = 0x83B, 0xFAE  # LDSM, LDGSTS
GLOBAL_LOAD, GLOBAL_STORE = 0x981, 0x986
SHARED_LOAD, SHARED_STORES = 0x984, (0x388, 0x988)
MEMORY = {MATRIX_LOAD, ASYNC_COPY, GLOBAL_LOAD, GLOBAL_STORE, SHARED_LOAD, *SHARED_STORES}
ALWAYS = 7  # the predicate of an instruction that is always carried out


class Kernel(NamedTuple):
    instructions: int
    memory_instructions: int
    loop_instructions: int  # one pass of the loop with most tensor core instructions, on the usual way through it
    loop_products: int  # tensor core instructions among them; 0 where there is no such loop


class Instruction:
    def __init__(self, low, high, index):
        self.code = low & 0xFFF
        self.is_certain = (low >> 12) & 15 == ALWAYS
        self.width = (high >> 9) & 7  # of a load: up to 3 for less than 32 bits, 4 for 32, 5 for 64, 6 for 128
        self.target = None
        if self.code == BRANCH:
            words = (low >> 34) | (high & ((1 << 18) - 1)) << 30
            words -= (words >> 47) << 48
            offset = words << 8 | (low >> 16) & 0xFF
            self.target = index + 1 + offset * 4 // INSTRUCTION_BYTES


def decode(code):
    return [
        Instruction(*struct.unpack_from("<QQ", code, at), at // INSTRUCTION_BYTES)
        for at in range(0, len(code) - INSTRUCTION_BYTES + 1, INSTRUCTION_BYTES)
    ]


def usual_way(instructions, begin, end):
    """The instructions of one pass of a loop: the shortest way that takes part in most of its products, copies and vector
    loads. Where the loop has 16-byte copies or loads, ways through the loads of single bfloat16 elements, which are
    there for odd shapes, are left out."""
    body = instructions[begin : end + 1]
    has_vectors = any(i.code == ASYNC_COPY or i.code == GLOBAL_LOAD and i.width == 6 for i in body)
    needed = {TENSOR_CORE, MATRIX_LOAD, ASYNC_COPY, *SHARED_STORES}
    best = {begin: (0, 0)}  # what a way to here misses (negative: has), and its length
    for at in range(begin, end + 1):
        if at not in best:
            continue
        here = instructions[at]
        if has_vectors and here.code == GLOBAL_LOAD and here.width <= 3:
            continue
        is_needed = here.code in needed or here.code == GLOBAL_LOAD and (here.width >= 5 or not has_vectors)
        way = (best[at][0] - is_needed, best[at][1] + 1)
        if at == end:
            return way[1]
        follow = [] if here.code == BRANCH and here.is_certain else [at + 1]
        if here.code == BRANCH and here.target > at:
            follow.append(here.target)
        for to in follow:
            if to <= end and (to not in best or way < best[to]):
                best[to] = way
    return end - begin + 1


def kernel_of(code):
    instructions = decode(code)
    while instructions and instructions[-1].code in (NO_OPERATION, BRANCH):  # padding
        instructions.pop()
    most, loop = 0, 0
    for end, last in enumerate(instructions):
        if last.code == BRANCH and 0 <= last.target < end:
            products = sum(i.code == TENSOR_CORE for i in instructions[last.target : end + 1])
            if products > most:
                most, loop = products, usual_way(instructions, last.target, end)
    memory = sum(i.code in MEMORY for i in instructions)
    return Kernel(len(instructions), memory, loop, most)


def kernels_of_image(image):
    """(symbol, architecture, Kernel) of each kernel of a cubin."""
    (flags,) = struct.unpack_from("<I", image, 0x30)
    (headers_at,) = struct.unpack_from("<Q", image, 0x28)
    size, count, names_in = struct.unpack_from("<HHH", image, 0x3A)
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, headers_at + i * size) for i in range(count)]
    names = image[headers[names_in][4] :]
    sections = {names[h[0] : names.index(b"\0", h[0])].decode(): h for h in headers}
    architecture = "sm_%d" % (flags >> 8 & 0xFF)
    for name, header in sections.items():
        if name.startswith(".text."):
            yield name[len(".text.") :], architecture, kernel_of(image[header[4] : header[4] + header[5]])


def kernels(path):
    """The same of all cubins in a file."""
    data = Path(path).read_bytes()
    at = data.find(b"\x7fELF")
    while at >= 0:
        if at + 64 <= len(data) and struct.unpack_from("<H", data, at + 0x12)[0] == 190:  # EM_CUDA
            yield from kernels_of_image(data[at:])
        at = data.find(b"\x7fELF", at + 1)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        for symbol, architecture, kernel in kernels(path):
            print(symbol, architecture, *kernel)
