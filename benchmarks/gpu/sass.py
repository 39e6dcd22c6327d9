"""What compiled kernels consist of, read from their machine code: cubins, or objects that nvcc wrote with --no-compress.

    python3 benchmarks/gpu/sass.py FILE...    a line per kernel: symbol, architecture, and the fields of Kernel

The encoding of instructions is not documented. The operation codes below were found by compiling kernels whose
instructions are known; the counts fit the sources. Targets of branches are known of 9.0 alone, for which loops are used.
One, four and eight wgmma.mma_async give as many HGMMA, whatever the layouts of their operands are, and a commit_group without
any gives one that has no operands. A setmaxnreg gives one USETMAXREG, which has the number of registers in it.
"""

import struct
import sys
from pathlib import Path
from typing import NamedTuple

INSTRUCTION_BYTES = 16
BRANCH, NO_OPERATION = 0x947, 0x918
TENSOR_CORE, WARPGROUP_PRODUCT = 0x23C, 0x9F0  # HMMA, HGMMA
PRODUCTS = (TENSOR_CORE, WARPGROUP_PRODUCT)
EMPTY_GROUP = 0x19F0  # stands for an HGMMA without operands; no operation code has so many bits
SET_REGISTERS = 0x9C8  # USETMAXREG
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
    warpgroup_products: int  # HGMMA, in all of the code
    released_registers: int  # what setmaxnreg.dec leaves a thread, and setmaxnreg.inc gives it; 0 where there is none
    claimed_registers: int


class Instruction:
    def __init__(self, low, high, index):
        self.code = low & 0xFFF
        if self.code == WARPGROUP_PRODUCT and not low >> 32:
            self.code = EMPTY_GROUP
        self.is_certain = (low >> 12) & 15 == ALWAYS
        self.width = (high >> 9) & 7  # of a load: up to 3 for less than 32 bits, 4 for 32, 5 for 64, 6 for 128
        self.registers, self.releases = (low >> 32) & 0x1FF, bool(high >> 8 & 1)  # of USETMAXREG
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
    needed = {*PRODUCTS, MATRIX_LOAD, ASYNC_COPY, *SHARED_STORES}
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


def registers_set(instructions, releases):
    """By setmaxnreg.dec or .inc: 0 where there is none, -1 where they do not agree."""
    counts = {i.registers for i in instructions if i.code == SET_REGISTERS and i.releases == releases}
    return -1 if len(counts) > 1 else sum(counts)


def product_loop(instructions):
    """First and last instruction of the loop with most products, and their number; zeros where there is none. Of a kernel
    with HGMMA, whose blocks do several tiles in turn, the loop over tiles is left out: it holds the loop that is meant."""
    has_tiles = any(i.code == WARPGROUP_PRODUCT for i in instructions)
    best, begins = (0, 0, 0), []
    for end, last in enumerate(instructions):
        if last.code != BRANCH or not 0 <= last.target < end:
            continue
        products = sum(i.code in PRODUCTS for i in instructions[last.target : end + 1])
        if products > best[2] and not (has_tiles and any(last.target < begin for begin in begins)):
            best = (last.target, end, products)
        if products:
            begins.append(last.target)
    return best


def kernel_of(code):
    instructions = decode(code)
    while instructions and instructions[-1].code in (NO_OPERATION, BRANCH):  # padding
        instructions.pop()
    begin, end, products = product_loop(instructions)
    return Kernel(
        len(instructions),
        sum(i.code in MEMORY for i in instructions),
        usual_way(instructions, begin, end) if products else 0,
        products,
        sum(i.code == WARPGROUP_PRODUCT for i in instructions),
        registers_set(instructions, releases=True),
        registers_set(instructions, releases=False),
    )


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
