"""The shipped detector and classifier, made once for all tests of the live loop."""

from __future__ import annotations

import pytest

from pipeline.run import EmotionPipeline


@pytest.fixture(scope="session")
def parts():
    pipeline = EmotionPipeline.from_files()
    return pipeline.detector, pipeline.classifier
