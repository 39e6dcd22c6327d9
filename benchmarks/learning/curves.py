"""Draws the test error over epochs of experiments whose runs experiments.py has done, the mean over seeds, as an SVG file.

    python benchmarks/learning/curves.py --runs FOLDER --out docs/learning-mnist.svg GROUP/EXPERIMENT ...

Needs matplotlib. A label other than the experiment's name follows it after `=`; --logarithmic makes both axes so.
"""

import argparse
import json
import pathlib
import statistics

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

COLOURS = ("#1f5fa8", "#d1495b", "#2e8b57", "#8a5fbf", "#b8860b", "#444444")  # apart in lightness too


def errors_of(folder):
    """(epochs, mean test errors in percent, number of seeds) of an experiment's finished runs."""
    runs = []
    for run in sorted(folder.glob("seed-*")):
        if (run / "model.safetensors").exists():
            with open(run / "metrics.jsonl") as lines:
                runs.append([json.loads(line) for line in lines])
    if not runs:
        raise SystemExit(f"{folder} has no finished run; see experiments.py")
    epochs = [epoch["epoch"] for epoch in runs[0]]
    means = [statistics.mean(run[i]["test_error"] for run in runs) for i in range(len(epochs))]
    return epochs, means, len(runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--title", default="")
    parser.add_argument("--logarithmic", action="store_true")
    parser.add_argument("--highest", type=float, help="of the errors that are shown, in percent")
    parser.add_argument("experiments", nargs="+", metavar="GROUP/EXPERIMENT[=LABEL]")
    arguments = parser.parse_args()
    matplotlib.rcParams.update({"font.family": "sans-serif", "svg.hashsalt": "layerwise", "font.size": 11})
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2), layout="constrained")
    for experiment, colour in zip(arguments.experiments, COLOURS):
        name, _, label = experiment.partition("=")
        epochs, means, seeds = errors_of(arguments.runs / name.replace(" ", "-"))
        label = f"{label or name.split('/')[-1]}: {means[-1]:.2f} % ({seeds} seed{'s' if seeds > 1 else ''})"
        axes.plot(epochs, means, color=colour, label=label, linewidth=2)
    axes.set_xlabel("epochs")
    axes.set_ylabel("test error, %")
    axes.set_title(arguments.title, loc="left")
    if arguments.logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    elif arguments.highest:
        axes.set_ylim(top=arguments.highest)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(arguments.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
