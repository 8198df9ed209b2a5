"""Tensors in files: hashed, strict, finite."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from support import UserError
from support.weights import load_strictly, load_tensors, save_tensors

FORMAT = "test/1"
TENSORS = {"a.weight": torch.randn(3, 4), "steps": torch.tensor(7)}


def test_what_is_saved_comes_back(tmp_path):
    save_tensors(tmp_path / "w.safetensors", TENSORS, header={"format": FORMAT, "names": ["x", "y"]})
    tensors, header = load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)
    assert header["names"] == ["x", "y"]
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_half_stores_float16_and_loads_float32(tmp_path):
    save_tensors(tmp_path / "w.safetensors", TENSORS, header={"format": FORMAT}, half=True)
    tensors, _ = load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)
    assert tensors["a.weight"].dtype == torch.float32
    torch.testing.assert_close(tensors["a.weight"], TENSORS["a.weight"], rtol=1e-3, atol=1e-3)
    assert torch.equal(tensors["steps"], TENSORS["steps"])


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, TENSORS, header={"format": FORMAT})
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_tensors(path, wanted_format=FORMAT)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\xff" * 64])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="not a safetensors file"):
        load_tensors(tmp_path / "w.safetensors", wanted_format=FORMAT)


def test_missing_cut_off_foreign_and_not_finite(tmp_path):
    with pytest.raises(UserError, match="no file"):
        load_tensors(tmp_path / "none.safetensors", wanted_format=FORMAT)
    path = tmp_path / "w.safetensors"
    save_tensors(path, TENSORS, header={"format": FORMAT})
    with pytest.raises(UserError, match="not a other/1 file but test/1"):
        load_tensors(path, wanted_format="other/1")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="cut off"):
        load_tensors(path, wanted_format=FORMAT)
    save_tensors(path, {"a": torch.tensor([1.0, float("nan")])}, header={"format": FORMAT})
    with pytest.raises(UserError, match="not finite"):
        load_tensors(path, wanted_format=FORMAT)


def test_loading_is_strict_and_names_what_is_wrong():
    network = nn.Linear(2, 3)
    before = network.weight.clone()
    with pytest.raises(UserError, match=r"1 missing \(bias\).*1 surplus \(extra\).*1 of another shape \(weight\)"):
        load_strictly(network, {"weight": torch.zeros(3, 5), "extra": torch.zeros(1)}, what="it")
    assert torch.equal(network.weight, before)
    load_strictly(network, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, what="it")
    assert network.weight.sum() == 6
