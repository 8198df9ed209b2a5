"""The same units on Ray: this machine as a cluster of one, or many machines.

In:  units.
Out: outcomes, as they come; units that Ray gave up.

Units are tasks of Ray Data: those of a lost node are done elsewhere, and of a process that died in another one. (In a
pool of actors they would wait for a lost actor to restart, which waits for a processor that an idle actor holds.) Ray
is imported only here, its usage statistics and dashboard are off. `pip install "ray[data]"`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import pickle
import queue
import socket
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
TRIES = 1  # of a unit whose process dies or whose node is lost, after the first
LOST_S = 20  # without an answer of the cluster's head; Ray ends the process after 60
LOST = "does not answer any more; start it again, and the same command goes on with what is left."
NOWHERE = "http://127.0.0.1:9"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": NOWHERE,  # a cluster would report there that its statistics are off
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_task_oom_retries": str(TRIES),  # else a unit that needs too much memory would be tried for ever
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a thread that still reads would start another Ray when this one has ended
    "RAY_grpc_client_keepalive_time_ms": "70000",  # notices a silent node; Ray's servers accept 60 s and more
    "RAY_grpc_client_keepalive_timeout_ms": "20000",  # else tasks there are waited for 7 minutes
    "RAY_raylet_start_wait_time_s": "180",  # on busy cores its processes need more than the half minute that it gives
}
ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # else it listens to other machines, and looks up 8.8.8.8
# Of what nodes get, at the top of the project alone.
LEFT_OUT = [f"/{name}" for name in (".git", ".venv", ".cache", "tests", "notebooks", "runs", "results")]


class RayWorker:
    """What does units in one of Ray's processes: its networks stay, and what takes too long ends the process."""

    def __init__(self, analysis: Analysis, place: str, time_limit: float) -> None:
        self._silent_s, self._limit_s = 0, time_limit
        self._busy = False
        self._worker = Worker(analysis, place, tick=self._tick)
        threading.Thread(target=self._watch, daemon=True).start()

    def _tick(self, frames: int, faces: int) -> None:
        self._silent_s = 0

    def _watch(self) -> None:
        """End the process, and so the try, where a frame takes too long; time in which it is stopped does not count."""
        while True:
            time.sleep(1)
            self._silent_s += 1
            if self._busy and self._silent_s > self._limit_s:
                os._exit(1)

    def __call__(self, unit: Unit) -> Outcome:
        """Do a unit."""
        self._silent_s, self._busy = 0, True
        try:
            return self._worker(unit)
        finally:
            self._busy = False


ray_worker = functools.cache(RayWorker)  # one a process: Ray gives its processes one task after the other


def do_units(batch: dict[str, Any], *, analysis: Analysis, place: str, time_limit: float) -> dict[str, list[bytes]]:
    """A task: units as pickles in, what becomes of them as pickles out."""
    said: list[Outcome | Failed | UserError] = []
    for unit in map(pickle.loads, batch["unit"]):
        try:
            said.append(ray_worker(analysis, place, time_limit)(unit))
        except UserError as error:  # the disk is full, the weights are not there
            said.append(error)
        except Exception as error:  # a fault of a decoder or of the program: this unit's, not the others'
            said.append(Failed(unit, what_failed(error)))
    return {"outcome": list(map(pickle.dumps, said))}


@dataclass
class Cluster:
    """address: of a Ray cluster, or `LOCAL`. jobs: units at a time, None: one a processor (or GPU) of the cluster."""

    analysis: Analysis
    place: str
    address: str
    jobs: int | None
    time_limit: float
    stop_requested: Callable[[], bool] = lambda: False

    def run(self, units: Iterator[Unit]) -> Iterator[Event]:
        """Do all units, those that outcomes ask for in their place, and those given up once more, each source alone."""
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
                    died = f"its process or its node was lost {TRIES + 1} times on Ray"
                    yield from (Failed(unit, faults.get(unit, died)) for unit in given_up)
                else:
                    again += [single for unit in given_up for single in unit.alone()]
                    alone = bool(given_up)
                waiting = list(dict.fromkeys(again))

    def _round(self, ray: Any, units: Sequence[Unit]) -> Iterator[Outcome | Failed | UserError]:
        gpus = 1 if self.analysis.device.startswith("cuda") else 0
        rows = [{"unit": pickle.dumps(unit)} for unit in units]
        warnings.filterwarnings("ignore", message=".*ray_remote_args.*")  # Ray has no other way to bound retries
        settings = {"analysis": _with_whole_paths(self.analysis), "place": whole_path(self.place)}
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            do_units,
            fn_kwargs=settings | {"time_limit": self.time_limit},
            batch_size=1,
            compute=ray.data.TaskPoolStrategy(self.jobs and min(self.jobs, len(rows))),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
            max_retries=TRIES,
            max_calls=0,  # else each unit on a GPU would have a process of its own, and load the networks
        )
        with _told_faults(ray) as faults:
            for row in self._followed(done.iter_rows(), ray.get_runtime_context().gcs_address):
                yield pickle.loads(row["outcome"])
        if faults:  # no process was lost: the packages are not there, the versions differ
            raise UserError(f"Ray's processes do not run: {faults[-1].rstrip('.')}.", exit_code=FAILED)

    def _followed(self, rows: Iterator[Any], head: str) -> Iterator[Any]:
        """Rows, read in a thread, so that a stop request and a lost cluster are noticed while none comes."""
        said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(rows, said), daemon=True).start()
        seen_s = time.monotonic()
        while not self.stop_requested():
            try:
                row = said.get(timeout=1)
            except queue.Empty:
                if _answers(head):
                    seen_s = time.monotonic()
                elif time.monotonic() - seen_s > LOST_S:
                    raise UserError(f"the Ray cluster at {head} {LOST}", exit_code=FAILED) from None
                continue
            if row is None:
                return
            if isinstance(row, Exception):
                raise UserError(f"Ray ended the work: {str(row).rstrip('.')}.", exit_code=FAILED) from row
            yield row


@contextlib.contextmanager
def _told_faults(ray: Any) -> Iterator[list[str]]:
    """What tasks raised, which Ray Data only logs, with a traceback for each task; that a process died is left out."""
    faults: list[str] = []

    def take(record: logging.LogRecord) -> bool:
        error = record.exc_info and record.exc_info[1]
        if isinstance(error, (ray.exceptions.RayTaskError, ray.exceptions.RuntimeEnvSetupError)):
            faults.append(str(error).strip().splitlines()[-1])
        return not error

    logger = logging.getLogger("ray.data._internal.execution.streaming_executor_state")
    logger.addFilter(take)
    try:
        yield faults
    finally:
        logger.removeFilter(take)


def _read(rows: Iterator[Any], said: queue.SimpleQueue[Any]) -> None:
    try:
        for row in rows:
            said.put(row)
        said.put(None)
    except Exception as error:
        said.put(error)


def _answers(address: str) -> bool:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def _with_whole_paths(analysis: Analysis) -> Analysis:
    """Paths that are right in a process of a cluster, too, which works in a folder of Ray's."""
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
    try:
        with _no_probes(environment["env_vars"]):
            ray.init(**options, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises plain ones, too, where one of its processes does not start
        what = (
            "Ray does not start"
            if address == LOCAL
            else f"there is no Ray cluster at {address}, or it wants RAY_AUTH_MODE=token"
        )
        raise UserError(f"{what}: {str(error).rstrip('.')}.", exit_code=FAILED) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks, context.enable_progress_bars = -1, False  # what fails is found missing, and listed
    try:
        yield ray
    finally:
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
