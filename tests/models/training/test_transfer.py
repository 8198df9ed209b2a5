"""Weights from another training: layers as they are, class rows by name."""

from __future__ import annotations

import dataclasses
from unittest import mock

import pytest
import torch
from safetensors.torch import save_file

from models.checkpoint import Checkpoint, save_checkpoint
from models.spec import all_specs, find_spec
from models.training.transfer import freeze_layers, head_tensors, initial_network, transfer
from support import UserError

FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


def checkpoint_of(name: str, class_names: tuple[str, ...], seed: int = 1) -> Checkpoint:
    torch.manual_seed(seed)
    network = find_spec(name).build(len(class_names))
    return Checkpoint(name, class_names, find_spec(name).preprocess, network.state_dict())


@pytest.mark.parametrize("name", ["small_resnet18_w32", "deep_emotion", "mobilenet_v3_small"])
def test_each_class_gives_the_logit_that_it_gave(name):
    checkpoint = checkpoint_of(name, FERPLUS)
    network = transfer(checkpoint, RAF, name=name, path="c").eval()
    x = torch.randn(2, find_spec(name).preprocess.channels, 48, 48)
    with torch.inference_mode():
        before, after = checkpoint.build()(x), network(x)
    assert after.shape == (2, 7)
    torch.testing.assert_close(after, before[:, [FERPLUS.index(class_name) for class_name in RAF]])


def test_an_unknown_class_keeps_its_untrained_row(caplog):
    spec, checkpoint = find_spec("deep_emotion"), checkpoint_of("deep_emotion", ("calm", "glad"))
    torch.manual_seed(5)
    untrained = spec.build(3).state_dict()
    torch.manual_seed(5)
    found = transfer(checkpoint, ("glad", "awe", "calm"), name="deep_emotion", path="c").state_dict()
    for key in ("fc2.weight", "fc2.bias"):
        assert torch.equal(found[key][1], untrained[key][1])
        assert torch.equal(found[key][[2, 0]], checkpoint.weights[key])
    assert torch.equal(found["fc1.weight"], checkpoint.weights["fc1.weight"])
    assert caplog.messages == ["c does not know awe, which start untrained"]


def test_where_no_class_is_known_all_of_the_head_is_untrained():
    checkpoint = checkpoint_of("deep_emotion", ("calm", "glad"))
    torch.manual_seed(5)
    untrained = find_spec("deep_emotion").build(3).state_dict()
    torch.manual_seed(5)
    found = transfer(checkpoint, ("a", "b", "c"), name="deep_emotion", path="c").state_dict()
    assert torch.equal(found["fc2.weight"], untrained["fc2.weight"])
    assert torch.equal(found["fc1.weight"], checkpoint.weights["fc1.weight"])


def test_heads_are_the_tensors_that_grow_with_the_classes():
    assert head_tensors(find_spec("small_resnet18_w32")) == {"fc.weight", "fc.bias"}
    assert head_tensors(find_spec("vgg19_bn")) == {"classifier.6.weight", "classifier.6.bias"}
    for spec in all_specs().values():
        assert len(head_tensors(spec)) >= 2


def test_what_does_not_fit_is_refused(tmp_path):
    checkpoint = checkpoint_of("deep_emotion", RAF)
    with pytest.raises(UserError, match="c holds a deep_emotion, but --model is face_emotion_cnn"):
        transfer(checkpoint, RAF, name="face_emotion_cnn", path="c")
    weights = {name: value for name, value in checkpoint.weights.items() if name != "fc1.weight"}
    checkpoint = dataclasses.replace(checkpoint, weights=weights)
    with pytest.raises(UserError, match=r"c does not fit its network: 1 missing \(fc1.weight\)"):
        transfer(checkpoint, RAF, name="deep_emotion", path="c")
    with pytest.raises(UserError, match="no file"):
        initial_network("deep_emotion", RAF, init=str(tmp_path / "none.safetensors"))


