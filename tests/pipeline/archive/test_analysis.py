"""Settings that decide the numbers."""

from __future__ import annotations

import dataclasses

import pytest
from helpers.archives import ColourAnalysis

from models.checkpoint import SHIPPED
from pipeline.archive.analysis import Analysis, digest_of
from retinaface.detector import RetinaFace
from retinaface.engines import OnnxEngine
from support import UserError
from support.onnx.session import file_sha256


def test_every_setting_but_the_device_is_told():
    described = Analysis().described()
    assert described.keys() == {f.name for f in dataclasses.fields(Analysis)} - {"device"} | {"format"}
    assert described["weights"] == [file_sha256(SHIPPED)]
    assert Analysis(device="cuda").described() == described
    others = [Analysis(conf=0.4), Analysis(step=2), Analysis(columns=("a",)), Analysis(heatmaps="gradcam")]
    assert len({digest_of(other.described()) for other in [Analysis(), *others]}) == 5


def test_frames_go_alone_on_a_cpu_and_together_elsewhere():
    assert (Analysis().batch_size, Analysis(device="cuda:1").batch_size) == (1, 32)


def test_weights_that_are_not_there_are_refused():
    with pytest.raises(UserError, match="there is no file"):
        ColourAnalysis(weights=("none.safetensors",)).described()


def test_the_networks_have_one_thread_and_the_flags():
    pipeline = Analysis(conf=0.7, max_faces=3, imgsz=0).pipeline()
    detector = pipeline.detector
    assert isinstance(detector, RetinaFace)
    assert isinstance(detector.engine, OnnxEngine)
    assert (detector.conf, detector.max_faces, detector.imgsz) == (0.7, 3, None)
    assert detector.engine._together.threads == 1
    assert pipeline.options.explainer is None
