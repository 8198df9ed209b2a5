"""State dicts of other programs: wrappers, prefixes, what fits, and files that are something else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.checkpoint import SHIPPED
from models.state_dict import match, read_state_dict
from support import UserError

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        {"state_dict": TENSORS, "epoch": 3},
        {"model": {"state_dict": TENSORS}, "optimizer": {"x": 1}},
        {name: nn.Parameter(value) for name, value in TENSORS.items()},
        {name: value.half() for name, value in TENSORS.items()},
    ],
)
def test_tensors_are_found_in_what_wraps_them(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    found = read_state_dict(tmp_path / "w.pth")
    assert found.keys() == TENSORS.keys()
    for name, value in found.items():
        assert torch.equal(value, TENSORS[name])
        assert value.dtype == torch.float32
        assert not value.requires_grad


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds no tensors by name, but a list"),
        ({"state_dict": 3}, "holds no tensors by name, but a dict"),
        (nn.Linear(2, 2), "whole pickled network, save its state_dict"),
        (TENSORS | {"b": torch.tensor([float("nan")])}, r"not finite numbers \(b\)"),
    ],
)
def test_what_holds_no_weights_is_refused_in_a_sentence(tmp_path, content, sentence):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match=sentence):
        read_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.bin"])
def test_missing_and_damaged_files_are_refused_in_a_sentence(tmp_path, name):
    with pytest.raises(UserError, match="there is no file"):
        read_state_dict(tmp_path / name)
    (tmp_path / name).write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match=r"holds no plain tensors, or is cut off|cannot be read"):
        read_state_dict(tmp_path / name)


def test_an_onnx_file_is_refused_with_what_to_name():
    with pytest.raises(UserError, match=r"name the \.safetensors file beside it"):
        read_state_dict(SHIPPED.with_suffix(".onnx"))


@pytest.mark.parametrize("prefix", ["", "module.", "module.model.", "_orig_mod.module."])
def test_prefixes_are_taken_off_where_that_makes_more_fit(prefix):
    found = match(TENSORS, {prefix + name: value for name, value in TENSORS.items()}, heads=())
    assert found.weights.keys() == TENSORS.keys()
    assert found.share == 1


def test_the_share_counts_numbers_of_the_network_and_of_the_file_and_no_heads():
    own = {
        "a": torch.zeros(60),
        "b": torch.zeros(40),
        "fc": torch.zeros(7, 10),
        "n.num_batches_tracked": torch.tensor(0),
    }
    found = match(own, {"a": torch.ones(60), "b": torch.ones(41), "fc": torch.ones(8, 10)}, heads={"fc"})
    assert found.share == pytest.approx(60 / 101)
    assert (found.missing, found.surplus, found.reshaped) == ((), (), ("b", "fc"))
    half = match(own, {"a": torch.ones(60), "c": torch.ones(300)}, heads={"fc"})
    assert half.share == pytest.approx(60 / 360)
    assert (
        str(half) == "1 tensors matched, 2 missing (b, fc), 1 surplus (c), 0 of another shape; 17 % of the weights fit"
    )
