"""Shared by the parts of a check: the deadline, the results, and how to run programs."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

DETAILS_LIMIT = 12 << 20  # bytes; a results file may have 16 MiB
MOST_SAID = 32 << 20  # bytes read of a program's output
STOP_GRACE = 5  # seconds that a program gets to end when its time is up


class Stopped(Exception):
    """Nothing can be checked. The message is one sentence that says why."""


class LeftOut(Exception):
    """A part cannot run here. The message is one sentence that says why."""


class Finished:
    """How a program ended: rc (None if its time was up), its output, and the seconds it took."""

    def __init__(self, rc, stdout, stderr, seconds):
        self.rc, self.stdout, self.stderr, self.seconds = rc, stdout, stderr, seconds

    @property
    def succeeded(self):
        return self.rc == 0

    def why(self):
        """One line that says what went wrong: the last line of output, or how the program ended."""
        if self.rc is None:
            return f"timed out after {self.seconds:.0f} s"
        said = [line for line in (self.stderr + self.stdout).strip().splitlines() if line.strip()]
        return said[-1][:300] if said else f"it ended with status {self.rc}"


class Program:
    """A running program, in its own process group; its output goes to files."""

    def __init__(self, command, environment, cwd):
        self.command = command
        self.began = time.monotonic()
        self.files = [tempfile.TemporaryFile() for _ in range(2)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.files[0],
            stderr=self.files[1],
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )

    def end(self, seconds):
        rc = None
        try:
            rc = self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.kill()
        said = []
        for file in self.files:
            file.seek(0)
            said.append(file.read(MOST_SAID).decode(errors="replace"))
            file.close()
        return Finished(rc, *said, time.monotonic() - self.began)

    def kill(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(STOP_GRACE)
                return
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Runner:
    """Runs programs before a deadline and appends each result at once to files in a folder."""

    def __init__(self, out, seconds):
        self.out = pathlib.Path(out)
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.part_deadline = self.deadline
        self.part = ""
        self.failures = 0
        self.programs = []
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with open(self.out / "summary.txt", "a", encoding="utf-8"):
                pass
        except OSError as error:
            raise Stopped(f"cannot write results to {self.out}: {error.strerror}; set OUT to a folder that you can write to") from None

    def left(self):
        """Seconds left for the current part."""
        return min(self.deadline, self.part_deadline) - time.monotonic()

    def begin(self, part, seconds):
        self.part = part
        self.part_deadline = time.monotonic() + seconds

    def say(self, text):
        """Writes one line to the summary and to stdout."""
        line = f"[{time.monotonic() - self.started:6.1f} s] {self.part}: {text}"
        print(line, flush=True)
        self.append("summary.txt", line + "\n")

    def fail(self, text):
        self.failures += 1
        self.say("FAILED: " + text)

    def append(self, name, text):
        with open(self.out / name, "a", encoding="utf-8", errors="replace") as file:
            if file.tell() < DETAILS_LIMIT:
                file.write(text[: DETAILS_LIMIT - file.tell()])

    def start(self, command, environment=None, cwd=None):
        """Starts a program in the background; end() ends it."""
        program = Program([str(part) for part in command], environment, cwd)
        self.programs.append(program)
        return program

    def end(self, program, seconds):
        """Waits for a program up to a time limit, then ends it and everything it started."""
        self.programs.remove(program)
        finished = program.end(seconds)
        self.append(
            "details.log",
            f"==== {self.part}: {' '.join(program.command)}\n==== status {finished.rc}, {finished.seconds:.1f} s\n"
            f"{finished.stdout}{finished.stderr}\n",
        )
        return finished

    def run(self, command, seconds=None, environment=None, cwd=None):
        """Runs a program within the time left for the part, or less. Does not raise if the program fails."""
        limit = self.left() if seconds is None else min(seconds, self.left())
        if limit <= 0:
            return Finished(None, "", "", 0)
        try:
            program = self.start(command, environment, cwd)
        except OSError as error:
            return Finished(127, "", f"{command[0]}: {error.strerror}", 0)
        return self.end(program, limit)

    def end_all(self):
        for program in list(self.programs):
            self.end(program, 0)
