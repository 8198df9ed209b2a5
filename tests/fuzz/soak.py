"""Hours in minutes: many frames in one session, kills at random moments, two of everything in one folder.

In:  python -m fuzz.soak frames|recordings|trainings|together [--count N], in tests/; Linux, whose /proc is read.
Out: figures on stdout; exit code 1 where something grew, was lost that had been promised, or failed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from helpers.films import write_film
from helpers.paths import ROOT
from helpers.tiny_runs import FLAGS, TINY, make_learnable

FRAGMENT = 25  # frames of a second: a fragment of half a second, and what is on its way between the threads
SIZE_HW = (120, 160)
FIRST, LAST = 0.2, 0.9  # of the frames: what grows is measured between these shares, when all caches are full
GROWN = 1.1  # of the memory at FIRST


def scene(number: int) -> Iterator[np.ndarray]:
    """`number` pictures (120, 160, 3) uint8 in which a face comes, moves and goes, all 80 frames another place."""
    from skimage.data import astronaut

    rng = np.random.default_rng(0)
    face = cv2.resize(astronaut()[:240, 100:340], (64, 64), interpolation=cv2.INTER_AREA)
    place = np.zeros(2, int)
    for index in range(number):
        image = np.full((*SIZE_HW, 3), 90, np.uint8)
        if index % 80 == 0:
            place = rng.integers(0, (SIZE_HW[0] - 64, SIZE_HW[1] - 72))
        if index % 80 < 60:
            x = place[1] + index % 8
            image[place[0] : place[0] + 64, x : x + 64] = face
        yield image


def start(*argv: str, folder: Path) -> subprocess.Popen:
    """A command of the project, in `folder`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with open(folder / "stderr.txt", "ab") as stderr:
        return subprocess.Popen(
            [sys.executable, *argv], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=stderr
        )


def state_of(process: subprocess.Popen) -> tuple[float, int, int]:
    """Megabytes, open files and threads of a process."""
    folder = Path("/proc") / str(process.pid)
    fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1000, len(list((folder / "fd").iterdir())), int(fields["Threads"])


