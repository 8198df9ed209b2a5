"""Tensors in files: hashed, strict, finite."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from support import UserError
from support.weights import as_float32, load_strictly, load_tensors, save_tensors, tensors_in

FORMAT = "test/1"
TENSORS = {"a.weight": torch.randn(3, 4), "steps": torch.tensor(7)}


def test_what_is_saved_comes_back(tmp_path):
    save_tensors(tmp_path / "w.safetensors", TENSORS, header={"format": FORMAT, "names": ["x", "y"]})
    tensors, header = load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)
    assert header["names"] == ["x", "y"]
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_others_may_read_what_is_saved_as_other_new_files(tmp_path):
    before = os.umask(0o022)
    try:
        save_tensors(tmp_path / "w.safetensors", TENSORS, header={})
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == 0o644


def test_the_hash_is_that_of_files_from_before(tmp_path):
    """Names, torch's names of types, shapes and bytes: written out here by hand."""
    save_tensors(tmp_path / "w.safetensors", {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor(3)}, header={})
    text = b"a torch.int64 ()" + np.int64(3).tobytes() + b"b torch.float32 (2,)" + np.float32([1, 2]).tobytes()
    with safe_open(tmp_path / "w.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["sha256"]) == hashlib.sha256(text).hexdigest()


def test_an_altered_header_is_refused_and_one_from_before_its_hash_loads(tmp_path):
    path, header = tmp_path / "w.safetensors", {"format": FORMAT, "names": ("x", "y"), "t": 0.58, "n": {9: 1, 10: 2}}
    save_tensors(path, TENSORS, header=header)
    assert load_tensors(path, wanted_format=FORMAT)[1].keys() == header.keys() | {"sha256"}
    content = path.read_bytes()
    assert content.count(b"0.58") == 1
    path.write_bytes(content.replace(b"0.58", b"0.98"))
    with pytest.raises(UserError, match="is damaged"):
        load_tensors(path, wanted_format=FORMAT)
    arrays = {name: tensor.numpy() for name, tensor in TENSORS.items()}
    with safe_open(path, framework="np") as file:
        save_file(arrays, path, metadata={k: v for k, v in file.metadata().items() if k != "header_sha256"})
    assert load_tensors(path, wanted_format=FORMAT)[1]["t"] == 0.98


def test_any_layout_and_type_is_stored(tmp_path):
    tensors = {
        "turned": torch.randn(3, 4).T,
        "brain": torch.randn(5).bfloat16(),
        "flag": torch.ones(2, dtype=torch.bool),
    }
    tensors["int"] = torch.arange(6).reshape(2, 3).T
    save_tensors(tmp_path / "w.safetensors", tensors, header={"format": FORMAT})
    loaded, _ = load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)
    assert all(torch.equal(loaded[name], tensors[name].to(loaded[name].dtype)) for name in tensors)


def test_half_stores_float16_and_loads_float32(tmp_path):
    save_tensors(tmp_path / "w.safetensors", TENSORS, header={"format": FORMAT}, half=True)
    tensors, _ = load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)
    assert tensors["a.weight"].dtype == torch.float32
    torch.testing.assert_close(tensors["a.weight"], TENSORS["a.weight"], rtol=1e-3, atol=1e-3)
    assert torch.equal(tensors["steps"], TENSORS["steps"])


def test_missing_altered_cut_off_foreign_and_not_finite(tmp_path):
    with pytest.raises(UserError, match="no file"):
        load_tensors(tmp_path / "none.safetensors", wanted_format=FORMAT)
    path = tmp_path / "w.safetensors"
    save_tensors(path, TENSORS, header={"format": FORMAT})
    content = path.read_bytes()
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(UserError, match="damaged"):
        load_tensors(path, wanted_format=FORMAT)
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a other/1 file but test/1"):
        load_tensors(path, wanted_format="other/1")
    for other in (content[:-5], b"", b"PK\x03\x04 a zip", b"\xff" * 64):
        path.write_bytes(other)
        with pytest.raises(UserError, match="is not a safetensors file, or is cut off"):
            load_tensors(path, wanted_format=FORMAT)
    save_tensors(path, {"a": torch.tensor([1.0, float("nan")])}, header={"format": FORMAT})
    with pytest.raises(UserError, match="not finite"):
        load_tensors(path, wanted_format=FORMAT)


