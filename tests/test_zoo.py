"""The lecture's list: parameters counted without memory, against hand counts, published ones and built networks."""

import sys
from collections import Counter

import pytest
import torch

from shatterlab import ShatterlabError
from shatterlab.models.densenet import DenseNet
from shatterlab.models.googlenet import GoogLeNet
from shatterlab.models.lenet import LeNet5
from shatterlab.models.own import own_model
from shatterlab.models.zoo import NETWORKS, count
from shatterlab.paper import ZOO
from shatterlab.studies import Tables, overparameterization

# LeNet-5: LeCun et al. (1998), section II.B. DenseNet-BC: Huang et al. (2017), table 2. The others: torchvision's
# documentation, less the auxiliary classifiers.
PUBLISHED = {
    "LeNet-5": 60_000,
    "AlexNet": 61_100_840,
    "VGG-16": 138_357_544,
    "GoogLeNet V1": 6_624_904,
    "Inception V3": 23_834_568,
    "ResNet-50": 25_557_032,
    "DenseNet-BC-190 (k = 40)": 25_624_430,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str) -> None:
    assert count(name) == PUBLISHED[name]


def test_every_network_of_the_lecture_is_there() -> None:
    assert {entry.name for entry in ZOO} < set(NETWORKS) == set(overparameterization.STATED)


def test_a_densenet_counted_by_hand() -> None:
    """Bottlenecks and no compression: norms, 1 x 1 to 4k, norm, 3 x 3 to k in each layer."""
    growth, channels = 40, 16
    total = 27 * channels
    for block in range(3):
        for _ in range(31):
            total += 2 * channels + channels * 4 * growth + 2 * 4 * growth + 9 * 4 * growth * growth
            channels += growth
        if block < 2:
            total += 2 * channels + channels * channels
    total += 2 * channels + 10 * channels + 10
    assert count("DenseNet-190 (k = 40)") == total == 41_209_386


def test_our_own_networks_compute() -> None:
    assert LeNet5()(torch.randn(2, 1, 32, 32)).shape == (2, 10)
    assert DenseNet(16, 4, 0.5)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_lenets_third_layer_sees_what_its_paper_says() -> None:
    """1,516 numbers: six maps see 3 maps, nine see 4, one sees all 6."""
    assert sum(p.numel() for p in LeNet5().c3.parameters()) == 1_516


def test_counting_allocates_nothing() -> None:
    with torch.device("meta"):
        assert all(p.is_meta for p in NETWORKS["VGG-16"]().parameters())


TORCHVISION = {
    "AlexNet": ("alexnet", {}, 224),
    "VGG-16": ("vgg16", {}, 224),
    "GoogLeNet V1": ("googlenet", {"aux_logits": False, "init_weights": False}, 224),
    "Inception V3": ("inception_v3", {"aux_logits": False, "init_weights": False}, 299),
    "ResNet-50": ("resnet50", {}, 224),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_network_has_as_many_weights_of_each_shape_as_torchvisions(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    function, options, _ = TORCHVISION[name]
    with torch.device("meta"):
        theirs, ours = getattr(models, function)(weights=None, **options), NETWORKS[name]()
    assert Counter(p.shape for p in ours.parameters()) == Counter(p.shape for p in theirs.parameters())


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_network_computes_a_thousand_logits_of_each_image(name: str) -> None:
    side = TORCHVISION[name][2]
    with torch.device("meta"):
        assert NETWORKS[name]()(torch.empty(2, 3, side, side)).shape == (2, 1_000)


def test_googlenet_computes_what_torchvisions_computes_with_its_weights() -> None:
    models = pytest.importorskip("torchvision.models")
    theirs = models.googlenet(weights=None, aux_logits=False, init_weights=False, num_classes=7).eval()
    ours = GoogLeNet(classes=7).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("torchvision"), "torchvision is not installed; install the two as one build"),
        (RuntimeError("operator torchvision::nms does not exist"), "torchvision's compiled operators do not load"),
    ],
)
def test_a_torchvision_that_is_absent_or_of_another_build_is_said_so(
    error: Exception, message: str, monkeypatch
) -> None:
    class Refuses:
        def find_spec(self, name, path=None, target=None):
            if name.startswith("torchvision"):
                raise error

    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    with pytest.raises(ShatterlabError) as raised:
        own_model("torchvision.models:resnet18")
    assert str(raised.value).startswith(message)
    assert len(overparameterization.count_all()) == 8  # which needs no torchvision


def test_the_verdict_names_the_counts_that_disagree() -> None:
    verdict = overparameterization.verdict(Tables(None, None, overparameterization.count_all()))  # type: ignore[arg-type]
    assert verdict[0] == (
        "Of 8 networks counted, 6 have 10 or more parameters for each image of their own training set; the fewest for "
        "each image has LeNet-5, 1.00 on MNIST; 8 have more parameters than CIFAR-10 has images; 7 have more parameters "
        "than ImageNet has images."
    )
    assert verdict[1] == "More than 10 % off the stated figure: GoogLeNet V1 has 6,624,904, stated as 5 million."
    lines = {line["network"]: line for line in overparameterization.table(
        Tables(None, None, overparameterization.count_all()))}  # type: ignore[arg-type]  # fmt: skip
    assert lines["VGG-16"]["per CIFAR-10 image"] == "2,767"
    assert lines["VGG-16"]["per ImageNet image"] == "108"
