"""Training against independent routes: torch's own optimizer, a plain loop, formulas by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import MODEL_NAMES, noise_data, trained

from shatterlab import ShatterlabError, build, load, make_spec
from shatterlab.data import Data, subset
from shatterlab.seeds import stream
from shatterlab.training import MomentumSGD, evaluation_interval, learner_for
from shatterlab.training.augment import augment, draw
from shatterlab.training.loop import EVALUATION_SHARE, learning_rate
from shatterlab.training.preprocess import preprocess, whiten
from shatterlab.training.sets import Prepared


def rows_of(spec, data: Data, model=None):
    model = model or build(spec.model, data.train.shape, data.train.classes, spec.seed)
    return list(trained(spec, data, model, MomentumSGD(model.parameters(), spec.momentum, spec.weight_decay)))


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_a_step_equals_torchs_sgd(weight_decay: float) -> None:
    ours, theirs = (torch.nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    optimizer = MomentumSGD(ours.parameters(), 0.9, weight_decay)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=weight_decay)
    for step in range(5):
        images, labels = torch.randn(8, 5), torch.arange(8) % 3
        for model, clear in ((ours, optimizer.zero_grad), (theirs, reference.zero_grad)):
            clear()
            F.cross_entropy(model(images), labels).backward()
        reference.param_groups[0]["lr"] = 0.1 * 0.9**step
        optimizer.step(0.1 * 0.9**step)
        reference.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize("model_name", MODEL_NAMES)
def test_the_loop_equals_a_plain_one(model_name: str) -> None:
    # In float64: in float32 the rounding of a pre-activation near zero may open or close a ReLU.
    data = noise_data(n=24, n_test=10)
    spec = make_spec(model=model_name, data="noise", batch_size=10, epochs=2, decay_every=12, learning_rate=0.01)
    plain = build(model_name, (8, 8, 3), 4, 0).double().to(memory_format=torch.channels_last)
    reference = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)
    images = whiten(torch.from_numpy(data.train.inputs.copy()).float() / 255).permute(0, 3, 1, 2).double()
    labels = torch.from_numpy(data.train.labels.copy())
    seen = 0
    for epoch in (1, 2):
        losses = []
        for batch in torch.from_numpy(stream(0, "order", epoch).permutation(24)).split(10):
            reference.param_groups[0]["lr"] = 0.01 * 0.95 ** (seen // 12)
            loss = F.cross_entropy(plain(images[batch]), labels[batch])
            reference.zero_grad()
            loss.backward()
            reference.step()
            losses.append(loss.item() * len(batch))
            seen += len(batch)
    row = rows_of(spec, data, build(model_name, (8, 8, 3), 4, 0).double())[-1]
    assert row.online_loss == pytest.approx(sum(losses) / 24, rel=1e-6)  # the rates are float32
    means = [total / size for total, size in zip(losses, (10, 10, 4), strict=True)]
    assert row.online_losses == pytest.approx(means, rel=6e-6)  # six significant digits
    plain.eval()
    with torch.no_grad():
        assert row.train_loss == pytest.approx(F.cross_entropy(plain(images), labels).item(), rel=1e-6)
    assert row.step == 6


def test_the_rate_decays_after_each_epoch_of_the_papers_set_and_by_images_below() -> None:
    spec = make_spec(model="inception")
    for epoch in range(5):
        rates = {learning_rate(spec, epoch * 50_000 + first) for first in range(0, 50_000, 128)}
        assert rates == {0.1 * 0.95**epoch}
    assert learning_rate(spec, 49 * 1_000) == 0.1


def test_whitening_is_the_papers_formula() -> None:
    images = noise_data().train.inputs
    images[0] = 7  # a constant image must not divide by zero
    seen = preprocess(images, 6, "whiten", torch.device("cpu")).numpy()
    assert seen.shape == (40, 6, 6, 3)
    for image, original in zip(seen, images[:, 1:7, 1:7] / 255.0, strict=True):
        expected = (original - original.mean()) / max(original.std(), 1 / np.sqrt(6 * 6 * 3))
        np.testing.assert_allclose(image, expected, atol=1e-5)


def test_scaling_only_divides() -> None:
    images = noise_data().train.inputs
    np.testing.assert_allclose(preprocess(images, None, "scale", torch.device("cpu")), images / 255.0, atol=1e-7)


def test_a_crop_larger_than_the_image_is_one_sentence() -> None:
    with pytest.raises(ShatterlabError, match="crop=28 is larger than the images of 8 x 8; ask for at most 8"):
        preprocess(noise_data().train.inputs, 28, "whiten", torch.device("cpu"))


def test_evaluation_counts_every_example_once_and_leaves_the_mode() -> None:
    model = build("inception", (8, 8, 3), 4).train()
    data = noise_data(n=1_203, n_test=4)
    part = Prepared([data.train], make_spec(model="inception", data="noise"), torch.device("cpu"))
    ((found, _),) = part.scores(learner_for([model], [MomentumSGD(model.parameters(), 0.9, 0.0)]), [0], "test")
    assert model.training
    with torch.no_grad():
        outputs = model.eval()(part.pool.images.permute(0, 3, 1, 2))
    expected = _loss_and_accuracy(outputs, part.labels[0])
    assert (found["test_loss"], found["test_accuracy"]) == pytest.approx(expected, rel=1e-5)


def _loss_and_accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    loss = -outputs.log_softmax(1)[torch.arange(len(labels)), labels].mean().item()
    return loss, (outputs.argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize(("n", "n_test"), [(50_000, 10_000), (1_000, 10_000), (1_000, 1_000), (10, 10)])
def test_evaluations_cost_at_most_their_share_and_no_interval_is_needlessly_long(n: int, n_test: int) -> None:
    interval = evaluation_interval(make_spec(), n, n_test)
    cost = (n + n_test) / n / 3
    assert cost / (cost + interval) <= EVALUATION_SHARE
    assert interval == 1 or cost / (cost + interval - 1) > EVALUATION_SHARE
    assert evaluation_interval(make_spec(evaluate_every=4), n, n_test) == 4


def test_the_last_epoch_is_evaluated_and_the_others_by_interval() -> None:
    rows = rows_of(make_spec(model="mlp-1x8", data="noise", epochs=5, evaluate_every=2), noise_data())
    assert [row.train_accuracy is not None for row in rows] == [False, True, False, True, True]
    assert [row.test_accuracy is not None for row in rows] == [False, True, False, True, True]


def test_a_small_network_fits_random_labels_and_stops() -> None:
    from shatterlab import corrupt

    data = corrupt(subset(load("digits"), 100, 100, 0), "random-labels", 1.0)
    spec = make_spec(model="mlp-1x128", data="digits", epochs=1_000, batch_size=20, learning_rate=0.05, stop="fit")
    rows = rows_of(spec, data)
    last = rows[-1]
    assert last.fitted
    assert last.epoch < 1_000
    assert last.train_accuracy == last.corrupted_fitted == 1.0
    assert last.test_accuracy is not None
    assert last.test_accuracy < 0.3
    assert not any(row.fitted for row in rows[:-1])


def test_true_labels_have_no_corrupted_share() -> None:
    rows = rows_of(make_spec(model="mlp-1x8", data="noise", epochs=1), noise_data())
    assert rows[-1].corrupted_fitted is None


def test_a_run_that_diverges_says_what_to_lower() -> None:
    with pytest.raises(ShatterlabError, match=r"diverged in epoch \d+ .* lower --learning-rate, now 1e\+10"):
        rows_of(make_spec(model="mlp-2x32", data="noise", epochs=20, learning_rate=1e10), noise_data())


def test_bf16_trains_and_differs() -> None:
    data = noise_data()
    exact, rough = (
        rows_of(make_spec(model="alexnet", data="noise", epochs=2, precision=precision), data)[-1]
        for precision in ("float32", "bf16")
    )
    assert rough.train_loss is not None
    assert exact.train_loss is not None
    assert rough.train_loss != exact.train_loss
    assert rough.train_loss == pytest.approx(exact.train_loss, rel=0.05)


class Witness(torch.nn.Module):
    """A linear model that keeps what it was shown in training."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(inputs, classes)
        self.shown: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.shown.append(images.detach().permute(0, 2, 3, 1).clone())
        return self.layer(images.flatten(1))


