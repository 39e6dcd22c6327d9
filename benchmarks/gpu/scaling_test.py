"""Known answers of the model of several GPUs:  python3 -B -m unittest discover -s benchmarks/gpu -p '*_test.py'"""

import unittest

import scaling
from scaling import Block


class ScalingTest(unittest.TestCase):
    def test_parameters_are_those_of_the_network(self):
        first, *_, linear, output = scaling.blocks("vgg8b")
        # 3·128·9 weights, bias, scale and shift; a classifier of 4096 pooled features; 128·128·9 of the similarity loss
        self.assertEqual(first.parameters, 3456 + 3 * 128 + 100 * 4097 + 147456)
        self.assertEqual(linear.parameters, 2048 * 1024 + 3 * 1024 + 100 * 1025 + 1024 * 1024)
        self.assertEqual(output.parameters, 102500)

    def test_bytes_follow_the_formula(self):
        block = Block(parameters=1000, compared=10, channels=5)
        self.assertEqual(scaling.received_bytes(block, 2, 64, "local"), 2 * 4 * 1000 / 2 + 2 * 5 * 4)
        self.assertEqual(
            scaling.received_bytes(block, 2, 64, "global"), 2 * 4 * 1000 / 2 + 4 * 5 * 4 + 64 * 4 * (10 + 1)
        )

    def test_one_gpu_exchanges_nothing(self):
        one = scaling.predict("vgg8b", 1, 0.004, 1, "global")
        self.assertEqual((one.megabytes, one.exchange_ms, one.efficiency), (0, 0, 1))

    def test_efficiency_falls_with_gpus_and_rises_with_local_statistics(self):
        share = {
            (gpus, statistics): scaling.predict("vgg8b", 1, 0.004, gpus, statistics)
            for gpus in (8, 64, 512)
            for statistics in ("global", "local")
        }
        self.assertGreater(share[8, "global"].efficiency, share[64, "global"].efficiency)
        self.assertGreater(share[64, "global"].efficiency, share[512, "global"].efficiency)
        for gpus in (8, 64, 512):
            self.assertGreater(share[gpus, "local"].efficiency, share[gpus, "global"].efficiency)
            self.assertGreater(share[gpus, "local"].overlapped, share[gpus, "local"].efficiency)


if __name__ == "__main__":
    unittest.main()
