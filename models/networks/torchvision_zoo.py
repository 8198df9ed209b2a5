"""The reference backbones, as torchvision wrote them: only the number of outputs is ours.

In:  (N, 3, h, w) float32, RGB standardised with ImageNet's mean and deviation; h = w = 224, of inception_v3 299, by
     default; others fit.
Out: logits (N, K).

`build` starts at random. `pretrained` starts from torchvision's ImageNet weights, downloaded when it is called, with a
new head. torchvision is imported only there: it takes 1.4 s, which a start with another network need not wait for.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from models.preprocess import Preprocess
from models.spec import ModelSpec

IMAGENET = Preprocess(size_hw=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

# The last linear layer, the layer to explain with its cells at 224 pixels, and where these look (`ModelSpec.cells`).
LAYERS = {
    "resnet18": ("fc", "layer4", (0, 32)),  # 7x7; He et al. 2016, arXiv 1512.03385
    "resnet34": ("fc", "layer4", (0, 32)),  # 7x7
    "resnet50": ("fc", "layer4", (0, 32)),  # 7x7
    "resnet152": ("fc", "layer4", (0, 32)),  # 7x7
    "alexnet": ("classifier.6", "features.11", (15, 16)),  # 13x13, before the last pooling; Krizhevsky et al. 2012
    "mobilenet_v3_small": ("classifier.3", "features", (0, 32)),  # 7x7; Howard et al. 2019, arXiv 1905.02244
    "mobilenet_v3_large": ("classifier.3", "features", (0, 32)),  # 7x7
    "vgg19_bn": ("classifier.6", "features.51", (7.5, 16)),  # 14x14, before the last pooling; Simonyan & Zisserman 2015
    "densenet121": ("classifier", "features", (14, 32)),  # 7x7; Huang et al. 2017, arXiv 1608.06993
    "efficientnet_b2": ("classifier.1", "features", (0, 32)),  # 7x7; Tan & Le 2019, arXiv 1905.11946
    "googlenet": ("fc", "inception5b", (22, 32)),  # 7x7; Szegedy et al. 2015, arXiv 1409.4842
    "inception_v3": ("fc", "Mixed_7c", (37, 32)),  # 8x8 at 299 pixels; Szegedy et al. 2016, arXiv 1512.00567
}
SIDES = {"inception_v3": 299}  # others: 224

# Without auxiliary heads forward gives plain logits in training too. torchvision's weights of both Inceptions want
# pixels in [-1, 1], to which `transform_input` takes ImageNet-standardised ones. It is set here as the
# pretrained builder does, because a checkpoint of either is loaded into this one.
INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
UNTRAINED = {"googlenet": INCEPTION, "inception_v3": INCEPTION}


def build(num_classes: int, *, name: str) -> nn.Module:
    """torchvision's `name` with `num_classes` outputs, at random."""
    from torchvision.models import get_model

    return get_model(name, num_classes=num_classes, **UNTRAINED.get(name, {}))


def pretrained(num_classes: int, *, name: str) -> nn.Module:
    """torchvision's `name` with its best ImageNet weights and a new last layer of `num_classes` outputs."""
    from torchvision.models import get_model

    network = get_model(name, weights="DEFAULT")
    if name == "inception_v3":  # GoogLeNet's builder takes its own away
        network.aux_logits, network.AuxLogits = False, None
    head, *_ = LAYERS[name]
    network.set_submodule(head, nn.Linear(network.get_submodule(head).in_features, num_classes))
    return network


MODELS = {
    name: ModelSpec(
        build=partial(build, name=name),
        preprocess=IMAGENET.at_size(SIDES.get(name, 224)),
        explain_layer=explain_layer,
        cells=cells,
        pretrained=partial(pretrained, name=name),
    )
    for name, (_, explain_layer, cells) in LAYERS.items()
}
