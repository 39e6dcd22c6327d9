"""The parts of a check, the most informative first. Each is a function that takes a Check. If it fails, the others still run."""

import importlib.metadata
import json
import os
import pathlib
import shutil
import sys

import kernels
from pack import nvidia_packages
from runner import LeftOut, Stopped

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
ENOUGH_SECONDS = 20  # for any program here
MOST_SECONDS = 30  # a program that hangs must not use up the others' time
PATIENCE_ON_HOST = 4  # times as long: there the limits only end what hangs, and a busy processor must not reach them
SANITIZER_CASES = (
    "convolution_forward_odd_channels_channel_moments",
    "convolution_forward_large_tiles_channel_moments",
    "encoder_gradient_odd_map_batch_norm_bias",
    "hidden_gradient_everything",
    "similarity_loss_batch_of_tiles",
    "classifier_loss_several_tiles",
)
HOPPER_SANITIZER_CASES = (
    "convolution_forward_regions_8x8_channel_moments",
    "encoder_gradient_apart_4x4_d_x",
)


class Check:
    """The argument of every part: `pack`, `runner`, and the device to check."""

    def __init__(self, pack, runner, device):
        self.pack, self.runner, self.device = pack, runner, device
        self.environment = pack.environment()
        self.on_gpu = device != "cuda-on-host"
        self.patience = 1 if self.on_gpu else PATIENCE_ON_HOST
        self.backend = "cuda" if self.on_gpu else "cuda_on_host"  # in the names of test cases

    def run(self, command, seconds=None):
        return self.runner.run(command, seconds, self.environment, REPOSITORY)

    def step_benchmark(self, *arguments, seconds=None):
        return self.run([self.pack.native("step_benchmark"), *arguments, "--device", self.device], seconds)

    def report_failure(self, what, finished):
        """Reports a failure, except for a program that had little time left when it began."""
        if finished.rc is None and finished.seconds < ENOUGH_SECONDS:
            self.runner.say(f"{what}: skipped, {finished.seconds:.0f} s were not enough")
        else:
            self.runner.fail(f"{what}: {finished.why()}")

    def pytorch(self):
        """PyTorch's version, or None. Does not load it, which takes seconds."""
        try:
            return importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            return None


def device(check):
    """Lists what is installed, and runs one step."""
    say = check.runner.say
    if check.on_gpu:
        query = "name,driver_version,memory.total,clocks.max.sm,power.limit,compute_cap"
        if not shutil.which("nvidia-smi"):
            raise Stopped("there is no NVIDIA driver on this machine (no nvidia-smi); run ci/gpu-check on a machine with a GPU")
        gpu = check.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], 10)
        if not gpu.succeeded:
            raise Stopped(f"the NVIDIA driver finds no GPU: {gpu.why()}")
        say(f"GPU: {gpu.stdout.strip()}")
        capability = gpu.stdout.strip().splitlines()[0].split(",")[-1].strip().replace(".", "")
        made_for = check.pack.architecture.rstrip("af")
        if capability != made_for:
            raise Stopped(
                f"the pack was built for compute capability {made_for[:-1]}.{made_for[-1]}, this GPU has "
                f"{capability[:-1]}.{capability[-1]}; make another pack: ci/gpu-pack --architecture {capability} FOLDER"
            )
    launch = check.step_benchmark("mlp", "--batch-size", "8", "--steps", "1", "--warmup", "0", "--engine", "fused")
    if not launch.succeeded:
        raise Stopped(f"no step runs on {check.device}: {launch.why().removeprefix('step_benchmark: ')}")
    say(f"first step: {launch.stdout.strip()}")
    say(f"pack: {check.pack.manifest['version']}, {check.pack.manifest['commit']}, for {check.pack.architecture}")
    tools = ("nvcc", "ncu", "compute-sanitizer", "cuobjdump", "c++", "cmake")
    say("tools: " + ", ".join(f"{tool} {'yes' if shutil.which(tool) else 'no'}" for tool in tools))
    say(f"Python {sys.version.split()[0]}, PyTorch {check.pytorch() or 'none'}")
    check_declarations(check)


