"""The command: what it refuses, and that help comes without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.paths import ROOT

from evaluation.speed.__main__ import main
from support import UserError


@pytest.mark.parametrize(("argv", "sentence"), [(["--faces"], "one value or more"), (["--sizes", "vga"], "640x480")])
def test_what_cannot_be_measured_is_refused_at_once(argv, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        main([*argv, "--out", str(tmp_path)])


def test_torch_is_not_imported_before_it_is_needed():
    code = "import sys; from evaluation.speed import __main__; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
