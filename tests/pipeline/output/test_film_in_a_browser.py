"""Saved films in Chromium: complete or as a kill left them, they play with picture and sound and can be searched."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.browsers.chromium import Chromium
from helpers.films import write_film

from pipeline.output.film import VideoWriter

LEVELS = (40, 90, 140, 190)  # of the four halves of a second
PLAY = """new Promise((resolve, reject) => {
  const video = document.createElement('video');
  video.onerror = () => reject(new Error(video.error.message));
  video.onended = () => resolve({duration: video.duration, video: video.webkitDecodedFrameCount,
                                 sound: video.webkitAudioDecodedByteCount});
  video.src = '%s';
  video.playbackRate = 2;
  video.play().catch(reject);
})"""
LEVEL_AT = """
new Promise((resolve, reject) => {
  const video = document.createElement('video');
  video.onerror = () => reject(new Error(video.error.message));
  video.onseeked = () => {
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').drawImage(video, 0, 0);
    const [level, , , opaque] = canvas.getContext('2d').getImageData(32, 24, 1, 1).data;
    opaque ? resolve(level) : setTimeout(video.onseeked, 20); // a busy browser may have no picture of it yet
  };
  video.onloadeddata = () => { video.currentTime = %f; };
  video.src = '%s';
})
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two seconds in four grey levels with a tone: complete, and what a kill would leave at the end of them."""
    folder = tmp_path_factory.mktemp("films")
    grey = [np.full((48, 64, 3), LEVELS[index // 25 % 4], np.uint8) for index in range(100)]
    source = write_film(folder / "source.mp4", grey[:50], sound_hz=440)
    for suffix in (".mp4", ".webm"):
        with VideoWriter(folder / f"seen{suffix}", 25) as writer:
            for index in range(50):
                writer.write(np.full((48, 64, 3), LEVELS[index * 4 // 50], np.uint8), index / 25, film=source)
            shutil.copy(folder / f"seen.partial{suffix}", folder / f"killed{suffix}")
    (folder / "page.html").write_text("<!doctype html><title>films</title>")
    return folder


@pytest.mark.thorough
@pytest.mark.long
def test_saved_films_play_with_sound_and_can_be_searched_in(films):
    with Chromium("--autoplay-policy=no-user-gesture-required", "--allow-file-access-from-files") as browser:
        browser.open((films / "page.html").as_uri())
        names = ["seen.mp4", "seen.webm", "killed.mp4", "killed.webm"]
        all_played = browser.evaluate(f"Promise.all([{', '.join(PLAY % name for name in names)}])")
        for name, played in zip(names, all_played, strict=True):
            assert played["sound"] > 1000, name
            if name.startswith("seen"):
                assert 40 <= played["video"] <= 50, name  # a busy browser skips some
                assert played["duration"] == pytest.approx(2, abs=0.05)
                shown = [browser.evaluate(LEVEL_AT % (time_s, name)) for time_s in (1.75, 0.25, 1.25, 0.75)]
                assert np.abs(np.array(shown) - np.array(LEVELS)[[3, 0, 2, 1]]).max() <= 4, name
            else:
                assert played["video"] >= 25, name
