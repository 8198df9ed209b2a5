"""The same units on Ray: this machine as a cluster of one, or many machines.

In:  units.
Out: outcomes, as they come; units that Ray gave up.

Ray Data hands units to a pool of actors, does those of a lost node elsewhere, and starts a process anew that died. It
is imported only here, its usage statistics and dashboard are off. `pip install "ray[data]"`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.archive.analysis import Analysis
from pipeline.archive.pool import Event, Failed, Ticked, what_failed
from pipeline.archive.results.store import whole_path
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome, Worker
from support import FAILED, UserError
from support.process import ROOT

LOCAL = "local"  # in place of an address: this machine
TRIES = 3  # of a unit whose process dies or whose node is lost, after the first
NOWHERE = "http://127.0.0.1:9"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": NOWHERE,  # a cluster would report there that its statistics are off
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_raylet_start_wait_time_s": "180",  # on busy cores its processes need more than the half minute that it gives
}
ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # else it listens to other machines, and looks up 8.8.8.8
LEFT_OUT = [".git", ".venv", ".cache", "tests", "notebooks", "runs", "results", "**/__pycache__"]  # of what nodes get


class RayWorker:
    """An actor: units as pickles in, what becomes of them as pickles out."""

    def __init__(self, analysis: Analysis, place: str, time_limit: float) -> None:
        self._seen_s, self._limit_s = time.monotonic(), time_limit
        self._worker = Worker(analysis, place, tick=self._tick)
        self._busy = False
        threading.Thread(target=self._watch, daemon=True).start()

    def _tick(self, frames: int, faces: int) -> None:
        self._seen_s = time.monotonic()

    def _watch(self) -> None:
        """End the process, and so the try, where a frame takes too long."""
        while True:
            time.sleep(1)
            if self._busy and time.monotonic() - self._seen_s > self._limit_s:
                os._exit(1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Do the units of a batch."""
        return {"outcome": [pickle.dumps(self._do(pickle.loads(pickled))) for pickled in batch["unit"]]}

    def _do(self, unit: Unit) -> Outcome | Failed | UserError:
        self._seen_s, self._busy = time.monotonic(), True
        try:
            return self._worker(unit)
        except UserError as error:  # the disk is full, the weights are not there
            return error
        except Exception as error:  # a fault of a decoder or of the program: this unit's, not the others'
            return Failed(unit, what_failed(error))
        finally:
            self._busy = False


@dataclass
class Cluster:
    """address: of a Ray cluster, or `LOCAL`. jobs: actors, None: one a processor (or GPU) of the cluster."""

    analysis: Analysis
    place: str
    address: str
    jobs: int | None
    time_limit: float
    stop_requested: Callable[[], bool] = lambda: False

    def run(self, units: Iterator[Unit]) -> Iterator[Event]:
        """Do all units, those that outcomes ask for instead, and once more, each source alone, those given up."""
        with _connected(self.address, self.jobs) as ray:
            waiting, alone = list(units), False
            while waiting and not self.stop_requested():
                done: set[Unit] = set()
                again: list[Unit] = []
                faults: dict[Unit, str] = {}
                for outcome in self._round(ray, waiting):
                    if isinstance(outcome, UserError):
                        raise outcome
                    if isinstance(outcome, Failed):
                        faults[outcome.unit] = outcome.why
                        continue
                    done.add(outcome.unit)
                    again += outcome.again
                    yield Ticked(outcome.frames, outcome.faces)
                    yield outcome
                    if self.stop_requested():
                        return
                given_up = [unit for unit in waiting if unit not in done]
                if alone:
                    died = f"its process died {TRIES + 1} times on Ray"
                    yield from (Failed(unit, faults.get(unit, died)) for unit in given_up)
                else:
                    again += [single for unit in given_up for single in unit.alone()]
                    alone = bool(given_up)
                waiting = list(dict.fromkeys(again))

    def _round(self, ray: Any, units: Sequence[Unit]) -> Iterator[Outcome | Failed | UserError]:
        gpus = 1 if self.analysis.device.startswith("cuda") else 0
        most = int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1))
        rows = [{"unit": pickle.dumps(unit)} for unit in units]
        warnings.filterwarnings("ignore", message=".*ray_remote_args_fn.*")  # Ray has no other way to bound retries
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            RayWorker,
            fn_constructor_args=(_with_whole_paths(self.analysis), whole_path(self.place), self.time_limit),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(self.jobs or most, len(rows))),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
            ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": TRIES},
        )
        for row in done.iter_rows():
            yield pickle.loads(row["outcome"])


def _with_whole_paths(analysis: Analysis) -> Analysis:
    """Paths that are right in an actor of a cluster, too, which works in a folder of Ray's."""
    detector = analysis.detector_weights and whole_path(analysis.detector_weights)
    return dataclasses.replace(analysis, weights=tuple(map(whole_path, analysis.weights)), detector_weights=detector)


@contextlib.contextmanager
def _connected(address: str, jobs: int | None) -> Iterator[Any]:
    """Ray, connected to a cluster, or to one on this machine that ends afterwards."""
    wanted = QUIET | (ON_LOOPBACK if address == LOCAL else {})
    os.environ.update({name: os.environ.get(name, value) for name, value in wanted.items()})
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError(
            '--ray needs Ray, which is not installed; pip install "ray[data]".', exit_code=FAILED
        ) from error
    environment: dict[str, Any] = {"env_vars": QUIET | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}}
    options: dict[str, Any] = {"include_dashboard": False, "num_cpus": jobs}
    if address != LOCAL:
        options = {"address": address}
        environment["working_dir"], environment["excludes"] = str(ROOT), LEFT_OUT
        del environment["env_vars"]["PYTHONPATH"]
    was_connected = ray.is_initialized()
    try:
        with _no_probes(environment["env_vars"]):
            ray.init(
                **options, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR,
                ignore_reinit_error=True,
            )  # fmt: skip
    except Exception as error:  # Ray raises plain ones, too, where one of its processes does not start
        what = "Ray does not start" if address == LOCAL else f"there is no Ray cluster at {address}"
        raise UserError(f"{what}: {str(error).rstrip('.')}.", exit_code=FAILED) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks, context.enable_progress_bars = -1, False  # what fails is found missing, and listed
    try:
        yield ray
    finally:
        if not was_connected:
            ray.shutdown()


@contextlib.contextmanager
def _no_probes(workers: dict[str, str]) -> Iterator[None]:
    """Inside, processes start whose web requests reach nobody: Ray's ask clouds for their names, statistics or not.

    workers: variables of the processes that do the units, which get the proxy that there was, if there was one.
    """
    name = "http_proxy"
    before = os.environ.get(name)
    workers[name] = before or ""
    os.environ[name] = NOWHERE
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