def check_declarations(check):
    """Compares our declarations of cuBLAS, cuDNN and NCCL with the headers, if they are installed."""
    folders = [folder for packages in nvidia_packages() for folder in packages.glob("*/include")]
    folders += [pathlib.Path("/usr/local/cuda/include")]
    has = {name: any((folder / name).exists() for folder in folders) for name in ("cublas_v2.h", "cudnn.h")}
    if not all(has.values()) or not shutil.which("c++"):
        check.runner.say("our declarations of cuBLAS and cuDNN were not compared: no headers or no C++ compiler")
        return
    includes = [option for folder in folders if folder.is_dir() for option in ("-I", folder)]
    source = REPOSITORY / "native/tests/nvidia_api_check.cpp"
    compiled = check.run(
        ["c++", "-std=c++17", "-fsyntax-only", "-I", REPOSITORY / "native/src", *includes, source], 30)
    if compiled.succeeded:
        nccl = ", NCCL" if any((folder / "nccl.h").exists() for folder in folders) else ""
        check.runner.say(f"our declarations match the headers of cuBLAS, cuDNN{nccl}")
    else:
        errors = [line for line in compiled.stderr.splitlines() if "error" in line]
        check.runner.fail(f"our declarations differ from the headers of cuBLAS, cuDNN or NCCL: {(errors or ['?'])[0][:200]}")


def products(check):
    """Compares products on large tiles with PyTorch in float32."""
    command = [sys.executable, HERE / "products.py", "--library", check.pack.libraries() / "liblayerwise.so"]
    command += ["--device", check.device]
    if check.on_gpu and not check.pytorch():
        raise LeftOut("PyTorch is not installed")
    if not check.on_gpu:
        command += ["--against", "reference", "--small"]
    for engine in ("fused", "hopper"):
        compared = check.run([*command, "--engine", engine])
        for line in compared.stdout.splitlines():
            check.runner.say(line)
        if not compared.succeeded:
            check.report_failure(f"comparison of {engine}", compared)


def networks(check):
    """(name, options, steps) of each network to time."""
    if check.on_gpu:
        return [("vgg8b", ["vgg8b"], 40), ("vgg11b 3x", ["vgg11b", "--multiple", "3"], 15), ("vgg11b", ["vgg11b"], 25)]
    return [("vgg8b", ["vgg8b", "--multiple", "0.0625", "--batch-size", "2"], 1)]


def steps(check):
    """Times whole steps for each engine, recorded and eager, and checks that equal runs give equal weights."""
    weights = {}
    ways = [("fused", "yes"), ("hopper", "yes"), ("auto", "yes"), ("cudnn", "yes"), ("fused", "no"), ("auto", "no")]
    for name, options, count in networks(check):
        for engine, record in ways if check.on_gpu else [way for way in ways if way[0] != "auto"]:
            if check.runner.left() < 2:
                check.runner.say(f"{name} {engine}: skipped, no time left")
                continue
            result = timed_steps(check, name, options, engine, record, count)
            if result:
                weights[name, engine, record] = result["weights"]
    name, options, count = networks(check)[0]
    for engine in ("fused", "hopper", "auto"):
        if (name, engine, "yes") not in weights or check.runner.left() < 2:
            continue
        again = timed_steps(check, name, options, engine, "yes", count)
        if again and again["weights"] == weights[name, engine, "yes"]:
            check.runner.say(f"{name} {engine}: two runs end with the same weights")
        elif again:
            check.runner.fail(f"{name} {engine}: two runs end with different weights")
    for (name, engine, record), found in weights.items():
        if record == "no" and weights.get((name, engine, "yes"), found) != found:
            check.runner.fail(f"{name} {engine}: recorded and eager steps end with different weights")


def timed_steps(check, name, options, engine, record, count):
    # The fifth step times the engines; replay starts some steps later.
    warmup = "12" if check.on_gpu else "6"
    timed = check.step_benchmark(
        *options, "--engine", engine, "--record", record, "--steps", str(count), "--warmup", warmup, "--json",
        seconds=check.patience * MOST_SECONDS)
    what = f"{name} {engine} {'recorded' if record == 'yes' else 'eager'}"
    if not timed.succeeded:
        check.report_failure(what, timed)
        return None
    check.runner.append("steps.jsonl", timed.stdout)
    result = json.loads(timed.stdout)
    if record == "yes" and result["replayed"] == 0:
        check.runner.fail(f"{what}: no step was replayed: {timed.why()}")
    check.runner.say(
        f"{what}: median {result['step_ms_median']:.3f} ms, fastest {result['step_ms_min']:.3f} ms, "
        f"{result['images_per_second']:.0f} images/s, {result['gflop_per_second'] / 1e3:.1f} TFLOP/s, "
        f"weights {result['weights']}")
    return result


