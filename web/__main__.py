"""Facial expressions in a browser: python -m web

In:  a port, whether to open the browser; or a folder (--out) to write instead.
Out: the page on this machine at the address that goes to stdout, until Ctrl-C; or a static folder for any https server.
"""

from __future__ import annotations

import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from support import command, notify, run_and_exit, setting
from support.cli import ROOT

PORT = 8737
SITE = ROOT / ".cache" / "web"


@dataclass
class Settings:
    """Flags of `python -m web`."""

    port: int = setting(PORT, "where the page answers on this machine; 0: any free port", within=(0, 65535))
    open: bool = setting(True, "open the browser")
    out: str = setting("", "write the page as a static folder, and do not serve it", metavar="FOLDER")


def run(settings: Settings) -> None:
    """Write the folder; serve it until Ctrl-C."""
    from web.export import export  # imports cv2, which --help does without
    from web.serve import Site

    if settings.out:
        print(export(Path(settings.out)))
        return
    with Site(export(SITE), port=settings.port) as site:
        print(site.address, flush=True)
        notify("the page is there until Ctrl-C; nothing leaves this machine.")
        if settings.open:
            webbrowser.open(site.address)
        wait()


def wait() -> None:
    """Until Ctrl-C."""
    while True:
        time.sleep(1)  # Ctrl-C ends it on Windows, too, where no lock or event that is waited for lets it through


main = command(Settings, run, prog="python -m web", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