def test_an_onnx_file_is_refused_with_what_to_name(tmp_path):
    with pytest.raises(UserError, match=r"x\.onnx is for ONNX Runtime .* name the \.safetensors file beside it"):
        load_tensors(tmp_path / "x.onnx", wanted_format=FORMAT)


def test_loading_is_strict_and_names_what_is_wrong():
    network = nn.Linear(2, 3)
    before = network.weight.clone()
    with pytest.raises(UserError, match=r"1 missing \(bias\).*1 surplus \(extra\).*1 of another shape \(weight\)"):
        load_strictly(network, {"weight": torch.zeros(3, 5), "extra": torch.zeros(1)}, what="it")
    assert torch.equal(network.weight, before)
    load_strictly(network, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, what="it")
    assert network.weight.sum() == 6


@contextlib.contextmanager
def file_size_limit(size: int):
    """Files that grow beyond `size` bytes fail, as on a full disk."""
    resource = pytest.importorskip("resource", reason="limits of file sizes are set as on Unix")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_in_a_sentence_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, TENSORS, header={"format": FORMAT})
    content = path.read_bytes()
    with (
        file_size_limit(1000),
        pytest.raises(UserError, match=r"cannot write .*w\.safetensors: File too large") as caught,
    ):
        save_tensors(path, {"a": torch.zeros(10_000)}, header={"format": FORMAT})
    assert caught.value.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (None, "not a test/1 file but of an unknown kind"),
        ({"format": "test/1"}, "is not a safetensors file"),  # no JSON
        ({"format": '"test/1"'}, "is damaged"),  # no hash
        ({"format": '"test/1"', "sha256": "[1]"}, "is damaged"),
        ({"format": "[" * 100_000}, "is not a safetensors file"),
    ],
)
def test_metadata_that_is_missing_deep_or_of_another_type_is_refused_in_a_sentence(tmp_path, metadata, sentence):
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "w.safetensors", metadata=metadata)
    with pytest.raises(UserError, match=sentence):
        load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(725_000_000),  # 2.9 GB, of which a file holds four bytes
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, device="meta"),
        torch.zeros(2, dtype=torch.float8_e4m3fn),
    ],
)
def test_what_is_no_plain_array_is_refused_before_it_takes_memory(tensor):
    with pytest.raises(UserError, match=r"w\.pth holds what is no plain array of numbers \(a\)"):
        as_float32({"a": tensor}, "w.pth")


def test_what_float32_cannot_hold_is_not_finite():
    with pytest.raises(UserError, match=r"not finite numbers \(a\)"):
        as_float32({"a": torch.tensor([1e300], dtype=torch.float64)}, "w.pth")


def test_tensors_are_found_in_what_trainings_wrap_around_them():
    weights = {"a": torch.zeros(2), "b": nn.Parameter(torch.ones(2))}
    for content in (weights, {"state_dict": weights}, {"model": {"ema": weights}, "epoch": torch.tensor(3)}):
        found = tensors_in(content)
        assert found.keys() == {"a", "b"}
        assert not any(tensor.requires_grad for tensor in found.values())
    for content in (None, [torch.zeros(2)], {}, {"state_dict": 3}, {"other": weights}):
        assert tensors_in(content) == {}


@pytest.mark.parametrize("name", ["w.onnx", "w", "w.pt"])
def test_weights_go_to_files_that_say_so(tmp_path, name):
    (tmp_path / name).write_text("another's")
    with pytest.raises(UserError, match=r"written to a \.safetensors file, not to"):
        save_tensors(tmp_path / name, TENSORS, header={"format": FORMAT})
    assert (tmp_path / name).read_text() == "another's"
