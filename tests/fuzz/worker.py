"""A process that tries cases, one after the other: python -m fuzz.worker SHARED (by fuzz.supervisor)

In:  lines `kind number` on stdin.
Out: for each a line of JSON on stdout, [outcome, signature, sentence]. Outcome: result, refused or failed. A case that
     takes more than `CPU_S` of processor time ends the process with SIGPROF; memory is limited to `MEMORY` more than
     the libraries take.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from fuzz.cases import Action, all_kinds, generator_of
from helpers.paths import ROOT

CPU_S = float(os.environ.get("FUZZ_CPU_S", 20))
MEMORY = 3 << 30  # bytes: a picture as large as is accepted takes 805 MB, some of which exists twice for a moment
LONGEST = 6000  # characters of a sentence
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # a terminal acts on them, or cannot show them
MARKER = "EXECUTED"  # a file that code inside an input would write


def main() -> None:
    """Try cases until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if "FUZZ_STDERR" not in os.environ:
        os.dup2(1, 2)
    prepare()
    for line in sys.stdin:
        kind, number = line.split()
        print(json.dumps(try_case(kind, int(number), Path(sys.argv[1]))), file=answers)


def prepare() -> None:
    """Import what takes long, then limit memory; what is unpacked or cached goes into a folder of its own."""
    import cv2
    import torch

    import data.layout
    import data.pictures.store

    for kind in all_kinds().values():
        assert callable(kind.make)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    data.layout.UNPACKED = Path(tempfile.mkdtemp()) / "unpacked"
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)  # numpy's: a number became another one
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 1 << 20
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def try_case(kind: str, number: int, shared: Path) -> tuple[str, str, str]:
    """Outcome, signature (kind, error, place; "" unless failed) and sentence of one case."""
    folder, before = Path(tempfile.mkdtemp(prefix="fuzz-")), os.getcwd()
    os.chdir(folder)
    os.environ["FUZZ_MARKER"] = str(folder / MARKER)
    try:
        try:
            action = all_kinds()[kind].make(generator_of(kind, number), folder, shared)
        except Exception as error:
            return "failed", f"{kind}: the fuzz itself: {type(error).__name__} at {place_of(error)}", f"{error!s:.300}"
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        outcome = judged(kind, action)
        if (folder / MARKER).exists():
            return "failed", f"{kind}: code inside the input was executed", ""
        return outcome
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


def judged(kind: str, action: Action) -> tuple[str, str, str]:
    """What becomes of `action`."""
    from support import UserError

    try:
        action()
    except UserError as error:
        sentence = str(error)
        if not sentence.strip() or len(sentence) > LONGEST:
            return "failed", f"{kind}: a sentence of {len(sentence)} characters from {place_of(error)}", sentence[:300]
        return "refused", "", sentence[:300]
    except SystemExit as error:
        if error.code == 2:  # argparse has said why
            return "refused", "", ""
        return "failed", f"{kind}: exit {error.code!r:.40}", ""
    except BaseException as error:
        return "failed", f"{kind}: {type(error).__name__} at {place_of(error)}", f"{error!s:.300}"
    return "result", "", ""


def place_of(error: BaseException) -> str:
    """The innermost line of the project, outside the tests, that an error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    own = [frame for frame in frames if "/tests/" not in frame.filename] or frames
    last = own[-1]
    return f"{Path(last.filename).relative_to(ROOT)}:{last.name}"


if __name__ == "__main__":
    main()
