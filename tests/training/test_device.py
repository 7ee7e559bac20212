"""The code that a GPU runs, tested without one.

The steps of an epoch run on torch's `meta` device, where tensors have shapes and no values: to ask for a value is an
error there, and a copy between it and the processor stands for one between GPU and host. Recordings are replaced by
a stand-in that, like a CUDA graph, always works on the same memory.
"""

import pytest
import torch
from helpers import MODEL_NAMES, noise_data
from torch.utils._python_dispatch import TorchDispatchMode

from shatterlab import ShatterlabError, build, make_spec, run
from shatterlab.engines import estimate
from shatterlab.spec import AUGMENTATIONS
from shatterlab.training import Batch, MomentumSGD, learner
from shatterlab.training.learner import Learner
from shatterlab.training.loop import _rates, _sets, _steps, train_together
from shatterlab.training.precision import arithmetic
from shatterlab.training.recorded import WARM_UP, Recorded, Step


def stacked(model: str, runs: int, device: str = "cpu", **dials) -> tuple[list, list, Learner]:
    specs = [
        make_spec(**{"model": model, "data": "noise", "batch_size": 8, "epochs": 2, "learning_rate": 0.004,
                     "seed": seed} | dials)
        for seed in range(runs)
    ]  # fmt: skip
    data = [noise_data(n=20, n_test=6)] * runs
    side = specs[0].crop or 8
    models = [build(model, (side, side, 3), 4, spec.seed, dropout=spec.dropout).to(device) for spec in specs]
    optimizers = [MomentumSGD(m.parameters(), 0.9, spec.weight_decay) for m, spec in zip(models, specs, strict=True)]
    return specs, data, learner(models, optimizers, bf16=specs[0].precision == "bf16")


FUSED_UPDATE = torch.ops.aten._fused_sgd_.tensor_lr


