"""Folders of results: under the names of the source, nothing twice, nothing over something else."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from data.sources.frame import Frame
from models.preprocess import CROP_TEMPLATE
from pipeline.output.folders import AnnotatedFolder, CropFolder
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face


def grey(level: int, size_hw=(48, 64)) -> np.ndarray:
    return np.full((*size_hw, 3), level, np.uint8)


def frame(name: str, index: int = 0, *, still: bool = True, time_s: float = 0.0, size_hw=(48, 64)) -> Frame:
    return Frame(grey(0, size_hw), time_s, index, name, Path("/source") / name, still)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_and_films_of_a_mixed_folder_each_under_its_own_name(tmp_path):
    with AnnotatedFolder(tmp_path / "seen", fps=25, notify=print) as folder:
        for index, name in enumerate(["a.jpg", "a.png", "b/a.png", "c.heic", "d.WEBP"]):
            folder.add(frame(name, index), grey(10 * index))
        for name, level in (("b/film.avi", 50), ("b/film.mp4", 100)):
            for index in range(5):
                folder.add(frame(name, index, still=False, time_s=index / 25), grey(level))
        folder.add(frame("z.png", 5), grey(200))
    expected = ["a.jpg", "a.png", "b/a.png", "b/film.avi.mp4", "b/film.mp4", "c.heic.png", "d.WEBP", "z.png"]
    assert files(tmp_path / "seen") == expected
    for name, level in (("a.jpg", 0), ("a.png", 10), ("b/a.png", 20), ("c.heic.png", 30), ("d.WEBP", 40)):
        assert np.asarray(Image.open(tmp_path / "seen" / name)).mean() == pytest.approx(level, abs=1)
    for name, level in (("b/film.avi.mp4", 50), ("b/film.mp4", 100)):
        with av.open(str(tmp_path / "seen" / name)) as film:
            levels = [image.to_ndarray(format="rgb24").mean() for image in film.decode(video=0)]
        assert len(levels) == 5
        assert np.allclose(levels, level, atol=2)


@pytest.mark.parametrize(("name", "longest"), [("a.webp", 16_383), ("a.jpg", 65_500), ("a.JPEG", 65_500)])
def test_a_picture_that_its_own_format_cannot_hold_becomes_a_png(tmp_path, name, longest):
    with AnnotatedFolder(tmp_path, fps=25, notify=print) as folder:
        for index, size_hw in enumerate([(2, longest), (2, longest + 1)]):
            folder.add(frame(f"{index}/{name}", index, size_hw=size_hw), grey(9, size_hw))
    assert files(tmp_path) == [f"0/{name}", f"1/{name}.png"]
    assert Image.open(tmp_path / f"0/{name}").size == (longest, 2)
    assert Image.open(tmp_path / f"1/{name}.png").size == (longest + 1, 2)


def test_the_films_are_finished_on_ctrl_c(tmp_path):
    with pytest.raises(KeyboardInterrupt), AnnotatedFolder(tmp_path, fps=25, notify=print) as folder:
        folder.add(frame("a.mov", still=False), grey(0))
        assert files(tmp_path) == ["a.mov.partial.mp4"]
        raise KeyboardInterrupt
    assert files(tmp_path) == ["a.mov.mp4"]


def test_crops_show_the_face_where_the_networks_expect_it(tmp_path):
    """Dots on the landmarks of a turned face lie in the crop where the template says; the second face stays apart."""
    turn = 0.6 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    image = np.zeros((400, 500, 3), np.uint8)
    faces = []
    for centre in ([120, 200], [360, 200]):
        landmarks = (CROP_TEMPLATE - 0.5) * 200 @ turn.T + centre
        for x, y in landmarks:
            cv2.circle(image, (round(x), round(y)), 3, (255, 255, 255), -1)
        face = Face(np.zeros(4, np.float32), landmarks.astype(np.float32), 0.9)
        faces.append(FaceResult(face, np.array([1.0], np.float32), "fear", 1.0, None, None, np.zeros((2, 3))))
    crops = CropFolder(tmp_path)
    seen = Frame(image, 0.0, 17, "b/film.mp4", Path("/source/b/film.mp4"))
    crops.add(seen, FrameResult(image, tuple(faces), ("fear",)))
    crops.add(frame("a.jpg"), FrameResult(image, tuple(faces[:1]), ("fear",)))
    crops.add(frame("a.png", 1), FrameResult(image, (), ("fear",)))
    assert files(tmp_path) == ["a.jpg_000000_0.png", "b/film.mp4_000017_0.png", "b/film.mp4_000017_1.png"]
    for name in files(tmp_path):
        crop = np.asarray(Image.open(tmp_path / name))
        assert crop.shape == (224, 224, 3)
        for x, y in CROP_TEMPLATE * 224 - 0.5:
            ys, xs = np.mgrid[round(y) - 9 : round(y) + 10, round(x) - 9 : round(x) + 10]
            weight = crop[ys, xs, 0].astype(float)
            assert (weight * xs).sum() / weight.sum() == pytest.approx(x, abs=1)
            assert (weight * ys).sum() / weight.sum() == pytest.approx(y, abs=1)
