"""Weights from another training: layers as they are, class rows by name."""

from __future__ import annotations

import dataclasses
from unittest import mock

import pytest
import torch

from models.checkpoint import Checkpoint, save_checkpoint
from models.spec import all_specs, find_spec
from models.training.transfer import head_tensors, initial_network, transfer
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


def test_the_initial_network_has_the_weights_asked_for(tmp_path, monkeypatch):
    checkpoint = checkpoint_of("deep_emotion", RAF)
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    spec = find_spec("deep_emotion")
    init = initial_network("deep_emotion", RAF, init=str(tmp_path / "c.safetensors"))
    assert all(torch.equal(value, checkpoint.weights[key]) for key, value in init.state_dict().items())
    with pytest.raises(UserError, match=r"no pretrained weights of deep_emotion; .* one of .*resnet18"):
        initial_network("deep_emotion", RAF, pretrained=True)
    pretrained = mock.Mock(side_effect=spec.build)
    backbone = dataclasses.replace(spec, pretrained=pretrained)
    monkeypatch.setitem(all_specs(), "backbone", backbone)
    initial_network("backbone", RAF, pretrained=True)
    initial_network("backbone", RAF)
    pretrained.assert_called_once_with(7)
