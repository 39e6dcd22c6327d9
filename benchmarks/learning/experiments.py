"""Runs the experiments of docs/learning.md, and prints their tables.

    python benchmarks/learning/experiments.py run --only mnist --data-dir DIR --runs FOLDER
    python benchmarks/learning/experiments.py table --runs FOLDER

`run` does what is missing: a finished run is kept, a stopped one goes on. Start it several times, with the same folder, to do
several runs at once; each takes the next that nobody has.
"""

import argparse
import dataclasses
import fcntl
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Experiment:
    name: str
    options: str
    seeds: int


@dataclasses.dataclass(frozen=True)
class Group:
    """Experiments that differ in their options only."""

    name: str
    base: str  # what all have in common, but for the epochs
    epochs: int
    experiments: tuple

    def command(self, experiment, seed, arguments, out):
        words = f"train {self.base} --epochs {self.epochs} {experiment.options} --seed {seed} --threads 1"
        return [str(arguments.layerwise), *words.split(), "--data-dir", str(arguments.data_dir), "--out", str(out)]


def published(milestones, seeds):
    """The published recipe, with its milestones scaled to the group's epochs."""
    return Experiment("published", f"--lr-decay-milestones {milestones}", seeds)


def one_cycle(rate, more=""):
    return f"--schedule one-cycle --lr {rate} {more}".strip()


def mnist(epochs, milestones, seeds, experiments):
    return Group(f"mnist-mlp-{epochs}", "--preset mnist-mlp-predsim", epochs,
                 (published(milestones, seeds), *experiments))


def fashion(epochs, milestones, seeds, experiments):
    return Group(f"fashion-mlp-{epochs}", "--preset fashion-mlp-predsim", epochs,
                 (published(milestones, seeds), *experiments))


def cifar(epochs, milestones, few_classes_until, seeds, experiments):
    base = ("--preset cifar100-vgg8b-predsim --feat-mult 0.125"
            f" --classes-per-batch-until-epoch {few_classes_until}")
    return Group(f"cifar100-vgg8b-{epochs}", base, epochs, (published(milestones, seeds), *experiments))


def for_both(rate):
    """Ingredients that are tried on both data sets, each on top of one cycle with this rate."""
    ingredients = {"label smoothing": "--label-smoothing 0.1", "ema": "--ema-decay 0.999",
                   "lookahead": "--lookahead-steps 5", "batch norm rate x4": "--lr-mult-batch-norm 4"}
    return tuple(Experiment(name, one_cycle(rate, options), 2) for name, options in ingredients.items())


def sgd(rate, more=""):
    return one_cycle(rate, f"--optim sgd --momentum 0.9 --nesterov {more}".strip())


def holes(length, beta="0.9"):
    """Small shifts and holes instead of larger shifts and dropout."""
    return f"--crop 1 --beta {beta} --dropout 0 --cutout --length {length}"


ALL_CLASSES = 100  # of CIFAR-100: no limit on a batch's classes, with an epoch until which that holds
MNIST_RATE, CIFAR_RATE = "4e-3", "2e-3"
BEST_MNIST = f"{holes(6)} --label-smoothing 0.1"

