"""Tests a pack and its check on device cuda-on-host, in an empty environment, and with bad input:

    PACK=FOLDER python3 -m unittest pack_test

FOLDER is what `ci/gpu-pack --host-only --quick FOLDER` wrote.
"""

import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import types
import unittest

import kernels
from pack import ARCHIVE, MANIFEST, Pack
from parts import Check
from runner import Runner

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
PACK = pathlib.Path(os.environ["PACK"]).resolve()


class PackTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "out"
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for tool in ("bash", "sh", "env", "dirname", "readlink"):
            (self.bin / tool).symlink_to(os.path.realpath(shutil.which(tool)))
        (self.bin / "python3").symlink_to(sys.executable)

    def check(self, pack, *arguments, seconds=1200, device="cuda-on-host", **environment):
        """Runs ci/gpu-check with only a few tools, in another folder."""
        known = {"PATH": str(self.bin), "TMPDIR": str(self.folder), "OUT": str(self.out), "LAYERWISE_DEVICE": device}
        known.update(environment)
        command = [REPOSITORY / "ci/gpu-check", "--pack", pack, "--seconds", str(seconds), *arguments]
        return subprocess.run(command, env=known, cwd=self.folder, capture_output=True, text=True, timeout=1300)

    def copy(self):
        copy = self.folder / "pack"
        shutil.copytree(PACK, copy)
        return copy

    def tool(self, name, script):
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def assert_one_sentence(self, run, *words):
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        lines = run.stderr.splitlines()
        self.assertEqual(len(lines), 1, run.stderr)
        self.assertTrue(lines[0].startswith("ci/gpu-check: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])

    def test_every_part_does_its_work_or_says_why_not(self):
        run = self.check(PACK)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        summary = (self.out / "summary.txt").read_text()
        for expected in (
            "device: first step: mlp",
            "products: ok fused bf16",
            "products: ok hopper bf16",
            "steps: vgg8b fused recorded: median",
            "steps: vgg8b hopper recorded: median",
            "steps: vgg8b fused: two runs end with the same weights",
            "steps: vgg8b cudnn recorded: median",
            "operations: vgg8b fused:",
            "operations: skipped: ncu is not installed",
            "8 cases passed, 0 failed",
            "sanitizers: skipped",
            "mnist-vgg8b-cutout14-predsim: skipped: the pack has no MNIST",
            "all: 0 failures",
        ):
            self.assertIn(expected, summary)
        if (pathlib.Path(REPOSITORY.parent) / "shared/parity").is_dir():
            self.assertIn("parity: cudnn bf16: 2 passed, 0 failed", summary)
        files = sorted(file.name for file in self.out.iterdir())
        self.assertLessEqual(len(files), 8)
        results = [json.loads(line) for line in (self.out / "steps.jsonl").read_text().splitlines()]
        self.assertGreaterEqual(len(results), 3)
        self.assertEqual([file.name for file in self.folder.iterdir() if file.name.startswith("layerwise-gpu")], [])

    def test_ends_in_time(self):
        self.check(PACK, "--parts", "steps,training", seconds=9)  # of which a busy machine unpacks for up to nine
        summary = (self.out / "summary.txt").read_text()
        # A whole part, or single steps where unpacking was slow enough to leave a second.
        self.assertRegex(summary, "skipped[:,] no time left")
        self.assertLess(float(summary.splitlines()[-1].split()[1]), 20)

    def test_a_program_that_had_little_time_has_not_failed(self):
        pack = types.SimpleNamespace(environment=lambda: None)  # of this process
        check = Check(pack, Runner(self.out, 1), "cuda-on-host")
        check.report_failure("sleep", check.run(["sleep", "60"]))
        self.assertIn("sleep: skipped, 1 s were not enough", (self.out / "summary.txt").read_text())
        self.assertEqual(check.runner.failures, 0)
        check.runner = Runner(self.out, 60)
        check.report_failure("false", check.run(["false"]))
        self.assertIn("FAILED: false: it ended with status 1", (self.out / "summary.txt").read_text())
        self.assertEqual(check.runner.failures, 1)

    def test_results_cannot_be_written(self):
        (self.folder / "file").touch()
        self.assert_one_sentence(self.check(PACK, OUT=str(self.folder / "file/below")), "cannot write", "OUT")
        self.assert_one_sentence(self.check(PACK, OUT=""), "OUT")

    def test_what_is_no_pack(self):
        self.assert_one_sentence(self.check(self.folder), "is not a pack")

    def test_damaged_packs(self):
        copy = self.copy()
        with open(copy / ARCHIVE, "r+b") as archive:
            archive.seek(1 << 20)
            archive.write(b"damaged")
        self.assert_one_sentence(self.check(copy), "is damaged")
        (copy / MANIFEST).write_text('{"architecture": ')
        self.assert_one_sentence(self.check(copy), "is damaged")
        (copy / MANIFEST).write_text("[]")
        self.assert_one_sentence(self.check(copy), "is damaged")

    def test_an_archive_whose_entries_lie_elsewhere(self):
        copy = self.copy()
        for name, link in (("../evil", None), ("pack/link", "../../evil"), ("/evil", None)):
            with tarfile.open(copy / ARCHIVE, "w:xz") as archive:
                entry = tarfile.TarInfo(name)
                if link:
                    entry.type, entry.linkname = tarfile.SYMTYPE, link
                archive.addfile(entry, io.BytesIO(b""))
            manifest = json.loads((copy / MANIFEST).read_text())
            manifest["sha256"] = hashlib.sha256((copy / ARCHIVE).read_bytes()).hexdigest()
            (copy / MANIFEST).write_text(json.dumps(manifest))
            self.assert_one_sentence(self.check(copy), "elsewhere")

    def test_no_gpu(self):
        self.assert_one_sentence(self.check(PACK, device="cuda"), "no NVIDIA driver")
        self.tool("nvidia-smi", "echo No devices were found; exit 6")
        self.assert_one_sentence(self.check(PACK, device="cuda"), "No devices were found")

    def test_a_pack_for_another_architecture(self):
        copy = self.copy()
        manifest = json.loads((copy / MANIFEST).read_text())
        (copy / MANIFEST).write_text(json.dumps({**manifest, "architecture": "90a"}))
        self.tool("nvidia-smi", "echo NVIDIA A100, 580.1, 80 GiB, 1410 MHz, 400 W, 8.0")
        self.assert_one_sentence(self.check(copy, device="cuda"), "built for compute capability 9.0", "8.0")

    def test_an_old_driver_and_a_device_that_is_not_there(self):
        run = self.check(PACK, LAYERWISE_CUDA_ON_HOST_DRIVER="12040")
        self.assert_one_sentence(run, "the NVIDIA driver is for CUDA 12.4", "install a newer driver")
        run = self.check(PACK, LAYERWISE_CUDA_ON_HOST_DRIVER="0")
        self.assert_one_sentence(run, "there is no NVIDIA driver")
        run = self.check(PACK, LAYERWISE_CUDA_ON_HOST_FAILS="cudaGetDeviceCount=100")
        self.assert_one_sentence(run, "there is no CUDA device")

    def test_usage_errors(self):
        self.assertEqual(self.check(PACK, "--parts", "everything").returncode, 2)
        self.assertEqual(self.check(PACK, seconds="soon").returncode, 2)

    def test_a_step_that_cannot_be_recorded_is_done_again_through_java(self):
        pack = Pack(PACK)
        pack.unpack(self.folder)
        options = ["bench", "step", "--model", "mlp", "--num-layers", "1", "--num-hidden", "8", "--input", "1x4x4"]
        options += ["--classes", "2", "--batch-size", "4", "--device", "cuda-on-host", "--steps", "2", "--warmup", "6"]
        for failing in ("cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch"):
            environment = dict(pack.environment(), LAYERWISE_CUDA_ON_HOST_FAILS=f"{failing}=2")
            run = subprocess.run(
                list(map(str, pack.java(*options))), env=environment, capture_output=True, text=True, timeout=120)
            self.assertEqual(run.returncode, 0, run.stderr)
            said = [line for line in run.stderr.splitlines() if line.startswith("layerwise: ")]
            self.assertEqual(len(said), 1, run.stderr)
            self.assertIn("steps are no longer recorded", said[0])

    def test_reads_what_ncu_writes(self):
        text = "==PROF== Connected\n" + "\n".join(
            ['"ID","Kernel Name","Grid Size","Section Name","Metric Name","Metric Unit","Metric Value"']
            + [f'"0","gemm<A, B>","(4, 1, 1)","S","{metric}","{unit}","{value}"'
               for metric, unit, value in (("Duration", "ms", "1.5"), ("DRAM Throughput", "%", "12.25"))]
            + ['"1","gemm<A, B>","(4, 1, 1)","S","Duration","us","500"', '"2","add","(1, 1, 1)","S","Duration","us","1,000"']
        )
        hottest = kernels.hottest(text, 1)
        self.assertEqual(hottest, ["66.7% 2000.0 us in 2, DRAM 12.25: gemm<A, B> (4, 1, 1)"])
        self.assertEqual(kernels.hottest("ncu says no", 10), [])


if __name__ == "__main__":
    unittest.main()