def test_the_initial_network_has_the_weights_asked_for(tmp_path, monkeypatch, caplog):
    checkpoint = checkpoint_of("deep_emotion", RAF)
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    spec = find_spec("deep_emotion")
    init = initial_network("deep_emotion", RAF, init=str(tmp_path / "c.safetensors"))
    assert all(torch.equal(value, checkpoint.weights[key]) for key, value in init.state_dict().items())
    assert not caplog.messages
    preprocess = dataclasses.replace(checkpoint.preprocess, size_hw=(64, 64))
    initial_network("deep_emotion", RAF, init=str(tmp_path / "c.safetensors"), preprocess=checkpoint.preprocess)
    assert not caplog.messages
    initial_network("deep_emotion", RAF, init=str(tmp_path / "c.safetensors"), preprocess=preprocess)
    assert "c.safetensors saw other inputs, Preprocess(size_hw=(48, 48)" in caplog.text
    with pytest.raises(UserError, match=r"no pretrained weights of deep_emotion; .* one of .*resnet18"):
        initial_network("deep_emotion", RAF, pretrained=True)
    pretrained = mock.Mock(side_effect=spec.build)
    backbone = dataclasses.replace(spec, pretrained=pretrained)
    monkeypatch.setitem(all_specs(), "backbone", backbone)
    initial_network("backbone", RAF, pretrained=True)
    initial_network("backbone", RAF)
    pretrained.assert_called_once_with(7)


def test_a_plain_state_dict_of_the_same_network_is_taken_and_reported(tmp_path, caplog):
    torch.manual_seed(3)
    other = find_spec("deep_emotion").build(5)
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in other.state_dict().items()}}, tmp_path / "w.pth"
    )
    torch.manual_seed(4)
    untrained = find_spec("deep_emotion").build(7).state_dict()
    torch.manual_seed(4)
    found = initial_network("deep_emotion", RAF, init=str(tmp_path / "w.pth")).state_dict()
    for key, tensor in found.items():
        wanted = untrained[key] if key in ("fc2.weight", "fc2.bias") else other.state_dict()[key]
        assert torch.equal(tensor, wanted), key
    (line,) = caplog.messages
    assert "0 missing, 0 surplus, 2 of another shape (fc2.bias, fc2.weight); 100 % of the weights fit" in line
    assert line.endswith("the fc2.bias and fc2.weight, which has a row a class, starts untrained")


def test_weights_of_another_network_are_refused_with_what_fits(tmp_path):
    deep = find_spec("resnet34").build(7).state_dict()
    torch.save(deep, tmp_path / "resnet34.pt")  # all of resnet18's names are among its own
    with pytest.raises(
        UserError, match=r"resnet34.pt for resnet18 does not fit: .* surplus .* 5\d % of the weights fit"
    ):
        initial_network("resnet18", RAF, init=str(tmp_path / "resnet34.pt"))


def test_a_foreign_safetensors_file_is_a_state_dict_and_a_damaged_checkpoint_is_not(tmp_path):
    network = find_spec("deep_emotion").build(7)
    save_file(network.state_dict(), tmp_path / "w.safetensors", metadata={"format": "pt"})
    found = initial_network("deep_emotion", RAF, init=str(tmp_path / "w.safetensors"))
    assert torch.equal(found.fc1.weight, network.fc1.weight)
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:100])
    with pytest.raises(UserError, match="is not a safetensors file, or is cut off"):
        initial_network("deep_emotion", RAF, init=str(tmp_path / "w.safetensors"))


def test_layers_are_frozen_by_the_beginnings_of_their_names():
    network = find_spec("deep_emotion").build(7)
    heads = head_tensors(find_spec("deep_emotion"))
    freeze_layers(network, ["fc1"], heads=heads)
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"fc1.weight", "fc1.bias"}
    freeze_layers(network, ["backbone"], heads=heads)
    assert {name for name, parameter in network.named_parameters() if parameter.requires_grad} == heads
    with pytest.raises(UserError, match=r"--freeze fc is the beginning of no layer's name; they are backbone, .*fc1"):
        freeze_layers(network, ["fc"], heads=heads)
    with pytest.raises(UserError, match="--freeze backbone fc2 leaves nothing to train"):
        freeze_layers(network, ["backbone", "fc2"], heads=heads)