def operations(check):
    """Times each operation by the device's clock, and shows what limits the hottest kernels."""
    name, options, _ = networks(check)[0]
    for engine in ("fused", "hopper", "auto"):
        count = ("10", "6") if check.on_gpu else ("1", "0")
        timed = check.step_benchmark(
            *options, "--engine", engine, "--steps", count[0], "--warmup", count[1], "--operations",
            seconds=check.patience * MOST_SECONDS)
        if not timed.succeeded:
            check.report_failure(f"operations of {name}, {engine}", timed)
            continue
        check.runner.append("operations.tsv", f"# {name} {engine}\n{timed.stdout}")
        rows = []  # by calls times the fastest time: slower calls may have timed engines
        for line in timed.stdout.splitlines():
            operation, shapes, calls, _, fastest, flops, _ = line.split("\t")
            rows.append((int(calls) * float(fastest), operation, shapes, float(fastest), float(flops)))
        rows.sort(reverse=True)
        total = sum(row[0] for row in rows)
        for seconds, operation, shapes, fastest, flops in rows[:10]:
            check.runner.say(
                f"{name} {engine}: {seconds / total:5.1%} {operation} {shapes}: {1e3 * fastest:.3f} ms, "
                f"{1e-12 * flops / fastest:.1f} TFLOP/s")
    if not shutil.which("ncu"):
        raise LeftOut("ncu is not installed")
    command = ["ncu", "--csv", "--page", "details", "--section", "SpeedOfLight", "--section", "Occupancy"]
    command += ["--section", "LaunchStats", check.pack.native("step_benchmark"), *options, "--device", check.device]
    command += ["--engine", "fused", "--record", "no", "--steps", "1", "--warmup", "0"]
    profiled = check.run(command)
    check.runner.append("kernels.csv", profiled.stdout)
    lines = kernels.hottest(profiled.stdout, 10)
    for line in lines:
        check.runner.say(line)
    if not lines:
        check.report_failure("ncu", profiled)


def pytorch(check):
    """Times the same steps and a large product in PyTorch."""
    if not check.pytorch():
        raise LeftOut("PyTorch is not installed")
    target = "cuda" if check.on_gpu else "cpu"
    size = "8192" if check.on_gpu else "256"
    product = check.run([sys.executable, HERE / "torch_product.py", target, size], 15)
    check.runner.say(product.stdout.strip() if product.succeeded else f"a large product failed: {product.why()}")
    script = REPOSITORY / "benchmarks/peers/gpu_step.py"
    for name, options, count in networks(check):
        options = ["--model", options[0], *["--feat-mult" if o == "--multiple" else o for o in options[1:]]]
        for compiled in (False, True) if check.on_gpu else (False,):
            command = [sys.executable, script, *options, "--steps", str(count), "--device", target]
            command += [] if compiled else ["--no-compile"]
            step = check.run(command + ([] if check.on_gpu else ["--default-adam", "--warmup", "1"]))
            how = f"{name} PyTorch {'compiled' if compiled else 'eager'}"
            if not step.succeeded:
                check.runner.say(f"{how}: no result: {step.why()}")
                continue
            check.runner.append("steps.jsonl", step.stdout)
            result = json.loads(step.stdout)
            check.runner.say(
                f"{how}: median {result['step_ms_median']:.3f} ms, fastest {result['step_ms_min']:.3f} ms, "
                f"{result['images_per_second']:.0f} images/s")


def run_cases(check, pattern, shards, prefix=()):
    """Runs cases of the table, one process per shard; reports how many passed and which failed."""
    environment = dict(check.environment)
    if "libraries" not in pattern:
        environment["LAYERWISE_TEST_LIBRARIES"] = "no"  # they take seconds to open
    processes = []
    for shard in range(shards):
        own = dict(environment, GTEST_TOTAL_SHARDS=str(shards), GTEST_SHARD_INDEX=str(shard))
        command = [*prefix, check.pack.native("operation_test"), f"--gtest_filter={pattern}"]
        processes.append(check.runner.start(command, own, REPOSITORY))
    passed, failed, unfinished, wrong = 0, [], [], []
    for process in processes:
        ended = check.runner.end(process, check.runner.left())
        passed += sum(line.startswith("[       OK ]") for line in ended.stdout.splitlines())
        failed += [line.split("]", 1)[1].split()[0] for line in ended.stdout.splitlines()
                   if line.startswith("[  FAILED  ]") and " (" in line]
        if ended.rc is None:
            unfinished.append(ended)
        elif ended.rc != 0:
            wrong.append(ended)
    check.runner.say(f"{pattern}: {passed} cases passed, {len(failed)} failed"
                     + (f", {len(unfinished)} of {shards} shards did not finish in time" if unfinished else ""))
    for name in failed[:20]:
        check.runner.fail(name)
    if wrong and not failed:
        check.runner.fail(f"{pattern}: {wrong[0].why()}")
    if not passed and not failed and not unfinished:
        check.runner.fail(f"{pattern}: no case ran")


