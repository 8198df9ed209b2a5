"""A page from a log of live.py: python -m pipeline.output.report seen.csv

In:  seen.csv or seen.jsonl, as `live.py --log` writes it.
Out: seen-report/index.html beside it, or in the folder that --out names; its path on stdout. Heatmaps and pictures are
     only in the reports that live.py itself writes (--report).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support import command, run_and_exit, setting


@dataclass(frozen=True)
class Settings:
    """Flags of the command."""

    log: str = setting("", "the .csv or .jsonl file that live.py --log wrote", positional=True)
    out: str | None = setting(None, "folder for the page (default: LOG-report beside the log)", metavar="FOLDER")


def run(settings: Settings) -> None:
    """Read the log, write the page."""
    from pipeline.output.report.collector import check_folder, write_page
    from pipeline.output.report.log_file import read_log
    from pipeline.output.report.page import page_html

    log = Path(settings.log)
    folder = Path(settings.out) if settings.out else log.parent / f"{log.stem}-report"
    check_folder(folder)
    session, unread, notes = read_log(log)
    print(write_page(folder, page_html(session, settings={"log": log.name}, unread=unread, notes=notes)))


main = command(Settings, run, prog="python -m pipeline.output.report", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
