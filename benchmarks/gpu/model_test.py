"""Known answers of the model and its tables:  python3 -B -m unittest discover -s benchmarks/gpu -p '*_test.py'"""

import tempfile
import unittest
from pathlib import Path

import model
import tables
from sass import BRANCH, Instruction, usual_way


def launch(blocks, threads=128, shared=0, read=0, written=0, **counts):
    return tables.Launch("kernel", blocks, threads, shared, read, written, tables.Counts(counts), tables.Counts({}))


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

    def test_early_launches_within_a_block_of_the_network(self):
        step = tables.Step("model", 1, 128, 132, 4)
        for label in ("layers.0/a", "layers.0/b", "layers.1/a"):
            operation = tables.Operation(label, "", 0, 0)
            operation.launches.append(launch(1))
            step.operations.append(operation)
        kernels = {"kernel": KERNEL}
        seconds = [own[0].seconds for _, own in model.step_times(CARD, step, kernels, True)]
        self.assertEqual(seconds[0], seconds[2])
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


class SassTest(unittest.TestCase):
    def instruction(self, code, index=0, target=None, certain=True, width=0):
        made = Instruction(code | (7 if certain else 0) << 12, width << 9, index)
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


if __name__ == "__main__":
    unittest.main()