GROUPS = (
    mnist(10, "5,8,9", 5, (
        Experiment("one-cycle 1e-3", one_cycle("1e-3"), 1),
        Experiment("one-cycle 2e-3", one_cycle("2e-3"), 5),
        Experiment("one-cycle 4e-3", one_cycle("4e-3"), 5),
        Experiment("one-cycle 8e-3", one_cycle("8e-3"), 5),
        Experiment("cosine", f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE}", 2),
        *for_both(MNIST_RATE),
        Experiment("classifier rate x4", one_cycle(MNIST_RATE, "--lr-mult-classifiers 4"), 2),
        Experiment("adamw 0.1", one_cycle(MNIST_RATE, "--optim adamw --weight-decay 0.1"), 2),
        Experiment("batch 256", one_cycle(MNIST_RATE, "--batch-size 256"), 2),
        Experiment("batch 64", one_cycle(MNIST_RATE, "--batch-size 64"), 2),
        Experiment("dropout 0.05", one_cycle(MNIST_RATE, "--dropout 0.05"), 2),
        Experiment("no dropout", one_cycle(MNIST_RATE, "--dropout 0"), 2),
        Experiment("frozen from the front", one_cycle(MNIST_RATE, "--freeze-after 5,7,9"), 2),
        Experiment("beta 0.9", one_cycle(MNIST_RATE, "--beta 0.9"), 2),
        Experiment("beta 0.5", one_cycle(MNIST_RATE, "--beta 0.5"), 2),
        Experiment("beta 0", one_cycle(MNIST_RATE, "--beta 0"), 2),
        Experiment("beta 0.999", one_cycle(MNIST_RATE, "--beta 0.999"), 2),
        Experiment("no similarity std", one_cycle(MNIST_RATE, "--no-similarity-std"), 2),
        Experiment("cosine, classifiers x4", f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE} --lr-mult-classifiers 4", 2),
        Experiment("cosine, classifiers x4, dropout 0.05",
                   f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE} --lr-mult-classifiers 4 --dropout 0.05", 2),
        Experiment("cosine, classifiers x4, smoothing",
                   f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE} --lr-mult-classifiers 4 --label-smoothing 0.1", 2),
        Experiment("batch 32, rate 1e-3", one_cycle("1e-3", "--batch-size 32"), 2),
        Experiment("batch 64, rate 2e-3, dropout 0.05", one_cycle("2e-3", "--batch-size 64 --dropout 0.05"), 2),
        Experiment("sgd 10", sgd("10"), 2),
        Experiment("sgd 3", sgd("3"), 2),
        Experiment("sgd 30", sgd("30"), 2),
        Experiment("sgd 10, decay", sgd("10", "--weight-decay 1e-6"), 2),
        Experiment("sgd 10, crop 1", sgd("10", "--crop 1"), 2),
        Experiment("sgd 10, crop 1, beta 0.9", sgd("10", "--crop 1 --beta 0.9"), 2),
        Experiment("sgd 10, crop 1, no dropout", sgd("10", "--crop 1 --dropout 0"), 2),
        Experiment("sgd 10, crop 1, cutout 7", sgd("10", "--crop 1 --dropout 0 --cutout --length 7"), 2),
        Experiment("cutout 7, sgd 10, crop 1, beta 0.9", sgd("10", holes(7)), 5),
        Experiment("cutout 10, sgd 10, crop 1, beta 0.9", sgd("10", holes(10)), 2),
        Experiment("cutout 7, sgd 10, beta 0.9", sgd("10", "--beta 0.9 --dropout 0 --cutout --length 7"), 2),
        Experiment("cutout 7, crop 1, beta 0.9", one_cycle(MNIST_RATE, holes(7)), 5),
        Experiment("cutout 5, crop 1, beta 0.9", one_cycle(MNIST_RATE, holes(5)), 2),
        Experiment("cutout 9, crop 1, beta 0.9", one_cycle(MNIST_RATE, holes(9)), 2),
        Experiment("cutout 7, crop 1, beta 0.7", one_cycle(MNIST_RATE, holes(7, beta="0.7")), 2),
        Experiment("cutout 7, crop 1", one_cycle(MNIST_RATE, holes(7, beta="0.99")), 2),
        Experiment("cutout 7, crop 1, beta 0.9, cosine",
                   f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE} {holes(7)}", 2),
        Experiment("cutout 7, crop 1, beta 0.9, batch 64", one_cycle("3e-3", f"{holes(7)} --batch-size 64"), 2),
        Experiment("cutout 7, crop 1, beta 0.9, smoothing", one_cycle(MNIST_RATE, f"{holes(7)} --label-smoothing 0.1"), 2),
        Experiment("best", one_cycle(MNIST_RATE, BEST_MNIST), 5),
        Experiment("sgd 10, crop 1, smoothing", sgd("10", "--crop 1 --label-smoothing 0.1"), 2),
        Experiment("sgd 5, batch 64", sgd("5", "--batch-size 64"), 2),
        Experiment("batch 64, rate 2e-3", one_cycle("2e-3", "--batch-size 64"), 2),
        Experiment("crop 1, no dropout, cosine, beta 0.9",
                   "--schedule cosine --warmup 0.15 --lr 4e-3 --beta 0.9 --dropout 0 --crop 1", 5),
        Experiment("crop 1, no dropout, cosine", "--schedule cosine --warmup 0.15 --lr 4e-3 --dropout 0 --crop 1", 5),
        Experiment("crop 1", one_cycle(MNIST_RATE, "--crop 1"), 5),
        Experiment("crop 1, no dropout", one_cycle(MNIST_RATE, "--crop 1 --dropout 0"), 5),
        Experiment("crop 1, dropout 0.2", one_cycle(MNIST_RATE, "--crop 1 --dropout 0.2"), 2),
        Experiment("warm-up 0.05", one_cycle(MNIST_RATE, "--warmup 0.05"), 2),
        Experiment("cosine, warm-up 0.3", f"--schedule cosine --warmup 0.3 --lr {MNIST_RATE}", 2),
    )),
    mnist(20, "10,16,18", 2, (
        Experiment("one-cycle 4e-3", one_cycle(MNIST_RATE), 2),
        Experiment("best", one_cycle(MNIST_RATE, BEST_MNIST), 5),
        Experiment("best, length 8", one_cycle(MNIST_RATE, f"{holes(8)} --label-smoothing 0.1"), 5),
        Experiment("best, cosine", f"--schedule cosine --warmup 0.15 --lr {MNIST_RATE} {BEST_MNIST}", 5),
        Experiment("best, smoothing 0.05", one_cycle(MNIST_RATE, f"{holes(6)} --label-smoothing 0.05"), 5),
        Experiment("best, crop 2", one_cycle(MNIST_RATE, BEST_MNIST.replace("--crop 1", "--crop 2")), 5),
    )),
    fashion(40, "20,30,35", 1, (
        Experiment("one-cycle 4e-3", one_cycle(MNIST_RATE), 3),
        Experiment("holes", one_cycle(MNIST_RATE, BEST_MNIST), 3),
        Experiment("holes, crop 2, length 8", one_cycle(MNIST_RATE, f"{holes(8)} --label-smoothing 0.1".replace("--crop 1", "--crop 2")), 3),
        Experiment("beta 0.9, no dropout", one_cycle(MNIST_RATE, "--beta 0.9 --dropout 0"), 3),
        Experiment("crop 1, beta 0.9", one_cycle(MNIST_RATE, "--crop 1 --beta 0.9 --dropout 0"), 3),
        Experiment("cutout 4, crop 1, beta 0.9", one_cycle(MNIST_RATE, holes(4)), 3),
        Experiment("no crop, beta 0.9", one_cycle(MNIST_RATE, "--crop 0 --beta 0.9 --dropout 0"), 3),
        Experiment("no crop, beta 0.9, smoothing",
                   one_cycle(MNIST_RATE, "--crop 0 --beta 0.9 --dropout 0 --label-smoothing 0.1"), 3),
        Experiment("crop 1, beta 0.9, dropout", one_cycle(MNIST_RATE, "--crop 1 --beta 0.9"), 3),
    )),
    *(Group(f"fashion-mlp-200-{loss}", f"--preset fashion-mlp-{loss}", 200, (Experiment("published", "", 1),))
      for loss in ("predsim", "global", "pred", "sim")),
    cifar(10, "5,8,9", 5, 2, (
        Experiment("one-cycle 1e-3", one_cycle("1e-3"), 1),
        Experiment("one-cycle 2e-3", one_cycle("2e-3"), 2),
        Experiment("one-cycle 4e-3", one_cycle("4e-3"), 2),
        Experiment("all classes in a batch", one_cycle(CIFAR_RATE, f"--classes-per-batch {ALL_CLASSES}"), 2),
        *for_both(CIFAR_RATE),
        Experiment("alternating flip", one_cycle(CIFAR_RATE, "--flip alternating"), 2),
        Experiment("cutout 8", one_cycle(CIFAR_RATE, "--cutout --length 8"), 2),
        Experiment("whitening filters", one_cycle(CIFAR_RATE, "--whiten"), 2),
        Experiment("two blocks per loss", one_cycle(CIFAR_RATE, "--blocks-per-loss 2"), 2),
        Experiment("frozen from the front", one_cycle(CIFAR_RATE, "--freeze-after 4,5,6,7,8,9"), 2),
    )),
    Group("cifar100-resnet18-10", f"--dataset cifar-100 --model resnet18 --feat-mult 0.25 {one_cycle(CIFAR_RATE)}", 10, (
        Experiment("a loss for every convolution", "--loss predsim", 1),
        Experiment("backpropagation", "--backprop", 1),
        Experiment("two blocks per loss", "--loss predsim --blocks-per-loss 2", 1),
        Experiment("four blocks per loss", "--loss predsim --blocks-per-loss 4", 1),
        Experiment("wider classifiers", "--loss predsim --dim-in-decoder 8192", 1),
    )),
)


