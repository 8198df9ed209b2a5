"""Every network of `models/networks/`: sizes, gradients, explain layers, checkpoints; and masks and gates by hand."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models._api import WeightsEnum

from gradcam import hooked_forward
from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.networks.attention_resnet import BAM, CBAM
from models.networks.residual_masking import MaskedStage, MaskingBlock
from models.spec import all_specs

# For 7 classes, as counted from the public implementations (attention_resnet: see the test of its arithmetic).
PARAMETERS = {
    "alexnet": 57_032_519,
    "bam_resnet50": 23_880_442,
    "cbam_resnet50": 26_054_967,
    "deep_emotion": 66_877,
    "densenet121": 6_961_031,
    "efficientnet_b2": 7_710_857,
    "face_emotion_cnn": 1_642_935,
    "googlenet": 5_607_079,
    "inception_v3": 21_799_911,
    "mobilenet_v3_large": 4_210_999,
    "mobilenet_v3_small": 1_525_031,
    "residual_masking": 137_796_423,
    "resnet152": 58_158_151,
    "resnet18": 11_180_103,
    "resnet34": 21_288_263,
    "resnet50": 23_522_375,
    "small_resnet18_w32": 1_948_391,
    "tiny_cnn": 49_391,
    "small_resnet18_w48": 4_379_479,
    "small_resnet18_w64": 7_781_831,
    "vgg19_bn": 139_609_927,
}
NAMES = sorted(all_specs())
PRETRAINED = [name for name in NAMES if all_specs()[name].pretrained]
LARGEST = [name for name in NAMES if PARAMETERS.get(name, 0) > 1e8]  # seconds to fill with numbers
SMALL = [name for name in NAMES if PARAMETERS.get(name, 0) < 2e6]
AFFORDABLE_SIDE = 64  # pixels: networks for 224 run on these where the numbers, not the shapes, matter
LARGER_SIDES = {"inception_v3": 96}  # 75 is its least
CLASSES = tuple("abcdefg")


@functools.cache
def meta_network(name: str, num_classes: int = 7) -> nn.Module:
    """Shapes without numbers: cheap, even at full size."""
    with torch.device("meta"):
        return all_specs()[name].build(num_classes).eval()


def blank(name: str, *, share: float = 1.0) -> torch.Tensor:
    """Two pictures without numbers, `share` of the network's own size."""
    preprocess = all_specs()[name].preprocess
    return torch.empty(2, preprocess.channels, *(round(share * side) for side in preprocess.size_hw), device="meta")


def noise(name: str) -> torch.Tensor:
    """Two pictures of noise, of the network's own size or of a smaller one that it also takes."""
    preprocess = all_specs()[name].preprocess
    side = min(preprocess.size_hw[0], LARGER_SIDES.get(name, AFFORDABLE_SIDE))
    return torch.randn(2, preprocess.channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.thorough) if name in LARGEST else name for name in NAMES],
)
def built(request) -> tuple[str, nn.Module]:
    """One network with real weights, after one training pass, so that its running statistics are not the defaults."""
    torch.manual_seed(0)
    network = all_specs()[request.param].build(7)
    logits = network.train()(noise(request.param))
    assert isinstance(logits, torch.Tensor)  # no auxiliary outputs in training either
    assert logits.shape == (2, 7)
    return request.param, network.eval()


def test_parameter_counts():
    assert {name: sum(p.numel() for p in meta_network(name).parameters()) for name in NAMES} == PARAMETERS


@pytest.mark.parametrize("name", NAMES)
def test_full_size_logits_and_explain_layer(name):
    network, seen = meta_network(name, 3), []
    layer = network.get_submodule(all_specs()[name].explain_layer)
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    assert network(blank(name)).shape == (2, 3)
    hook.remove()
    (shape,) = seen  # used once
    assert len(shape) == 4
    assert shape[0] == 2
    assert min(shape[2:]) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_fixed_size_is_set_where_smaller_pictures_fail(name):
    """3/4 and 7/8 of the size are what train.py begins with."""
    network, failed = meta_network(name, 3), False
    for share in (3 / 4, 7 / 8):
        try:
            assert network(blank(name, share=share)).shape == (2, 3)
        except RuntimeError:
            failed = True
    assert failed == all_specs()[name].fixed_size


def test_eval_repeats_rows_do_not_meet_and_no_faces_give_no_logits(built):
    name, network = built
    x = noise(name)
    with torch.inference_mode():
        both, again, first, none = network(x), network(x), network(x[:1]), network(x[:0])
    assert both.isfinite().all()
    assert torch.equal(both, again)
    torch.testing.assert_close(both[:1], first, rtol=1e-3, atol=1e-4)
    assert none.shape == (0, 7)


def test_explainer_reaches_the_layer(built):
    name, network = built
    x = noise(name)
    passed = hooked_forward(network, all_specs()[name].explain_layer, x)
    heatmaps = passed.heatmaps(method="hirescam")
    assert passed.logits.shape == (2, 7)
    assert heatmaps.shape == (2, *x.shape[2:])
    assert heatmaps.isfinite().all()


