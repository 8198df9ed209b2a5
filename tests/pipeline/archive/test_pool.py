"""Processes: what ends one of them costs its unit a second try, and the others nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from helpers.archives import DEADLY_RGB, ENDLESS_RGB, ColourAnalysis, plain, scene, write_picture
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from pipeline.archive.pool import Failed, Pool, Ticked
from pipeline.archive.results.store import Store
from pipeline.archive.sources import Source
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome
from support import UserError

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.name == "nt", reason="processes end themselves by SIGKILL")]


def picture(folder, name, image):
    return Source(str(write_picture(folder / name, image)), name, True)


def sources_in(place):
    """The sources of all parts."""
    store = Store(str(place))
    return sorted(record["source"] for name in store.names("faces") for record in store.records(name))


def test_a_source_that_ends_its_process_is_listed_and_its_neighbours_are_done(tmp_path):
    sources = [picture(tmp_path, f"{i}.png", scene(i)) for i in range(8)]
    sources[2] = picture(tmp_path, "deadly.png", plain(DEADLY_RGB))
    units = [Unit(tuple(sources[:4])), Unit(tuple(sources[4:6])), Unit(tuple(sources[6:]))]
    pool = Pool(ColourAnalysis(), str(tmp_path / "out"), jobs=2, time_limit=60)
    events = list(pool.run(iter(units)))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.unit.sources == (sources[2],)
    assert failed.why == "its process was ended by SIGKILL, twice"
    assert sources_in(tmp_path / "out") == sorted(s.name for s in sources if s is not sources[2])
    done = [event for event in events if isinstance(event, Outcome)]
    assert sum(outcome.frames for outcome in done) == 7
    assert sum(event.frames for event in events if isinstance(event, Ticked)) >= 7


@pytest.mark.thorough
def test_a_source_that_takes_too_long_is_listed(tmp_path):
    sources = [picture(tmp_path, "endless.png", plain(ENDLESS_RGB)), picture(tmp_path, "a.png", scene(0))]
    now = [0.0]

    def clock():  # time passes only while the endless one is being done
        now[0] += 4 * any(job.unit and job.unit.sources[0] is sources[0] for job in pool._jobs)
        return now[0]

    pool = Pool(ColourAnalysis(), str(tmp_path / "out"), jobs=1, time_limit=9, clock=clock)
    events = list(pool.run(iter([Unit((sources[1],)), Unit((sources[0],))])))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.unit.sources == (sources[0],)
    assert failed.why == "no frame came for 9 s, twice"


class Waiting:
    """Notes that it was made; its unit takes until there is a file `go`."""

    def __init__(self, analysis, place, tick):
        self.place = Path(place)
        with open(self.place / "made", "a") as file:
            file.write("once ")

    def __call__(self, unit):
        while not (self.place / "go").exists():
            time.sleep(0.01)
        return Outcome(unit)


@pytest.mark.thorough
def test_a_clock_that_jumps_while_all_are_stopped_costs_no_process(tmp_path):
    """Ctrl-Z and `fg` stop this process and the others for any time: nobody had a chance to give a sign of life."""
    now, looks = [0.0], [0]

    def clock():
        looks[0] += (tmp_path / "made").exists()
        now[0] += 1000 if looks[0] == 5 else 0
        if looks[0] == 20:
            (tmp_path / "go").touch()
        return now[0]

    pool = Pool(ColourAnalysis(), str(tmp_path), jobs=1, time_limit=60, clock=clock, worker=Waiting)
    events = list(pool.run(iter([Unit((Source("a", "a", True),))])))
    assert len([event for event in events if isinstance(event, Outcome)]) == 1
    assert (tmp_path / "made").read_text() == "once "


class Dying(Waiting):
    """Ends its process, and says so just before."""

    def __call__(self, unit):
        (self.place / "go").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_has_ended_when_its_time_is_over_is_lost_once(tmp_path):
    now = [0.0]

    def clock():
        now[0] += (tmp_path / "go").exists()
        return now[0]

    pool = Pool(ColourAnalysis(), str(tmp_path), jobs=1, time_limit=0.5, clock=clock, worker=Dying)
    (failed,) = pool.run(iter([Unit((Source("a", "a", True),))]))
    assert failed.why.endswith(", twice")


class Copying:
    """Copies its source to a temporary folder, as from a bucket, and then takes for ever."""

    def __init__(self, analysis, place, tick):
        self.place = place

    def __call__(self, unit):
        folder = tempfile.mkdtemp(prefix="copy-")
        Path(self.place, "copied").write_text(folder)
        time.sleep(600)


def test_copies_of_a_process_that_is_killed_go(tmp_path):
    unit = Unit((picture(tmp_path, "a.png", scene(0)),))
    copied = tmp_path / "copied"
    pool = Pool(ColourAnalysis(), str(tmp_path), 1, 600, stop_requested=copied.exists, worker=Copying)
    assert list(pool.run(iter([unit]))) == []
    assert "copy-" in copied.read_text()
    assert not Path(copied.read_text()).exists()


def test_a_stop_ends_all_processes(tmp_path):
    units = [Unit((picture(tmp_path, f"{i}.png", plain(ENDLESS_RGB)),)) for i in range(2)]
    started = []

    def stop_requested():
        started[:] = [job.process for job in pool._jobs]
        return len(started) == 2

    pool = Pool(ColourAnalysis(), str(tmp_path / "out"), jobs=2, time_limit=600, stop_requested=stop_requested)
    assert [event for event in pool.run(iter(units)) if isinstance(event, Outcome | Failed)] == []
    assert len(started) == 2
    assert not any(process.is_alive() for process in started)


def test_what_no_second_try_mends_ends_the_run(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    source = picture(tmp_path, "a.png", scene(0))
    pool = Pool(ColourAnalysis(), str(tmp_path / "file" / "out"), jobs=1, time_limit=60)
    with pytest.raises(UserError, match="cannot write"):
        list(pool.run(iter([Unit((source,))])))


def raising(analysis, place, *, tick):
    """A worker with a fault."""

    def work(unit):
        if unit.sources[0].name == "bad":
            raise RuntimeError("a fault")
        return Outcome(unit, frames=1)

    return work


def test_a_fault_is_the_units_alone(tmp_path):
    units = [Unit((Source(name, name, True),)) for name in ("a", "bad", "c")]
    events = list(Pool(ColourAnalysis(), str(tmp_path), jobs=1, time_limit=60, worker=raising).run(iter(units)))
    assert [e.unit.sources[0].name for e in events if isinstance(e, Outcome)] == ["a", "c"]
    (failed,) = [e for e in events if isinstance(e, Failed)]
    assert failed.why == "its analysis failed: RuntimeError: a fault, twice"


PARENT = """
import os, signal, sys
from helpers.archives import ColourAnalysis
from pipeline.archive.pool import Pool
from pipeline.archive.sources import Source
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome
if __name__ == "__main__":
    pool = Pool(ColourAnalysis(), sys.argv[2], jobs=1, time_limit=600)
    for event in pool.run(iter([Unit((Source(sys.argv[1], "a.png", True),))])):
        if isinstance(event, Outcome):
            print(pool._jobs[0].process.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_their_parent(tmp_path):
    """A parent that is killed leaves none behind: the pipe closes."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    argv = [sys.executable, str(script), str(write_picture(tmp_path / "a.png", scene(0))), str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0  # that it was read to its end says that the process has closed it, too
