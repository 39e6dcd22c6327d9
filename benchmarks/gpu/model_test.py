"""Known answers of the model and its tables:  python3 -B -m unittest discover -s benchmarks/gpu -p '*_test.py'"""

import importlib.machinery
import importlib.util
import json
import tempfile
import types
import unittest
from pathlib import Path

import check_counts
import check_kernels
import model
import tables
from sass import BRANCH, EMPTY_GROUP, SET_REGISTERS, WARPGROUP_PRODUCT
from sass import Instruction, product_loop, registers_set, usual_way


def launch(blocks, threads=128, shared=0, read=0, written=0, tiles=(1, 1), kernel="kernel", **counts):
    main = tables.Counts(counts)
    return tables.Launch(kernel, blocks, threads, shared, read, written, main, tables.Counts({}), tiles)


def step_of(*operations):
    """Of (label, launches)."""
    step = tables.Step("vgg8b", 1, 128, 132, sum(len(launches) for _, launches in operations))
    for label, launches in operations:
        step.operations.append(tables.Operation(label, "", 0, 0))
        step.operations[-1].launches += launches
    return step


def script(name):
    """A program of this repository whose name has no ending, as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(tables.FOLDER.parent / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


KERNEL = tables.CompiledKernel(
    registers=128, shared=0, instructions=100, memory_instructions=10, loop_instructions=0, loop_products=0
)
CARD = model.Card()
FIXED = CARD.launch_seconds + CARD.latency_seconds


class ModelTest(unittest.TestCase):
    def test_resident_blocks(self):
        self.assertEqual(model.resident_blocks(CARD, launch(1), KERNEL), 4)  # 65536 / (128 · 128)
        self.assertEqual(model.resident_blocks(CARD, launch(1), KERNEL._replace(registers=129)), 3)  # in eights
        self.assertEqual(model.resident_blocks(CARD, launch(1, shared=75 << 10), KERNEL), 3)  # and 1 KiB each: 228
        self.assertEqual(model.resident_blocks(CARD, launch(1, threads=1024), KERNEL._replace(registers=32)), 2)

    def test_waves_that_are_not_full_take_as_long(self):
        full = model.launch_time(CARD, launch(4 * 132, mma_bf16=4000), KERNEL, False)
        self.assertEqual(full.limit, "mma")
        self.assertAlmostEqual(full.wave_efficiency, 1)
        self.assertAlmostEqual(full.seconds - FIXED, 4 * 4000 * 6 / 4 / 1.6e9)
        one_more = model.launch_time(CARD, launch(4 * 132 + 1, mma_bf16=4000), KERNEL, False)
        self.assertAlmostEqual((one_more.seconds - FIXED) / (full.seconds - FIXED), 5 / 4)

    def test_bytes_of_memory_and_of_the_l2_cache(self):
        memory = model.launch_time(CARD, launch(132, read=2 * 10**9, written=10**9), KERNEL, False)
        self.assertEqual(memory.limit, "HBM")
        self.assertAlmostEqual(memory.seconds - FIXED, 1e-3)
        loads = (0, 10**6, 0)
        cache = model.launch_time(CARD, launch(132, global_loads=loads), KERNEL, False)
        self.assertEqual(cache.limit, "L2")
        self.assertAlmostEqual(cache.seconds - FIXED, 132 * 32e6 / 5.5e12)

    def test_instructions_of_loops_and_of_the_rest(self):
        products = KERNEL._replace(loop_instructions=300, loop_products=64)
        self.assertAlmostEqual(model.instructions_of(launch(1, mma_bf16=640), products, False), 3000)
        self.assertAlmostEqual(model.instructions_of(launch(1, global_loads=(7, 28, 0)), KERNEL, False), 70)

    def test_blocks_that_do_several_tiles(self):
        persistent = launch(132, threads=384, tiles=(3.88, 4), wgmma=1000)
        time = model.launch_time(CARD, persistent, KERNEL, False)
        self.assertEqual((time.limit, time.resident), ("mma", 1))
        self.assertAlmostEqual(time.seconds - FIXED, 4 * 1000 * 70 / 1.6e9)
        self.assertAlmostEqual(time.wave_efficiency, 0.97)

    def test_wgmma_is_fed_from_shared_memory(self):
        self.assertAlmostEqual(2 * 64 * 128 * 16 / 70 * 1.6e9 * 132 / 1e12, 790, delta=1)  # TFLOP/s
        loads = launch(132, tiles=(2, 2), wgmma=1000, product_loads=(1000, 80000, 0))
        time = model.launch_time(CARD, loads, KERNEL, False)
        self.assertEqual(time.limit, "shared")
        self.assertAlmostEqual(time.seconds - FIXED, 2 * 80000 / 1.6e9)

    def test_bytes_of_memory_are_those_of_all_tiles(self):
        one = model.launch_time(CARD, launch(132, read=3 * 10**9), KERNEL, False)
        four = model.launch_time(CARD, launch(132, read=3 * 10**9, tiles=(4, 4)), KERNEL, False)
        self.assertEqual((one.limit, four.limit), ("HBM", "HBM"))
        self.assertAlmostEqual(one.seconds, four.seconds)

    def test_a_tail_of_every_tile(self):
        own = launch(132, tiles=(2, 2), wgmma=100)
        own.tail = tables.Counts({"shared_stores": (10, 3000, 0)})
        time = model.launch_time(CARD, own, KERNEL, False)
        self.assertAlmostEqual(time.seconds - FIXED, 2 * (100 * 70 + 3000) / 1.6e9)

    def test_instructions_of_those_who_multiply_and_those_who_load(self):
        kernel = KERNEL._replace(loop_instructions=40, loop_products=16)
        own = launch(132, wgmma=16, copies_read=(96, 400, 0), copies_stored=(96, 400, 0), product_loads=(16, 800, 0))
        self.assertAlmostEqual(model.instructions_of(own, kernel, False), 4 * 40 + 96 * 10)

    def test_the_fastest_engine_of_each_operation(self):
        fused = [("a", [launch(132, mma_bf16=100)]), ("b", [launch(132, mma_bf16=100)]), ("c", [launch(1)])]
        hopper = [("a", [launch(132, wgmma=1)]), ("b", [launch(132, wgmma=9), launch(1)]), ("c", [launch(1)])]
        times = [model.step_times(CARD, step_of(*own), {"kernel": KERNEL}, False) for own in (fused, hopper)]
        chosen = model.fastest_times(times)
        self.assertEqual([operation.label for operation, _ in chosen], ["a", "b", "c"])
        self.assertIs(chosen[0], times[1][0])
        self.assertIs(chosen[1], times[0][1])
        self.assertIs(chosen[2], times[0][2])
        with self.assertRaisesRegex(ValueError, "different steps"):
            model.fastest_times([times[0], times[1][:2]])

    def test_early_launches_after_another_kernel(self):
        step = tables.Step("model", 1, 128, 132, 4)
        for label in ("layers.0/a", "layers.0/b", "layers.1/a"):
            operation = tables.Operation(label, "", 0, 0)
            operation.launches.append(launch(1))
            step.operations.append(operation)
        kernels = {"kernel": KERNEL}
        seconds = [own[0].seconds for _, own in model.step_times(CARD, step, kernels, True)]
        self.assertEqual(seconds[1], seconds[2])
        self.assertAlmostEqual(seconds[0] - seconds[1], CARD.launch_seconds - CARD.early_launch_seconds)
        seconds = [own[0].seconds for _, own in model.step_times(CARD, step, kernels, False)]
        self.assertEqual(seconds[0], seconds[1])


class TablesTest(unittest.TestCase):
    def test_what_is_written_is_read(self):
        step = tables.Step("vgg8b", 1.5, 128, 132, 4)
        step.operations.append(tables.Operation("layers.0/a", "3×3 1×2×3×4 to 5", 1e9, 12))
        own = launch(4, read=5, written=6, mma_bf16=64, barriers=2.5, global_loads=(1, 2, 3))
        own.tail = tables.Counts({"shuffles": 7})
        step.operations[0].launches.append(own)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.txt"
            path.write_text("# a comment\n" + step.text(), encoding="utf-8")
            self.assertEqual(tables.read_step(path).text(), step.text())
            path.write_text("something else\n", encoding="utf-8")
            with self.assertRaisesRegex(ValueError, "line 1: this is no table of counts"):
                tables.read_step(path)

    def test_tiles_are_written_and_read(self):
        step = step_of(("a", [launch(132, read=5, tiles=(3.875, 4), wgmma=64, product_loads=(1, 2, 3)), launch(7)]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.txt"
            path.write_text(step.text(), encoding="utf-8")
            read = tables.read_step(path)
        self.assertEqual(read.text(), step.text())
        self.assertIn("  kernel blocks=132 threads=128 shared=0 tiles=3.875/4 read=5 written=0\n", step.text())
        self.assertIn("    main wgmma=64 product_loads=1/2/3\n", step.text())
        self.assertIn("  kernel blocks=7 threads=128 shared=0 read=0 written=0\n", step.text())
        persistent, usual = read.operations[0].launches
        self.assertEqual((persistent.tiles, persistent.most_tiles), (3.875, 4))
        self.assertEqual((usual.tiles, usual.most_tiles), (1, 1))

    def test_what_the_program_counts(self):
        own = {"event": "launch", "label": "layers.0/a", "kernel": "k", "blocks": 132, "threads": 384, "shared_bytes": 9}
        own |= {"read": 1, "written": 2, "copied": 0, "tail": {}}
        own["main"] = {"wgmma": 64, "mma_bf16": 0, "product_loads": [1, 2, 3]}
        rows = [
            {"event": "step", "model": "vgg8b", "multiple": 1, "batch_size": 128, "multiprocessors": 132, "nodes": 2},
            {"event": "operation", "label": "layers.0/a", "shapes": "", "flops": 1, "bytes": 2},
            own | {"tiles": 3.5, "most_tiles": 4},
            own,
        ]
        step = tables.step_of_json("\n".join(map(json.dumps, rows)))
        persistent, usual = step.operations[1].launches
        self.assertEqual((persistent.tiles, persistent.most_tiles, persistent.main.wgmma), (3.5, 4, 64))
        self.assertEqual(persistent.main.shared_wavefronts(), 2)
        self.assertEqual(persistent.main.memory_requests(), 0)
        self.assertEqual((usual.tiles, usual.most_tiles), (1, 1))

    def test_engines_of_products(self):
        self.assertEqual(launch(1, kernel="hopper_map_product_kernel<3>").engine, "hopper")
        self.assertEqual(launch(1, kernel="implicit_gemm_kernel<A>").engine, "fused")
        self.assertIsNone(launch(1, kernel="merge_moments_kernel").engine)

    def test_launches_alone_are_compared_without_what_is_counted(self):
        step = step_of(("a", [launch(132, read=5, tiles=(3.875, 4), wgmma=64)]))
        self.assertEqual(check_counts.lines(step, False)[-1], "  kernel blocks=132 threads=128 shared=0")
        self.assertEqual(len(check_counts.lines(step, True)), 4)

    def test_names(self):
        self.assertEqual(tables.short_name("void layerwise::cuda::f<layerwise::Bfloat16, 8>(g<(int)1>)"), "f<Bfloat16,8>")
        self.assertEqual(
            tables.short_name("layerwise::cuda::f<(layerwise::cuda::Inner)0>(float2 const*)"), "f<Inner::depth>"
        )

    def test_stored_tables_can_be_predicted(self):
        for folder in (tables.FOLDER, tables.FOLDER / "before"):
            kernels = tables.read_kernels(folder / "kernels.txt")
            paths = list(folder.glob("vgg*.txt"))
            self.assertTrue(paths)
            for path in paths:
                step = tables.read_step(path)
                model.step_times(CARD, step, kernels, True)
                launches = [own for operation in step.operations for own in operation.launches]
                self.assertGreater(step.nodes, 100)
                self.assertLessEqual(step.nodes, len(launches))


class PredictionTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = script("predict_gpu_step")
        self.options = types.SimpleNamespace(model="vgg8b", multiple=1, batch=128, multiprocessors=132, engine=None)
        row = " ".join(map(str, KERNEL[:6]))
        names = ("implicit_gemm_kernel", "hopper_kernel", "other")
        (self.folder / "kernels.txt").write_text("".join(f"{name} {row}\n" for name in names), encoding="utf-8")
        fused, hopper = ({"kernel": name} for name in names[:2])
        others = ("b", [launch(1, kernel="other")])
        sums = launch(132, kernel="other")
        self.write("vgg8b.txt", step_of(("a", [launch(132, mma_bf16=10**4, **fused)]), others, ("c", [launch(132, **fused)])))
        slow = launch(132, wgmma=9000, **hopper)
        self.hopper = step_of(("a", [launch(132, wgmma=9, **hopper), sums]), others, ("c", [slow, sums]))

    def write(self, name, step):
        (self.folder / name).write_text(step.text(), encoding="utf-8")

    def predict(self):
        return self.program.Prediction(CARD, self.program.wanted_steps(self.folder, self.options), self.folder, False)

    def engines(self, prediction):
        return [self.program.engines_of(operation) for operation, _ in prediction.times]

    def test_one_engine_where_the_other_has_no_table(self):
        self.assertEqual(self.engines(self.predict()), [["fused"], [], ["fused"]])

    def test_the_fastest_of_both(self):
        self.write("vgg8b-hopper.txt", self.hopper)
        fastest = self.predict()
        self.assertEqual(self.engines(fastest), [["hopper"], [], ["fused"]])
        self.assertEqual(fastest.nodes, 4)  # one more than fused has
        seconds = {}
        for self.options.engine in ("fused", "hopper"):
            seconds[self.options.engine] = self.predict().seconds
        self.assertEqual(self.engines(self.predict()), [["hopper"], [], ["hopper"]])
        self.assertLess(fastest.seconds, min(seconds.values()))

    def test_an_engine_without_a_table_is_counted(self):
        self.options.engine, self.options.counter = "fastest", self.folder / "no_program"
        with self.assertRaisesRegex(self.program.Failure, "no table has these counts"):
            self.predict()


class SassTest(unittest.TestCase):
    def instruction(self, code, index=0, target=None, certain=True, width=0):
        made = Instruction(code | (7 if certain else 0) << 12 | 1 << 48, width << 9, index)
        made.target = target
        return made

    def test_the_usual_way_takes_vectors_and_leaves_out_elements(self):
        load, product, other = 0x981, 0x23C, 0x001
        body = [
            self.instruction(BRANCH, target=4, certain=False),  # over the vectors, to the elements
            self.instruction(load, width=6),
            self.instruction(product),
            self.instruction(BRANCH, target=7),
            self.instruction(load, width=2),
            self.instruction(load, width=2),
            self.instruction(product),
            self.instruction(BRANCH, target=9, certain=False),  # over what is seldom done
            self.instruction(other),
            self.instruction(BRANCH, target=0, certain=False),
        ]
        self.assertEqual(usual_way(body, 0, 9), 6)

    def test_the_loop_of_a_kernel_whose_blocks_do_several_tiles(self):
        body = [
            self.instruction(0x001),
            self.instruction(BRANCH, target=1, certain=False),  # waits for a barrier
            self.instruction(WARPGROUP_PRODUCT),
            self.instruction(WARPGROUP_PRODUCT),
            self.instruction(BRANCH, target=1, certain=False),  # terms of the sum
            self.instruction(WARPGROUP_PRODUCT),
            self.instruction(BRANCH, target=0, certain=False),  # tiles
        ]
        self.assertEqual(product_loop(body), (1, 4, 2))

    def test_a_group_without_products(self):
        # As nvcc 13.0 writes a product, with both operands by depth and by extent, and a commit_group alone.
        for product in (0x01E00000041879F0, 0x61E00000041879F0):
            self.assertEqual(Instruction(product, 0xFE20008701818, 0).code, WARPGROUP_PRODUCT)
        self.assertEqual(Instruction(0x3FFF79F0, 0xFE6000C0000FF, 0).code, EMPTY_GROUP)

    def test_registers_that_move(self):
        # As nvcc 13.0 writes setmaxnreg.dec 24 and setmaxnreg.inc 240.
        release = Instruction(0x18000079C8, 0x0E0000080E0500, 0)
        claim = Instruction(0xF0000079C8, 0x0E240008000600, 1)
        self.assertEqual((release.code, claim.code), (SET_REGISTERS, SET_REGISTERS))
        code = [release, claim, self.instruction(0x001)]
        self.assertEqual((registers_set(code, True), registers_set(code, False)), (24, 240))
        self.assertEqual(registers_set(code[2:], True), 0)
        other = Instruction(0x28000079C8, 0x0E0000080E0500, 0)
        self.assertEqual(registers_set([release, other], True), -1)


class KernelsTest(unittest.TestCase):
    SYMBOL = "_ZN9layerwise4cuda25hopper_map_product_kernelILi4EEEv"

    def faults(self, row, log=""):
        instances = check_kernels.compiled_instances(f"{self.SYMBOL} {row}\n_Zother sm_90a 32 0 0 8 99 9 0 0 0 0 0\n")
        return check_kernels.faults(instances, log)

    def test_a_kernel_as_it_should_be(self):
        self.assertEqual(self.faults("sm_90a 168 1024 0 0 576 156 84 8 8 72 216"), [])
        self.assertEqual(self.faults("sm_80 8 0 0 0 5 0 0 0 0 0 0"), [])  # where its body is empty

    def test_kernels_that_are_slow(self):
        for row, wanted in (
            ("sm_90a 168 1024 0 0 576 156 0 0 0 72 216", "has no HGMMA"),
            ("sm_90a 168 1024 0 16 576 156 84 8 8 72 216", "spills 16 bytes"),
            ("sm_90a 168 1024 0 0 576 156 84 8 8 0 0", "setmaxnreg sets 0 and 0 registers"),
            ("sm_90a 168 1024 0 0 576 156 84 8 8 72 -1", "setmaxnreg sets 72 and -1 registers"),
        ):
            said = self.faults(row)
            self.assertEqual(len(said), 1, said)
            self.assertIn(wanted, said[0])

    def test_complaints_of_the_assembler(self):
        good = "sm_90a 168 1024 0 0 576 156 84 8 8 72 216"
        for complaint in (
            "(C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to x in function 'f'",
            "(C7517) warpgroup.wait is injected in around line 7 by compiler to allow use of registers in function 'f'",
            "(C7507) Potential Performance Loss: 'setmaxnreg' ignored to maintain minimum register requirements.",
        ):
            said = self.faults(good, f"ptxas info    : {complaint}\nptxas info    : 0 bytes gmem\n")
            self.assertEqual(len(said), 1, said)
            self.assertIn(complaint, said[0])


if __name__ == "__main__":
    unittest.main()