def folder(runs, group, experiment, seed):
    return runs / group.name / experiment.name.replace(" ", "-") / f"seed-{seed}"


def wanted(arguments):
    """(group, experiment, seed), all first seeds before all second ones."""
    for seed in range(1, 6):
        for group in GROUPS:
            for experiment in group.experiments:
                if f"{group.name}/{experiment.name}".startswith(arguments.only) and seed <= experiment.seeds:
                    yield group, experiment, seed


def run(arguments):
    for group, experiment, seed in wanted(arguments):
        out = folder(arguments.runs, group, experiment, seed)
        if (out / "model.safetensors").exists():
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{out}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            command = group.command(experiment, seed, arguments, out)
            if (out / "checkpoint.safetensors").exists():
                command = [command[0], "train", "--resume", str(out), "--data-dir", str(arguments.data_dir)]
            print(" ".join(command), file=sys.stderr, flush=True)
            with open(f"{out}.log", "a") as log:
                code = subprocess.call(command, stdout=log, stderr=log)
            if code != 0:
                sys.exit(f"{out} failed with exit code {code}; see {out}.log")


def epochs_of(out):
    with open(out / "metrics.jsonl") as lines:
        return [json.loads(line) for line in lines]


def mean_and_deviation(values):
    mean = f"{statistics.mean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def table(arguments):
    for group in GROUPS:
        rows = []
        for experiment in group.experiments:
            outs = [folder(arguments.runs, group, experiment, seed) for seed in range(1, experiment.seeds + 1)]
            runs = [epochs_of(out) for out in outs if (out / "model.safetensors").exists()]
            if not runs:
                continue
            errors = [epochs[-1]["test_error"] for epochs in runs]
            rows.append(f"| {experiment.name} | `{experiment.options}` | {len(runs)} | {mean_and_deviation(errors)} |")
        if rows:
            print(f"{group.name}: `{group.base} --epochs {group.epochs}`\n")
            print("| experiment | options | seeds | test error, % |\n|---|---|---|---|")
            print("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("run", "table"))
    parser.add_argument("--only", default="", metavar="PREFIX",
                        help="what begins so, such as mnist or 'mnist-mlp-10/no dropout'")
    parser.add_argument("--data-dir", type=pathlib.Path, help="the data set's folder")
    parser.add_argument("--layerwise", type=pathlib.Path, default=ROOT / "layerwise",
                        help="the program; this checkout's by default")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/learning"), help="folder of the runs")
    arguments = parser.parse_args()
    if arguments.action == "table":
        return table(arguments)
    if arguments.data_dir is None:
        parser.error("run needs --data-dir")
    os.nice(19)
    return run(arguments)


if __name__ == "__main__":
    main()
