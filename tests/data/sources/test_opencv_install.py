"""The check for several OpenCVs installed over each other."""

import importlib.metadata

import pytest

from data.sources.opencv_install import opencv_conflict


@pytest.fixture
def installed(monkeypatch):
    names = set()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [name] * (name in names))
    return names


def test_none_or_one_is_fine(installed):
    assert opencv_conflict() is None
    installed.add("opencv-contrib-python")
    assert opencv_conflict() is None


def test_two_are_named_with_the_repair(installed):
    installed.update(["opencv-python", "opencv-python-headless"])
    sentence = opencv_conflict()
    assert sentence.startswith("opencv-python and opencv-python-headless are installed")
    assert "pip uninstall -y opencv-python opencv-python-headless" in sentence
    assert sentence.endswith("pip install opencv-python")
