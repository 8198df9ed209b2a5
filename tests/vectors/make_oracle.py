"""Maps of pytorch-grad-cam, the oracle of tests/test_gradcam_oracle.py: python tests/vectors/make_oracle.py

In:  pytorch-grad-cam (Gildenblat, MIT) in an environment of its own, because it pulls opencv-python-headless:
         python -m venv oracle
         oracle/bin/pip install torch torchvision opencv-python scikit-image safetensors
         oracle/bin/pip install --no-deps grad-cam ttach
         oracle/bin/pip install scikit-learn matplotlib tqdm
         oracle/bin/python tests/vectors/make_oracle.py
Out: tests/vectors/gradcam_oracle.json: for each network, explainer and class the map at the layer's own size, and the
     versions that made it.

Weights and pictures are drawn anew from a seed by both sides, so only the maps are stored. A map is what the library
has before it normalises and enlarges, ReLU(get_cam_image(...)), divided by its maximum; the library subtracts the
minimum, too, which would paint the least used cell as unused. densenet121 is left out: its in-place ReLU overwrites
the activation that the library keeps, so that the map is of another layer's values.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FILE = Path(__file__).with_name("gradcam_oracle.json")
CLASSES = 7
EXPLAINED = 2  # classes of each network, those of its highest logits
SIDES = {  # network: pixels a side of its picture
    "small_resnet18_w32": 48,
    "face_emotion_cnn": 48,
    "deep_emotion": 48,
    "resnet18": 128,
    "mobilenet_v3_small": 128,
}


def seeded(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """`network` in eval mode with weights that depend on the seed and on the names of its tensors only.

    Weights are N(0, 2 / fan_in); gains, biases and running statistics lie near 1 and 0 but not at them. A last layer
    of such weights gives gradients of the size that a trained one has. NumPy draws: its streams do not change between
    versions of torch.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for name, tensor in sorted(network.state_dict().items()):
        if tensor.dim() > 1:
            values = rng.standard_normal(tensor.shape) * np.sqrt(2 / tensor[0].numel())
        elif name.endswith(("weight", "running_var")):
            values = rng.uniform(0.5, 1.5, tensor.shape)
        elif tensor.is_floating_point():
            values = rng.normal(0, 0.1, tensor.shape)
        else:
            values = tensor.numpy()  # how many batches were seen
        weights[name] = torch.from_numpy(np.asarray(values)).to(tensor.dtype)
    network.load_state_dict(weights)
    return network.eval()


def picture(channels: int, side: int, *, seed: int = 0) -> Tensor:
    """(1, channels, side, side) float32: soft shapes, as a standardised face has them."""
    coarse = np.random.default_rng(seed).standard_normal((1, channels, 8, 8)).astype(np.float32)
    return nn.functional.interpolate(torch.from_numpy(coarse), (side, side), mode="bicubic", align_corners=False)


def oracle_maps(name: str) -> dict:
    """`classes`, and by explainer a map (h, w) for each, its highest cell at 1, of the seeded network `name`."""
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from models.spec import find_spec

    spec = find_spec(name)
    network, x = seeded(spec.build(CLASSES)), picture(spec.preprocess.channels, SIDES[name])
    layer = network.get_submodule(spec.explain_layer)
    classes = network(x)[0].topk(EXPLAINED).indices.tolist()
    maps: dict[str, list] = {"classes": classes}
    for method, explainer in (("gradcam", GradCAM), ("gradcam++", GradCAMPlusPlus), ("hirescam", HiResCAM)):
        maps[method] = []
        for index in classes:
            targets = [ClassifierOutputTarget(index)]
            with explainer(model=network, target_layers=[layer]) as cam:
                cam(input_tensor=x, targets=targets)
                seen = (cam.activations_and_grads.activations[0], cam.activations_and_grads.gradients[0])
                raw = cam.get_cam_image(x, layer, targets, *(t.numpy() for t in seen), eigen_smooth=False)[0]
            heat = np.maximum(raw, 0)
            assert heat.max() > 0, f"{name}'s {method} of class {index} is zero everywhere and would compare nothing"
            maps[method].append((heat / heat.max()).astype(np.float64).round(6).tolist())
    return maps


def main() -> None:
    """Make every map and write the file."""
    sys.path.insert(0, str(FILE.parents[2]))
    torch.set_num_threads(1)
    packages = ("grad-cam", "torch", "torchvision", "numpy")
    oracle = {
        "made_by": "python tests/vectors/make_oracle.py",
        "versions": {package: version(package) for package in packages},
        "maps": {name: oracle_maps(name) for name in SIDES},
    }
    FILE.write_text(json.dumps(oracle, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
