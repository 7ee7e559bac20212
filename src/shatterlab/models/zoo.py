"""The lecture's list of overparameterized networks, counted without allocating a weight.

LeNet-5 and DenseNet-190 are ours; the others are torchvision's, which the optional extra `vision` brings.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ..errors import ShatterlabError
from .densenet import DenseNet
from .lenet import LeNet5


def torchvision_models() -> ModuleType:
    """`torchvision.models`.

    Raises:
        ShatterlabError: torchvision is not installed, or does not load beside the installed torch.
    """
    try:
        from torchvision import models
    except ModuleNotFoundError:
        raise ShatterlabError(
            "torchvision is not installed; run: pip install torchvision, or install shatterlab with its extra 'vision'."
        ) from None
    except (RuntimeError, ImportError, OSError) as error:
        raise ShatterlabError(
            f"torchvision's compiled operators do not load beside torch {torch.__version__} ({error}); install the "
            "two as one build: pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from None
    return models


def _torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: getattr(torchvision_models(), name)(weights=None, **options)


# The names are those of `paper.ZOO`. The lecture does not say which DenseNet-190 it means: with bottlenecks and without
# compression it has 41.2 million weights, near the lecture's 40; with both (DenseNet-BC) the 25.6 million of its own
# paper; with neither some 249 million. GoogLeNet and Inception V3 lack the auxiliary classifiers, which only train.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "LeNet-5": LeNet5,
    "AlexNet": _torchvision("alexnet"),
    "VGG-16": _torchvision("vgg16"),
    "GoogLeNet V1": _torchvision("googlenet", aux_logits=False, init_weights=False),
    "Inception V3": _torchvision("inception_v3", aux_logits=False, init_weights=False),
    "ResNet-50": _torchvision("resnet50"),
    "DenseNet-190 (k = 40)": lambda: DenseNet(compression=1),
    "DenseNet-BC-190 (k = 40)": lambda: DenseNet(compression=0.5),
}


def count(name: str) -> int:
    """Counts the trainable numbers of a network of `NETWORKS` on torch's meta device, where tensors have no memory.

    Raises:
        ShatterlabError: the network is torchvision's, and torchvision cannot be imported.
    """
    with torch.device("meta"):
        network = NETWORKS[name]()
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
