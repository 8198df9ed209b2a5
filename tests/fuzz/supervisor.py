"""Tries cases in processes of their own: one that crashes, hangs or takes too much is told, and another one goes on.

In:  cases, (kind, number).
Out: what became of each, and tables of it.
"""

from __future__ import annotations

import collections
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from helpers.paths import ROOT

WALL_S = 240  # for a case that waits for something; those that compute are stopped by fuzz.worker.CPU_S
EACH = 400  # cases a process, so that what one leaves behind does not reach all others


class Outcome(NamedTuple):
    """What became of a case: result, refused or failed; `signature` is equal for failures of one kind."""

    kind: str
    number: int
    outcome: str
    signature: str
    sentence: str


class Worker:
    """A process of fuzz.worker."""

    def __init__(self, shared: str) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker", shared],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=shared,
        )
        self.tried = 0

    def try_case(self, kind: str, number: int) -> Outcome:
        """The outcome, also where the process ends over it."""
        assert self.process.stdin
        assert self.process.stdout
        self.tried += 1
        watch = threading.Timer(WALL_S, self.process.kill)
        watch.start()
        try:
            self.process.stdin.write(f"{kind} {number}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            watch.cancel()
        if answer:
            return Outcome(kind, number, *json.loads(answer))
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        how = {"SIGPROF": "takes too long", "SIGKILL": "hangs, or takes too much memory"}.get(how, how)
        return Outcome(kind, number, "failed", f"{kind}: {how}", "")

    @property
    def usable(self) -> bool:
        """May it try another case?"""
        return self.process.poll() is None and self.tried < EACH

    def close(self) -> bool:
        """End the process; False where it does not end by itself, and has to be killed."""
        assert self.process.stdin
        assert self.process.stdout
        if self.process.poll() is None:
            self.process.stdin.close()
        watch = threading.Timer(WALL_S, self.process.kill)
        watch.start()
        code = self.process.wait()
        watch.cancel()
        self.process.stdout.close()
        return code != -signal.SIGKILL


def try_cases(cases: Sequence[tuple[str, int]], *, workers: int = 2) -> Iterator[Outcome]:
    """The outcomes of `cases`, as they come."""
    waiting: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()
    outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    for case in [*cases, *[None] * workers]:
        waiting.put(case)
    with tempfile.TemporaryDirectory(prefix="fuzz-shared-") as shared, ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_work, shared, waiting, outcomes) for _ in range(workers)]
        for _ in futures:
            while (outcome := outcomes.get()) is not None:
                yield outcome
        for future in futures:
            future.result()


def _work(shared: str, waiting: queue.SimpleQueue, outcomes: queue.SimpleQueue) -> None:
    worker = None
    try:
        while (case := waiting.get()) is not None:
            worker = worker or Worker(shared)
            outcomes.put(worker.try_case(*case))
            if not worker.usable:
                alive = worker.process.poll() is None
                if not worker.close() and alive:
                    kind, number = case
                    outcomes.put(Outcome(kind, number, "failed", "a process does not end behind its last case", ""))
                worker = None
    finally:
        if worker:
            worker.close()
        outcomes.put(None)


def tables(outcomes: Sequence[Outcome]) -> str:
    """How many cases of each kind gave a result, were refused and failed; then each signature of a failure."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    failures: dict[str, list[Outcome]] = collections.defaultdict(list)
    for outcome in outcomes:
        counts[outcome.kind][outcome.outcome] += 1
        if outcome.outcome == "failed":
            failures[outcome.signature].append(outcome)
    names = ("result", "refused", "failed")
    lines = [f"{'kind':16}" + "".join(f"{name:>9}" for name in names)]
    for kind, count in [*sorted(counts.items()), ("all", sum(counts.values(), collections.Counter()))]:
        lines.append(f"{kind:16}" + "".join(f"{count[name]:9}" for name in names))
    lines.append(f"{len(failures)} signatures")
    for signature, cases in sorted(failures.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(cases):5} x {signature}")
        lines.append(f"        repeat: --case {cases[0].kind} {cases[0].number}; {cases[0].sentence[:160]!r}")
    return "\n".join(lines)
