"""Checks and measures a GPU with a pack from ci/gpu-pack: `ci/gpu-check --pack FOLDER --seconds S`.

Each result is appended at once to summary.txt in the folder named by the environment variable OUT. If one part fails, the
others still run. LAYERWISE_DEVICE names a device to use instead of cuda, such as cuda-on-host.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback

import parts
from pack import Pack
from runner import LeftOut, Runner, Stopped


def parse_arguments():
    parser = argparse.ArgumentParser(prog="ci/gpu-check", description=__doc__.splitlines()[0])
    parser.add_argument("--pack", required=True, metavar="FOLDER", help="the folder that ci/gpu-pack wrote")
    parser.add_argument("--seconds", type=float, required=True, metavar="S", help="time limit for the whole check")
    parser.add_argument(
        "--parts", metavar="NAME,...", default=",".join(parts.PARTS), help="some of: %(default)s. Default: all")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    unknown = [name for name in options.parts if name not in parts.PARTS]
    if unknown:
        parser.error(f"unknown part '{unknown[0]}'; choose from {', '.join(parts.PARTS)}")
    if not 0 < options.seconds <= 86400:
        parser.error("--seconds takes a number above 0 and at most 86400")
    return options


def run_part(check, name):
    function, seconds = parts.PARTS[name]
    runner = check.runner
    runner.begin(name, check.patience * seconds)
    if runner.left() < 1:
        runner.say("skipped: no time left")
        return
    try:
        function(check)
    except LeftOut as reason:
        runner.say(f"skipped: {reason}")
    except Stopped:
        raise
    except Exception as error:  # a bug in one part must not stop the others
        runner.append("details.log", traceback.format_exc())
        runner.fail(f"{type(error).__name__}: {error}")
    finally:
        runner.end_all()


def run(options):
    out = os.environ.get("OUT")
    if not out:
        raise Stopped("the environment variable OUT is not set; set it to a folder for the results")
    runner = Runner(out, options.seconds)
    pack = Pack(options.pack)
    work = tempfile.mkdtemp(prefix="layerwise-gpu-")
    try:
        pack.unpack(work)
        check = parts.Check(pack, runner, os.environ.get("LAYERWISE_DEVICE", "cuda"))
        for name in [name for name in parts.PARTS if name in options.parts]:
            run_part(check, name)
        runner.part = "all"
        runner.say(f"{runner.failures} failures")
    except Stopped as reason:
        runner.say(f"stopped: {reason}")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 1 if runner.failures else 0


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    options = parse_arguments()
    try:
        return run(options)
    except Stopped as reason:
        print(f"ci/gpu-check: {reason}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"ci/gpu-check: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