def cases(check):
    """Runs all operation cases."""
    if check.on_gpu:
        shards = max(1, min(12, (os.cpu_count() or 2) - 2))
        run_cases(check, "*/cuda_f32_*:*/cuda_bf16_*", shards)
        run_cases(check, "eights/*cuda_hopper_*", shards)
        run_cases(check, "*/cuda_libraries_*", shards)
    else:
        run_cases(check, f"*/{check.backend}_bf16_*add_tensor*:*/{check.backend}_f32_*optimizer*", 2)


def sanitizers(check):
    """Runs memcheck and racecheck on eight cases."""
    pattern = ":".join(f"*/{check.backend}_bf16_{case}" for case in SANITIZER_CASES)
    pattern += "".join(f":eights/*{check.backend}_hopper*_{case}" for case in HOPPER_SANITIZER_CASES)
    if not check.on_gpu:
        run_cases(check, pattern, 1)  # check that the cases exist
    if not check.on_gpu or not shutil.which("compute-sanitizer"):
        raise LeftOut("compute-sanitizer or a GPU is missing")
    for tool in ("memcheck", "racecheck"):
        check.runner.say(tool)
        run_cases(check, pattern, 3, ("compute-sanitizer", "--tool", tool, "--error-exitcode", "9"))


def parity(check):
    """Compares with reference values of the published method."""
    folder = check.pack.root / "parity"
    if not folder.is_dir():
        raise LeftOut("the pack has no reference values")
    files = [folder] if check.on_gpu else [folder / "conv_predsim.safetensors", folder / "linear_pred.safetensors"]
    ways = (("fused", "f32"), ("fused", "bf16"), ("hopper", "bf16"), ("cudnn", "f32"), ("cudnn", "bf16"))
    for engine, precision in ways:
        replayed = check.run(
            check.pack.java("parity", *map(str, files), "--device", check.device, "--engine", engine,
                            "--precision", precision), check.patience * MOST_SECONDS)
        last = (replayed.stdout.strip().splitlines() or ["no output"])[-1]
        if replayed.succeeded:
            check.runner.say(f"{engine} {precision}: {last}")
        else:
            check.report_failure(f"{engine} {precision}: {last}", replayed)


def training(check):
    """Uses the time left for real training runs: MNIST vgg8b with cutout (published: 0.26 %), then CIFAR-100 vgg8b if its
    files are next to the pack's archive."""
    runs = [("mnist-vgg8b-cutout14-predsim", check.pack.root / "data/mnist", "the pack has no MNIST")]
    runs += [("cifar100-vgg8b-predsim", check.pack.folder / "cifar-100-binary", "no cifar-100-binary next to the archive")]
    for preset, data, missing in runs:
        if data.is_dir():
            train(check, preset, data)
        else:
            check.runner.say(f"{preset}: skipped: {missing}")


def train(check, preset, data):
    reserve = 15  # the last checkpoint and evaluation
    limit = int(check.runner.left()) - reserve
    if limit < (20 if check.on_gpu else 5):
        check.runner.say(f"{preset}: skipped, no time left")
        return
    folder = check.pack.root / preset
    options = ["--preset", preset, "--data-dir", str(data), "--device", check.device]
    options += ["--out", str(folder), "--time-limit", f"{limit}s"]
    if not check.on_gpu:
        options += ["--feat-mult", "0.0625", "--batch-size", "2"]
    run = check.run(check.pack.java("train", *options))
    for line in (run.stderr + run.stdout).strip().splitlines()[-4:]:
        check.runner.say(f"{preset}: {line}")
    for name in ("metrics.jsonl", "config.json"):
        if (folder / name).is_file():
            check.runner.append("runs.txt", f"# {preset}, {name}\n{(folder / name).read_text(encoding='utf-8')}\n")
    if not run.succeeded:
        check.runner.fail(f"{preset}: {run.why()}")


# In the order in which they run, with each part's time limit in seconds.
PARTS = {
    "device": (device, 15),
    "products": (products, 30),
    "steps": (steps, 75),
    "operations": (operations, 60),
    "pytorch": (pytorch, 70),
    "cases": (cases, 100),
    "sanitizers": (sanitizers, 45),
    "parity": (parity, 60),
    "training": (training, 3600),
}