def test_the_loop_shows_the_network_augmented_batches_drawn_anew_each_epoch() -> None:
    data = noise_data(n=10, n_test=5)
    spec = make_spec(model="mlp-1x4", data="noise", crop=6, random_crop=True, flip=0.5, hue=0.2, batch_size=4, epochs=2)
    model = Witness(6 * 6 * 3, 4)
    rows_of(spec, data, model)
    stored = torch.from_numpy(data.train.inputs.copy())
    epochs = [torch.cat(model.shown[:3]), torch.cat(model.shown[3:])]
    for epoch, shown in enumerate(epochs, 1):
        order = torch.from_numpy(stream(0, "order", epoch).permutation(10))
        changes = draw(spec, 10, data.train.shape, epoch, torch.device("cpu"))
        torch.testing.assert_close(shown, augment(stored[order], changes, spec))
    back = [epochs[i][torch.from_numpy(np.argsort(stream(0, "order", i + 1).permutation(10)))] for i in (0, 1)]
    assert not torch.allclose(back[0], back[1])


def test_validation_and_test_are_scored_on_their_own_examples() -> None:
    data = noise_data(n=30, n_test=12, seed=1)
    held = Data(data.train, data.test, noise_data(n=20, n_test=1, seed=2).train)
    spec = make_spec(model="mlp-1x8", data="noise", batch_size=10, epochs=1)
    model = build(spec.model, (8, 8, 3), 4, 0)
    row = rows_of(spec, held, model)[-1]
    for part, found in ((held.test, (row.test_loss, row.test_accuracy)),
                        (held.validation, (row.validation_loss, row.validation_accuracy)),
                        (held.train, (row.train_loss, row.train_accuracy))):  # fmt: skip
        seen = preprocess(part.inputs, None, "whiten", torch.device("cpu"))
        with torch.no_grad():
            outputs = model.eval()(seen.permute(0, 3, 1, 2))
        expected = _loss_and_accuracy(outputs, torch.from_numpy(part.labels.copy()))
        assert found == pytest.approx(expected, rel=1e-5)
    assert row.validation_loss != pytest.approx(row.test_loss, rel=1e-3)