def last_frame(log: Path) -> int:
    """The frame of the last whole row of a log that is being written; -1 where there is none."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
            rows = file.read().decode(errors="replace").splitlines()[:-1]
        return int(rows[-1].split(",")[1])
    except (OSError, ValueError, IndexError):
        return -1


def frames(count: int, folder: Path) -> bool:
    """One session of `count` frames with a recording, a log and a report."""
    film = write_film(folder / "people.mp4", scene(count), options={"preset": "ultrafast"})
    process = start(
        str(ROOT / "live.py"), "--source", str(film), "--no-show", "--quiet", "--imgsz", "160",
        "--save", "out.mp4", "--log", "seen.csv", "--report", "report", folder=folder,
    )  # fmt: skip
    samples = []  # frame, seconds of processor time, megabytes, open files, threads
    while process.poll() is None:
        time.sleep(1)
        try:
            seconds = sum(map(int, (Path("/proc") / str(process.pid) / "stat").read_text().split()[13:15]))
            samples.append(
                (last_frame(folder / "seen.partial.csv"), seconds / os.sysconf("SC_CLK_TCK"), *state_of(process))
            )
        except (OSError, KeyError):
            break
    code = process.wait()
    samples = [sample for sample in samples if sample[0] > 0]
    parts = [[s for s in samples if tenth * count <= 10 * s[0] < (tenth + 1) * count] for tenth in range(10)]
    print("tenth  ms of processor a frame  MB  files  threads")
    for number, part in enumerate(parts):
        if len(part) > 1:
            cost = 1000 * (part[-1][1] - part[0][1]) / max(part[-1][0] - part[0][0], 1)
            print(f"{number + 1:5}  {cost:23.1f}  {part[-1][2]:.0f}  {part[-1][3]}  {part[-1][4]}")
    middle, end = parts[int(10 * FIRST)], parts[int(10 * LAST)]
    flat = bool(middle and end) and all(end[-1][i] <= GROWN * middle[-1][i] for i in (2, 3, 4))
    print(f"exit code {code}, {samples[-1][0] + 1} frames logged, {'flat' if flat else 'GROWN'}")
    return code == 0 and flat


def recordings(count: int, folder: Path) -> bool:
    """Recordings killed at random moments: how much of each is lost, compared with the log of what was seen."""
    chance, lost, unreadable = random.Random(0), [], 0
    film = write_film(folder / "people.mp4", scene(2000), options={"preset": "ultrafast"})
    for number in range(count):
        own = folder / str(number)
        own.mkdir()
        process = start(
            str(ROOT / "live.py"), "--source", str(film), "--no-show", "--quiet", "--imgsz", "160",
            "--save", "out.mp4", "--log", "seen.csv", folder=own,
        )  # fmt: skip
        wait_for(lambda own=own: last_frame(own / "seen.partial.csv") >= 0, process)
        time.sleep(chance.uniform(0, 4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = frames_of(own / "seen.partial.csv")
        try:
            with av.open(str(own / "out.partial.mp4")) as container:
                lost.append(seen - sum(1 for _ in container.decode(video=0)))
        except (av.FFmpegError, OSError):
            unreadable += 1
            lost.append(seen)
    print(
        f"{count} recordings killed: {unreadable} before there was half a second to keep; frames lost of those "
        f"logged: {spread(lost)}"
    )
    return max(lost) <= FRAGMENT


def frames_of(log: Path) -> int:
    """How many frames a log has, each once."""
    with open(log, newline="", encoding="utf-8") as file:
        return len({row[1] for row in csv.reader(file) if len(row) > 1}) - 1


def trainings(count: int, folder: Path) -> bool:
    """One training killed at random moments and resumed each time: how many steps were done again."""
    chance, again, failed = random.Random(0), [], 0
    make_learnable(folder / "data")
    argv = [str(ROOT / "train.py"), "--data-path", "data", "--out", "run", *FLAGS, *TINY, "--epochs", "100000"]
    before = 0
    for number in range(count):
        process = start(*argv, *(["--resume"] if number else []), folder=folder)
        metrics = folder / "run/metrics.csv"
        here = rows_of(metrics)
        wait_for(lambda here=here, metrics=metrics: rows_of(metrics) > here, process)
        time.sleep(chance.uniform(0, 2))
        failed += process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = rows_of(metrics)
        again.append(before - here)  # epochs that the last kill took back
        before = now
    print(f"{count} trainings killed: {failed} could not be resumed; epochs lost by a kill: {spread(again[1:])}")
    print(f"{before} epochs done; left over: {sorted(path.name for path in (folder / 'run').iterdir())}")
    return failed == 0


def rows_of(table: Path) -> int:
    """Rows of a table below its header; 0 where there is none."""
    return max(len(table.read_text().splitlines()) - 1, 0) if table.exists() else 0


def together(count: int, folder: Path) -> bool:
    """Two of each command at once in one folder: nothing is lost, and none breaks the other."""
    film = write_film(folder / "people.mp4", scene(100), options={"preset": "ultrafast"})
    make_learnable(folder / "data")
    live = [
        str(ROOT / "live.py"),
        "--source",
        str(film),
        "--no-show",
        "--quiet",
        "--save",
        "out.mp4",
        "--log",
        "seen.csv",
    ]
    commands = [
        [*live, "--report", "report"],
        [str(ROOT / "train.py"), "--data-path", "data", "--out", "run", *FLAGS, *TINY, "--epochs", "2"],
        ["-m", "models.export", "--out", "x.onnx"],
        ["-m", "evaluation.classification", "--data-path", "data", "--split", "test", "--out", "scores"],
    ]
    good = True
    for command in commands[: count or None]:
        both = [start(*command, folder=folder) for _ in range(2)]
        codes = [process.wait() for process in both]
        name = Path(command[0]).name if command[0] != "-m" else command[1]
        print(f"two of {name} at once: exit codes {codes}")
        good &= all(code in (0, 1, 2) for code in codes) and 0 in codes
    print("in the folder:", ", ".join(sorted(path.name for path in folder.iterdir())))
    return good and "Traceback" not in (folder / "stderr.txt").read_text()


def wait_for(ready, process: subprocess.Popen) -> None:
    """Wait until `ready()`, at most two minutes, or until the process ends."""
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None and not ready():
        time.sleep(0.02)


def spread(values: list[int]) -> str:
    """Median, ninth decile and maximum."""
    ordered = sorted(values)
    return (
        f"median {statistics.median(ordered):g}, 9 of 10 at most {ordered[int(0.9 * len(ordered))]}, most {ordered[-1]}"
    )


TASKS = {
    "frames": (frames, 20_000),
    "recordings": (recordings, 50),
    "trainings": (trainings, 50),
    "together": (together, 0),
}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--count", type=int, help="frames, or kills")
    given = parser.parse_args()
    task, count = TASKS[given.task]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        good = task(count if given.count is None else given.count, Path(folder))
        errors = Path(folder) / "stderr.txt"
        if not good and errors.exists():
            print(errors.read_text()[-3000:], file=sys.stderr)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
