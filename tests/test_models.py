"""The networks: exact parameter counts, any image shape, what local response and batch normalization compute."""

import pytest
import torch
import torch.nn.functional as F
from helpers import MODEL_NAMES, PAPER_PARAMETERS

from shatterlab import ShatterlabError, build
from shatterlab.models import lookup
from shatterlab.models.alexnet import LocalResponseNorm
from shatterlab.models.inception import BatchNorm

SHAPES = [(28, 28, 3), (8, 8, 1), (13, 9, 2)]


@pytest.mark.parametrize(("name", "count"), PAPER_PARAMETERS.items())
def test_parameters_are_the_papers_to_the_last_one(name: str, count: int) -> None:
    assert lookup(name).parameters((28, 28, 3), 10) == count
    assert sum(p.numel() for p in build(name, (28, 28, 3), 10).parameters() if p.requires_grad) == count


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 7])
def test_any_image_shape_and_number_of_classes_fits(name: str, shape: tuple[int, int, int], classes: int) -> None:
    model = build(name, shape, classes)
    height, width, channels = shape
    assert model(torch.randn(3, channels, height, width)).shape == (3, classes)
    assert sum(p.numel() for p in model.parameters()) == lookup(name).parameters(shape, classes)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    first, again, other = (build(name, (8, 8, 1), 3, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = build(name, (8, 8, 1), 3)
    F.cross_entropy(model(torch.randn(16, 1, 8, 8)), torch.arange(16) % 3).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_order_of_images_in_memory_does_not_matter(name: str) -> None:
    model = build(name, (28, 28, 3), 10).eval()
    images = torch.randn(4, 3, 28, 28)
    torch.testing.assert_close(model(images), model(images.to(memory_format=torch.channels_last)), rtol=1e-4, atol=1e-4)


def test_local_response_normalization_equals_torchs() -> None:
    images = torch.randn(2, 16, 5, 5, dtype=torch.float32) * 30
    # torch divides alpha by the number of neighbours, TensorFlow does not.
    expected = F.local_response_norm(images, size=9, alpha=0.001, beta=0.75, k=1.0)
    torch.testing.assert_close(LocalResponseNorm(16)(images), expected, rtol=1e-5, atol=1e-5)


def test_batch_normalization_equals_torchs_without_a_scale() -> None:
    ours, torchs = BatchNorm(6), torch.nn.BatchNorm2d(6)
    with torch.no_grad():
        ours.offset.copy_(torch.randn(6))
        torchs.bias.copy_(ours.offset)
    for _ in range(3):
        images = torch.randn(8, 6, 4, 4) * 2 + 1
        torch.testing.assert_close(ours(images), torchs(images))
    ours.eval(), torchs.eval()
    torch.testing.assert_close(ours(images), torchs(images))


def test_batch_normalization_learns_no_scale_and_keeps_none() -> None:
    layer = BatchNorm(6)
    assert [name for name, _ in layer.named_parameters()] == ["offset"]
    assert set(layer.state_dict()) == {"offset", "running_mean", "running_variance"}
    assert torch.equal(layer.scale, torch.ones(6))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batch_normalization_has_a_gradient_on_a_gpu() -> None:
    layer = BatchNorm(6).cuda()
    layer(torch.randn(8, 6, 4, 4, device="cuda")).sum().backward()
    assert layer.offset.grad is not None
    assert layer.offset.grad.shape == (6,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alexnot", "unknown model 'alexnot'; did you mean 'alexnet'?"),
        ("mlp-0x512", "mlp-0x512 has no hidden units; write mlp-LxW with L and W at least 1."),
    ],
)
def test_a_wrong_name_says_what_to_write(name: str, message: str) -> None:
    with pytest.raises(ShatterlabError) as error:
        lookup(name)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_signals_neither_vanish_nor_explode_at_the_start(name: str) -> None:
    model = build(name, (28, 28, 3), 10).eval()
    with torch.no_grad():
        outputs = model(torch.randn(64, 3, 28, 28))
    assert 0.01 < outputs.std() < 10


def test_centred_weights_sum_to_zero_in_each_unit_behind_a_relu() -> None:
    convolutions = [m for m in build("inception-no-bn", (28, 28, 3), 10).modules() if isinstance(m, torch.nn.Conv2d)]
    for layer in convolutions[1:]:
        assert layer.weight.sum((1, 2, 3)).abs().max() < 1e-4


@pytest.mark.parametrize(("side", "count"), [(299, 27_161_264), (298, 23_834_568), (75, 23_834_568)])
def test_inception_v3_has_its_published_size_and_the_auxiliary_classifier_from_299_pixels(
    side: int, count: int
) -> None:
    shape = (side, side, 3)
    with torch.device("meta"):
        model = lookup("inception-v3").module(shape, 1_000)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert lookup("inception-v3").parameters(shape, 1_000) == count


def test_inception_v3_speaks_twice_in_training_at_299_pixels_and_once_elsewhere() -> None:
    with torch.device("meta"):
        large, small = (lookup("inception-v3").module((side, side, 3), 7) for side in (299, 75))
        both = large(torch.empty(2, 3, 299, 299))
        alone = [large.eval()(torch.empty(2, 3, 299, 299)), small(torch.empty(2, 3, 75, 75))]
    assert [tuple(part.shape) for part in both] == [(2, 7), (2, 7)]
    assert [tuple(logits.shape) for logits in alone] == [(2, 7), (2, 7)]


def test_images_that_are_too_small_for_a_model_are_refused_with_what_to_do() -> None:
    with pytest.raises(ShatterlabError, match=r"inception-v3 needs images of at least 75 x 75 .* folder:PATH\?side=75"):
        build("inception-v3", (28, 28, 3), 10)