def test_gradients_reach_every_parameter(built):
    """In eval mode, where a bias before a batch norm counts. Zero weights block gradients, so they are moved first."""
    name, network = built
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1 or not parameter.any():
                parameter += 0.02 * torch.randn_like(parameter)
    loss = network(noise(name)).square().sum()
    gradients = torch.autograd.grad(loss, list(network.parameters()))  # raises where one is not reached
    largest = {name: g.abs().max().item() for (name, _), g in zip(network.named_parameters(), gradients, strict=True)}
    assert [name for name, value in largest.items() if not 0 < value < float("inf")] == []


@pytest.mark.parametrize("name", SMALL)
def test_checkpoint_round_trip(name, tmp_path):
    torch.manual_seed(0)
    spec = all_specs()[name]
    network = spec.build(7).train()
    x = noise(name)
    network(x)  # moves the running statistics off their defaults
    weights = network.eval().state_dict()
    saved = Checkpoint(network=name, class_names=CLASSES, preprocess=spec.preprocess, weights=weights)
    save_checkpoint(tmp_path / "half.safetensors", saved, half=True)
    loaded = load_checkpoint(tmp_path / "half.safetensors").build()
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, weights[key].half().float() if tensor.is_floating_point() else weights[key]), key
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x), rtol=0.05, atol=0.02)


def layers(network: nn.Module) -> list[tuple[str, str, str]]:
    return [(name, type(module).__name__, module.extra_repr()) for name, module in network.named_modules()]


@pytest.mark.parametrize("name", PRETRAINED)
def test_pretrained_is_the_same_network(name, monkeypatch):
    """With the download and the loading taken out: what is left must fit `build`, name for name."""
    fetched = []
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda weights, **_: fetched.append(weights.name) or {})
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *args, **kwargs: None)
    with torch.device("meta"):
        pretrained = all_specs()[name].pretrained(3)
    assert len(fetched) == 1
    own = meta_network(name, 3)
    assert layers(pretrained) == layers(own)
    assert {k: v.shape for k, v in pretrained.state_dict().items()} == {k: v.shape for k, v in own.state_dict().items()}


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inceptions_treat_their_input_alike_with_and_without_pretraining(monkeypatch, name):
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda weights, **_: {})
    monkeypatch.setattr(nn.Module, "load_state_dict", lambda *args, **kwargs: None)
    with torch.device("meta"):
        pretrained = all_specs()[name].pretrained(7)
    assert pretrained.transform_input
    assert meta_network(name).transform_input


def test_attention_arithmetic():
    """By hand, and as pytorchcv states for 1000 classes: 28,089,624 and 25,915,099."""
    resnet50, head = 25_557_032, 2048 * 993 + 993  # torchvision, 1000 classes; what 1000 classes have beyond 7
    cbam = sum(
        blocks * (2 * c * (c // 16) + c // 16 + c + 2 * 49 + 2)  # two linear layers; a 7x7 on two maps, its norm
        for blocks, c in ((3, 256), (4, 512), (6, 1024), (3, 2048))
    )
    bam = sum(
        (2 * c * r + r + c + 2 * r)  # channel gate: two linear layers, a norm
        + (c * r + r) + 2 * (9 * r * r + r) + 3 * 2 * r + (r + 1)  # spatial gate: 1x1, two 3x3, three norms, 1x1
        for c, r in ((256, 16), (512, 32), (1024, 64))
    )  # fmt: skip
    assert resnet50 + cbam == 28_089_624
    assert resnet50 + bam == 25_915_099
    assert PARAMETERS["cbam_resnet50"] == 28_089_624 - head
    assert PARAMETERS["bam_resnet50"] == 25_915_099 - head


@pytest.mark.parametrize(("module", "factor"), [(CBAM(32), 0.5 * 0.5), (BAM(32), 1 + 0.5)])
def test_attention_with_zero_weights_is_a_constant_factor(module, factor):
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 32, 9, 9)
    torch.testing.assert_close(module.eval()(x), factor * x)  # sigmoid(0) = 1/2


def test_cbam_channel_gate_by_hand():
    module = CBAM(16).eval()
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        module.mlp[0].weight[0, 0] = module.mlp[2].weight[0, 0] = 1.0  # channel 0 looks at itself
    x = torch.zeros(1, 16, 2, 2)
    x[0, 0] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])  # mean 3, maximum 6
    expected = 0.5 * 0.5 * x
    expected[0, 0] = 0.5 * x[0, 0] / (1 + np.exp(-9.0))
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_mask_sums_to_one_over_channels_at_every_depth(depth):
    x = torch.randn(2, 4, 16, 16)
    mask = MaskingBlock(4, depth).eval()(x)
    assert mask.shape == x.shape
    torch.testing.assert_close(mask.sum(dim=1), torch.ones(2, 16, 16))


def test_masked_stage_adds_the_masked_activation():
    mask = MaskingBlock(4, 1).eval()
    for parameter in mask.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(MaskedStage(nn.Identity(), mask)(x), 1.25 * x)  # softmax of four zeros: 1/4 each
