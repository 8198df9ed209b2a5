"""The detector's defaults: one place for the library and the flags, which --help reads without numpy."""

from __future__ import annotations

import inspect
import subprocess
import sys

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

import live
from pipeline.run import EmotionPipeline
from retinaface.defaults import CONF, IMGSZ
from retinaface.detector import RetinaFace


def test_the_library_and_the_flags_have_the_same():
    for function in (RetinaFace.__init__, RetinaFace.from_file, EmotionPipeline.from_files):
        defaults = inspect.signature(function).parameters
        assert (defaults["conf"].default, defaults["imgsz"].default) == (CONF, IMGSZ)
    assert live.Settings().conf == CONF


def test_the_flags_of_live_need_no_numpy():
    code = "import sys, live; assert 'numpy' not in sys.modules, 'a start would wait for it'"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE_S)