class Traffic(TorchDispatchMode):
    """Notes what passes between the host and the device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # The fused update has no kernel for `meta`; it changes its operands in place and returns nothing.
        made = None if function is FUSED_UPDATE else function(*args, **(kwargs or {}))
        tensors = [part for part in torch.utils._pytree.tree_leaves((args, kwargs, made)) if torch.is_tensor(part)]
        if len({tensor.device.type for tensor in tensors}) > 1:
            self.seen.append(str(function))
        return made


def traffic_of_an_epoch(model: str, runs: int, **dials) -> list[str]:
    specs, data, stack = stacked(model, runs, "meta", **dials)
    sets = _sets(specs[0], data, torch.device("meta"))
    with Traffic() as traffic:
        logits, labels = _steps(specs, sets, stack, 1, torch.tensor(_rates(specs, 20, 1)))
    assert logits.shape == (runs, 20, 4)
    assert labels.device.type == "meta"
    return traffic.seen


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_no_step_of_an_epoch_waits_for_the_host(model: str, runs: int) -> None:
    """Order and learning rates go to the device before the first of the three steps, and nothing comes back."""
    assert traffic_of_an_epoch(model, runs, weight_decay=0.01) == ["aten._to_copy.default"] * 2


@pytest.mark.parametrize("dial", ["random_crop", *AUGMENTATIONS])
def test_augmentation_does_not_wait_for_the_host(dial: str) -> None:
    dials = {"random_crop": {"random_crop": True, "crop": 6}, "rotation": {"rotation": 25.0}}.get(dial, {dial: 0.3})
    draws = {"random_crop": 2}.get(dial, 1)  # go to the device once an epoch and run
    assert traffic_of_an_epoch("mlp-1x16", 2, **dials) == ["aten._to_copy.default"] * (2 + 2 * draws)


@pytest.mark.parametrize("model", ["mlp-2x16", "alexnet"])
def test_dropout_does_not_wait_for_the_host(model: str) -> None:
    assert traffic_of_an_epoch(model, 2, dropout=0.5) == ["aten._to_copy.default"] * 3


def test_a_step_that_asks_the_host_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        torch.ones(3, device="meta").sum().item()
    with Traffic() as traffic:
        torch.tensor([1.0, 2.0], device="meta") * torch.ones(2).to("meta")
    assert traffic.seen


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_a_step_changes_stays_where_it_is(model: str, runs: int, dropout: float) -> None:
    """A recording works on the memory that it was made on."""
    _, _, stack = stacked(model, runs, dropout=dropout)

    def places() -> list[int]:
        state = stack.model.parameters() if hasattr(stack, "optimizer") else stack.parameters
        velocities = stack.optimizer.velocities if hasattr(stack, "optimizer") else stack.velocities
        buffers = stack.model.buffers() if hasattr(stack, "optimizer") else getattr(stack, "buffers", {}).values()
        return [tensor.data_ptr() for tensor in (*state, *velocities, *buffers)]

    torch.manual_seed(0)
    batch = Batch(
        torch.randn(runs, 8, 8, 8, 3), torch.randint(4, (runs, 8)), torch.full((runs,), 0.01), torch.arange(runs)
    )
    before = places()
    for _ in range(2):
        stack.step(batch)
    assert places() == before


def warm(step: Step, batch: Batch) -> torch.Tensor:
    return step(batch)


def record(step: Step, batch: Batch) -> Step:
    """As a CUDA graph: nothing runs while recording, and every replay reads and writes the same memory."""
    still = Batch(*(part.clone() for part in batch))
    logits: list[torch.Tensor] = []

    def replay(given: Batch) -> torch.Tensor:
        for part, new in zip(still, given, strict=True):
            part.copy_(new)
        made = step(still)
        if not logits:
            logits.append(torch.empty_like(made))
        return logits[0].copy_(made).clone()

    return replay


def rows_of(specs, data, stack) -> list:
    ends = []
    for rows in train_together(specs, data, stack):
        ends.append({i: row.model_dump(exclude={"seconds", "evaluation_seconds"}) for i, row in rows.items()})
    return ends


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_recorded_steps_train_as_steps_do(model: str, runs: int) -> None:
    dials = {"epochs": 4, "dropout": 0.25}
    specs, data, stack = stacked(model, runs, **dials)
    _, _, other = stacked(model, runs, **dials)
    recorded = Recorded(other, warm, record)
    assert rows_of(specs, data, recorded) == rows_of(specs, data, stack)
    assert sorted(recorded.recordings) == [4, 8]  # the last batch of an epoch is smaller


def test_recordings_are_made_anew_when_a_run_leaves_the_stack() -> None:
    dials = {"model": "mlp-1x32", "epochs": 150, "learning_rate": 0.05, "stop": "fit"}
    specs, data, stack = stacked(runs=3, **dials)
    specs[1] = specs[1].model_copy(update={"learning_rate": 0.01})
    made: list[int] = []

    def noting(step: Step, batch: Batch) -> Step:
        made.append(len(batch.rates))
        return record(step, batch)

    _, _, other = stacked(runs=3, **dials)
    assert rows_of(specs, data, Recorded(other, warm, noting)) == rows_of(specs, data, stack)
    assert made[:2] == [3, 3]
    assert min(made) < 3


def test_a_model_that_cannot_be_recorded_goes_on_without() -> None:
    specs, data, stack = stacked("mlp-1x16", 1, epochs=4)
    _, _, other = stacked("mlp-1x16", 1, epochs=4)
    tries: list[int] = []

    def refuse(step: Step, batch: Batch) -> Step:
        tries.append(batch.labels.shape[1])
        raise RuntimeError("operation not permitted when stream is capturing")

    assert rows_of(specs, data, Recorded(other, warm, refuse)) == rows_of(specs, data, stack)
    assert tries == [8, 4]
    assert WARM_UP > 0


def test_only_tf32_rounds_float32_on_a_gpu_and_the_setting_is_put_back() -> None:
    def now() -> tuple[str, str, bool]:
        backends = torch.backends
        return backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision, backends.cudnn.benchmark

    before = now()
    for precision, wanted in (("float32", "ieee"), ("bf16", "ieee"), ("tf32", "tf32")):
        with arithmetic(precision):
            assert now() == (wanted, wanted, True)
        assert now() == before


def test_tf32_on_the_processor_is_refused_with_the_way_out(tmp_path) -> None:
    from shatterlab import Store

    spec = make_spec(model="mlp-1x16", data="digits", precision="tf32", epochs=1)
    with pytest.raises(ShatterlabError, match="tf32 needs a CUDA device; on the CPU use --precision float32 or bf16"):
        run(spec, Store(tmp_path), device="cpu")


def test_the_memory_of_a_gpu_bounds_a_stack(monkeypatch) -> None:
    small = [make_spec(data="digits", model="mlp-1x16", n=60, batch_size=16, seed=seed) for seed in range(8)]
    monkeypatch.setattr(estimate, "_memory_of_run", lambda *_: (1e6, 1e9))
    monkeypatch.setattr(estimate, "_memory_of_gpu", lambda device: 2.5e9)
    assert max(len(unit) for unit in estimate.stacks(small, threads=1)) <= 2
