"""A software bill of materials: python -m docs.make.sbom --out sbom.json   (`make sbom`)

In:  a requirements file, what is installed in this environment, the weights of the checkout.
Out: CycloneDX 1.6 as JSON: each distribution with version, licence and what it needs; the native libraries that its
     wheel carries (FFmpeg, x264, Qt ...); the weights with their SHA-256.

It tells what is installed here, so another system's list differs in versions and libraries.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support import VERSION, UserError, command, run_and_exit, setting, write_json
from support.cli import ROOT

WEIGHTS = ("models/weights", "retinaface/weights")
LIBRARY = re.compile(r"\.libs/(?:[^/]+/)*(lib[^/]+?)\.(?:so|dll)\b|/\.dylibs/(lib[^/]+?)(?:\.\d+)*\.dylib$")
HASH = re.compile(r"-[0-9a-f]{8}(?:[0-9a-f]{24})?\b")  # by which auditwheel and delvewheel tell copies apart
NAME = "live-expressions"


@dataclass(frozen=True)
class Settings:
    """Flags of `python -m docs.make.sbom`."""

    requirements: str = setting(str(ROOT / "requirements-live.txt"), "whose packages are listed", metavar="FILE.txt")
    out: str = setting("", "the file to write; left out: stdout", metavar="FILE.json")


def requirements_in(path: Path) -> Iterator[str]:
    """The names in a requirements file and in those that it includes."""
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            yield from requirements_in(path.parent / line[3:].strip())
        elif line:
            yield Requirement(line).name


def needed_by(distribution: metadata.Distribution) -> list[str]:
    """Canonical names of what the distribution needs on this system, without extras."""
    needs = map(Requirement, distribution.requires or ())
    return [
        canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})
    ]


def closure(names: list[str]) -> dict[str, metadata.Distribution]:
    """The distributions of these names and all that they need, by canonical name. `UserError` where one is missing."""
    found: dict[str, metadata.Distribution] = {}
    waiting: list[str] = [canonicalize_name(name) for name in names]
    while waiting:
        if (name := waiting.pop()) in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise UserError(f"{name} is not installed, so its part is unknown; pip install it first.") from error
        waiting += needed_by(found[name])
    return dict(sorted(found.items()))


def licences(distribution: metadata.Distribution) -> list[dict[str, Any]]:
    """What the distribution's metadata says of its licence: an SPDX expression, else a name, else its classifiers."""
    about = distribution.metadata
    if "License-Expression" in about:
        return [{"expression": about["License-Expression"]}]
    names = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    if "License" in about and "\n" not in (text := about["License"]) and len(text) < 80:
        names = [text]
    return [{"license": {"name": name}} for name in names]


def libraries(distribution: metadata.Distribution) -> list[str]:
    """Names of the shared libraries that the wheel carries beside its own code."""
    matches = [LIBRARY.search(file.as_posix()) for file in distribution.files or ()]
    return sorted({HASH.sub("", match[1] or match[2]) for match in matches if match})


def component(name: str, distribution: metadata.Distribution) -> dict[str, Any]:
    """A distribution as CycloneDX has it."""
    purl = f"pkg:pypi/{name}@{distribution.version}"
    inside = [{"type": "library", "name": library, "bom-ref": f"{purl}#{library}"} for library in
              libraries(distribution)]  # fmt: skip
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": distribution.version,
        "purl": purl,
        "licenses": licences(distribution),
    } | ({"components": inside} if inside else {})


def weights() -> list[dict[str, Any]]:
    """The checkout's weights, each with its SHA-256."""
    files = sorted(file for folder in WEIGHTS for file in (ROOT / folder).glob("*.*") if file.suffix != ".md")
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": str(file.relative_to(ROOT)),
            "name": str(file.relative_to(ROOT)),
            "version": VERSION,
            "licenses": [{"license": {"id": "MIT"}}],
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
        }
        for file in files
    ]


def bill_of_materials(requirements: Path) -> dict[str, Any]:
    """The whole document."""
    direct = list(requirements_in(requirements))
    found = closure(direct)
    refs = {name: f"pkg:pypi/{name}@{distribution.version}" for name, distribution in found.items()}
    models = weights()
    root = {"type": "application", "bom-ref": NAME, "name": NAME, "version": VERSION,
            "licenses": [{"license": {"id": "MIT"}}]}  # fmt: skip
    first = [refs[canonicalize_name(name)] for name in direct] + [model["bom-ref"] for model in models]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "component": root,
            "properties": [{"name": "python", "value": sys.version.split()[0]}, {"name": "platform",
                            "value": sys.platform}],
        },
        "components": [component(name, distribution) for name, distribution in found.items()] + models,
        "dependencies": [
            {"ref": NAME, "dependsOn": sorted(set(first))},
            *({"ref": refs[name], "dependsOn": sorted({refs[need] for need in needed_by(one)})}
              for name, one in found.items()),
        ],
    }  # fmt: skip


def run(settings: Settings) -> None:
    """Write or print the bill."""
    bill = bill_of_materials(Path(settings.requirements))
    write_json(bill, settings.out)
    if settings.out:
        print(f"{settings.out}: {len(bill['components'])} components")


main = command(Settings, run, prog="python -m docs.make.sbom", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
