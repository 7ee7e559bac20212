"""The lecture's list of overparameterized networks, built by us and counted without allocating a weight."""

from collections.abc import Callable

import torch
from torch import nn

from .densenet import DenseNet
from .googlenet import GoogLeNet
from .imagenet_alexnet import ImageNetAlexNet
from .inception_v3 import InceptionV3
from .lenet import LeNet5
from .resnet import ResNet50
from .vgg import VGG16

# The names are those of `paper.ZOO`. The lecture does not say which DenseNet-190 it means: with bottlenecks and without
# compression it has 41.2 million weights, near the lecture's 40; with both (DenseNet-BC) the 25.6 million of its own
# paper; with neither some 249 million. GoogLeNet and Inception V3 lack the auxiliary classifiers, which only train.
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "LeNet-5": LeNet5,
    "AlexNet": ImageNetAlexNet,
    "VGG-16": VGG16,
    "GoogLeNet V1": GoogLeNet,
    "Inception V3": InceptionV3,
    "ResNet-50": ResNet50,
    "DenseNet-190 (k = 40)": lambda: DenseNet(compression=1),
    "DenseNet-BC-190 (k = 40)": lambda: DenseNet(compression=0.5),
}


def count(name: str) -> int:
    """Counts the trainable numbers of a network of `NETWORKS` on torch's meta device, where tensors have no memory."""
    with torch.device("meta"):
        network = NETWORKS[name]()
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
