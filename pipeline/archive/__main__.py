"""Many films and pictures on all cores, then on many machines: python -m pipeline.archive SOURCES... --out results/

In:  films, pictures, folders, patterns, .txt or .csv lists, addresses (s3://bucket/folder).
Out: results/faces/*.parquet, one row a face, which pandas.read_parquet("results/") reads; results/_sources.parquet, one
     row a source. Started again, it goes on where it was. Exit code 1 where a source failed, 130 at Ctrl-C.

docs/archive.md describes columns, what is kept when processes end, and clusters.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other

from pipeline.archive.processes import process_context
from pipeline.options import AnalysisOptions, PredictOptions
from support import FAILED, UserError, command, notify, pick_device, run_and_exit, setting
from support.memory import free_memory
from support.process import stop_at_once, stop_requests, usable_cores

if TYPE_CHECKING:  # pyarrow is an optional package
    from pipeline.archive.analysis import Analysis

JOB_BYTES = 0.6e9  # that a process needs, with films of 1920x1080


@dataclass(frozen=True)
class Settings(AnalysisOptions):
    """Flags of the command; those that live.py has, too, mean what they mean there."""

    sources: list[str] = setting([], "films, pictures, folders, patterns, .txt or .csv lists, addresses",
                                 positional=True, nargs="+", metavar="SOURCES")  # fmt: skip
    out: str = setting("results", "folder or address of the results", metavar="FOLDER")
    jobs: int | None = setting(
        None, "processes, with one thread each (default: as many as cores and memory allow)", metavar="N",
        within=(1, math.inf),
    )  # fmt: skip
    ray: str | None = setting(
        None, "run on Ray: on this machine, or on the cluster at ADDRESS", nargs="?", const="local", metavar="ADDRESS"
    )
    step: int = setting(1, "analyse only every N-th frame of films", metavar="N", within=(1, math.inf))
    stretch_s: float = setting(
        120.0, "cut longer films into stretches of so many seconds, for all cores; 0: never", metavar="SECONDS",
        within=(0, math.inf),
    )  # fmt: skip
    time_limit: float = setting(
        120.0, "seconds that a single frame or picture may take; what takes longer is tried once more, then listed",
        metavar="SECONDS", within=(1, math.inf),
    )  # fmt: skip
    heatmaps: bool = setting(False, "keep the mean heatmap of each person and expression")
    explainer: str | None = setting(None, "what makes the heatmaps (default: gradcam)", metavar="NAME")
    crops: bool = setting(False, "keep the aligned crops of all faces, 224 pixels a side")
    report: str | None = setting(None, "write a page that sums up the results: index.html", metavar="FOLDER")
    dry_run: bool = setting(False, "say how many files and hours there are and how long they will take, and leave")
    device: str = setting("cpu", "what the networks run on: auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Find the sources, do what is not done yet; the exit code."""
    with stop_at_once():
        if not settings.ray and not settings.dry_run:
            process_context()  # begins to import while sources are looked for
        try:
            import pyarrow  # noqa: F401 - an optional package
        except ImportError as error:
            advice = "pip install -r requirements-archive.txt"
            sentence = f"an archive needs pyarrow, which is not installed; {advice}."
            raise UserError(sentence, exit_code=FAILED) from error
        from pipeline.archive.estimate import estimate
        from pipeline.archive.results.dataset import Dataset
        from pipeline.archive.results.page import write_report
        from pipeline.archive.results.store import told
        from pipeline.archive.run import run_archive
        from pipeline.archive.sources import list_sources

        check_places(settings)
        sources, columns, notes = list_sources(settings.sources, results=settings.out)
        for note in notes:
            notify(note)
        analysis = analysis_of(settings, columns)
        jobs = settings.jobs or default_jobs()
        if settings.dry_run:
            for sentence in estimate(sources, analysis, jobs=jobs):
                print(sentence, flush=True)
            return 0
    stopping = stop_requests("stopping; what is done stays")
    with stopping as stopped, told(settings.out), Dataset(settings.out, analysis) as dataset:
        if settings.ray:
            from pipeline.archive.cluster import Cluster

            cluster = Cluster(analysis, settings.out, settings.ray, settings.jobs, settings.time_limit, stopped)
            code = run_archive(sources, dataset, cluster.run, stop_requested=stopped)
        else:
            from pipeline.archive.pool import Pool

            pool = Pool(analysis, settings.out, jobs, settings.time_limit, stopped)
            code = run_archive(sources, dataset, pool.run, drop=pool.dropped.add, stop_requested=stopped)
        if settings.report:
            print(write_report(dataset, settings.report))
    return code


def check_places(settings: Settings) -> None:
    """`UserError` where the page cannot be written to what is named, or would lie among the results."""
    from data.sources.files import plain_name
    from pipeline.archive.results.store import is_address, shown
    from pipeline.output.report.collector import check_folder

    if settings.report and is_address(settings.report):
        raise UserError(f"--report writes to a folder, and {shown(settings.report)} is an address; name a folder.")
    if not settings.report:
        return
    out = plain_name(settings.out)
    below, report = (os.path.join(os.path.realpath(name), "") for name in (out, settings.report))
    is_skipped = any(os.sep + mark in report[len(below) - 1 :] for mark in "_.")
    if not is_address(out) and report.startswith(below) and not is_skipped:
        raise UserError(
            f"--report {settings.report} would lie among the results, which pandas reads as a whole; "
            "name another folder."
        )
    check_folder(settings.report)


def analysis_of(settings: Settings, columns: Sequence[str]) -> Analysis:
    """What the flags ask for; columns: the sources' own."""
    from pipeline.archive.analysis import Analysis

    if settings.explainer and not settings.heatmaps:
        raise UserError("--explainer says what makes heatmaps, and none are kept; add --heatmaps, or leave it out.")
    heatmaps = (settings.explainer or PredictOptions.explainer) if settings.heatmaps else None
    PredictOptions(heatmaps)  # which refuses what is no explainer
    return Analysis(
        weights=tuple(settings.weights),
        detector_weights=settings.detector_weights or "",
        imgsz=settings.imgsz,
        conf=settings.conf,
        max_faces=settings.max_faces,
        confidence=settings.confidence,
        prior=settings.prior,
        tta=settings.tta,
        smooth_s=settings.smooth_s,
        step=settings.step,
        stretch_s=settings.stretch_s,
        heatmaps=heatmaps,
        crops=settings.crops,
        columns=tuple(columns),
        device=device_of(settings),
    )


def device_of(settings: Settings) -> str:
    """What `--device` stands for: on this machine, or, with Ray, on the nodes."""
    from pipeline.archive.analysis import BATCH

    if settings.ray:
        if settings.device not in BATCH:
            raise UserError(f"--device takes {', '.join(BATCH)} with --ray, not {settings.device!r}.")
        return settings.device
    return "cpu" if settings.device == "cpu" else str(pick_device(settings.device))  # which imports torch


def default_jobs() -> int:
    """As many processes as there are cores to use, and memory."""
    return max(1, min(usable_cores(), int(free_memory() / JOB_BYTES)))


main = command(Settings, run, prog="python -m pipeline.archive", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
