"""The bill of materials: versions and hashes that can be looked up, references that lead somewhere."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT

from docs.make import sbom
from support import UserError


@pytest.fixture(scope="module")
def bill(tmp_path_factory) -> dict:
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    assert sbom.main(["--out", str(path)]) == 0
    return json.loads(path.read_text())


def test_versions_are_those_that_run(bill):
    versions = {component["name"]: component["version"] for component in bill["components"]}
    assert versions["numpy"] == np.__version__
    assert versions["opencv-python"].startswith(cv2.__version__.rsplit(".", 1)[0])
    named = {line.split(">")[0].strip() for line in (ROOT / "requirements-live.txt").read_text().splitlines()}
    assert {name for name in named if name and not name.startswith("#")} <= versions.keys()


def test_every_component_has_a_licence_and_references_lead_to_components(bill):
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    refs = [component["bom-ref"] for component in bill["components"]]
    assert len(refs) == len(set(refs))
    assert all(component["licenses"] for component in bill["components"])
    known = {*refs, sbom.NAME}
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known
    needed = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    matplotlib = next(ref for ref in refs if ref.startswith("pkg:pypi/matplotlib@"))
    assert any(ref.startswith("pkg:pypi/pillow@") for ref in needed[matplotlib])


def test_weights_are_listed_with_their_hashes(bill):
    models = [component for component in bill["components"] if component["type"] == "machine-learning-model"]
    assert len(models) == 4
    for model in models:
        (entry,) = model["hashes"]
        assert entry["content"] == hashlib.sha256(Path(ROOT, model["name"]).read_bytes()).hexdigest()


class Wheel:
    """A distribution of these files."""

    def __init__(self, *files: str) -> None:
        self.files = [PurePosixPath(file) for file in files]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("av.libs/libx264-d6533a8d.so.165", "libx264"),
        ("av.libs/libxcb-shm-0be6dfbf.so.0.0.0", "libxcb-shm"),
        ("cv2/.dylibs/libavcodec.61.3.100.dylib", "libavcodec"),
        ("numpy.libs/libscipy_openblas64_-ff651d7f.dll", "libscipy_openblas64_"),
        ("av/_core.abi3.so", None),
    ],
)
def test_libraries_in_wheels_are_named(file, name):
    assert sbom.libraries(Wheel(file)) == ([name] if name else [])


def test_what_is_not_installed_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("numpy>=2  # arrays\n-r b.txt\n")
    (tmp_path / "b.txt").write_text("no-such-package>=1\n")
    assert list(sbom.requirements_in(tmp_path / "a.txt")) == ["numpy", "no-such-package"]
    with pytest.raises(UserError, match="no-such-package is not installed"):
        sbom.main(["--requirements", str(tmp_path / "a.txt")])


def test_needs_of_another_system_are_left_out():
    class Other:
        requires = ("numpy>=2", 'pywin32; sys_platform == "nonesuch"', 'pytest; extra == "dev"')

    assert sbom.needed_by(Other()) == ["numpy"]
    assert "numpy" in sbom.needed_by(metadata.distribution("matplotlib"))
