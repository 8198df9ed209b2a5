"""What the tests share: one thread, fixed seeds, small made-up things. No camera, GPU, network or screen is needed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as support/cli.py does: some tests import onnxruntime first

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers.paths import PUBLIC_WEIGHTS

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in the background ignores Ctrl-C
mpl.use("Agg")
torch.set_num_threads(1)  # tests are small: threads would cost more than they bring


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def public_weights() -> Path:
    """The public RetinaFace weights; the test is skipped where they are not at hand."""
    if not PUBLIC_WEIGHTS.exists():
        pytest.skip(f"the public weights are not at {PUBLIC_WEIGHTS}")
    return PUBLIC_WEIGHTS


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """(512, 512, 3) uint8 RGB: NASA's portrait of Eileen Collins, public domain, from scikit-image's wheel."""
    from skimage.data import astronaut

    return astronaut()
