"""The report: one self-contained HTML page that shows what a session, or a log of one, saw."""

from pipeline.output.report.collector import Report, check_folder

__all__ = ["Report", "check_folder"]
