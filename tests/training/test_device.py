"""The code that a GPU runs, tested without one.

The steps of an epoch run on torch's `meta` device, where tensors have shapes and no values: to ask for a value is an
error there, and a copy between it and the processor stands for one between GPU and host. CUDA graphs are
replaced by a stand-in that logs the operators of a step and does them again, on the same memory.
"""

import shutil
import warnings
from contextlib import contextmanager

import pytest
import torch
from helpers import MODEL_NAMES, noise_data
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from shatterlab import ShatterlabError, Store, build, make_spec, run
from shatterlab.engines import estimate
from shatterlab.jobs import Training
from shatterlab.spec import AUGMENTATIONS
from shatterlab.training import Batch, MomentumSGD, learner_for
from shatterlab.training.alone import Alone
from shatterlab.training.captured import WARM_UP, Captured, CUDAGraphs, Step
from shatterlab.training.learner import Learner
from shatterlab.training.loop import _rates, _sets, _steps, train_together
from shatterlab.training.precision import arithmetic, steady_shapes


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
    return specs, data, learner_for(models, optimizers, bf16=specs[0].precision == "bf16")


FUSED_UPDATE = torch.ops.aten._fused_sgd_.tensor_lr


class Traffic(TorchDispatchMode):
    """Notes what passes between the host and the device as tensors."""

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


class NoNumbers(TorchFunctionMode):
    """Refuses to make tensors from Python's numbers and lists, which reach a device by a copy that the host waits for."""

    MAKERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        indices = args[1] if function is torch.Tensor.__getitem__ else ()
        listed = any(isinstance(index, list) for index in (indices if isinstance(indices, tuple) else (indices,)))
        if function in self.MAKERS or listed:
            raise AssertionError(f"{function} copies from the host")
        return function(*args, **(kwargs or {}))


def traffic_of_an_epoch(model: str, runs: int, **dials) -> list[str]:
    specs, data, stack = stacked(model, runs, "meta", **dials)
    sets = _sets(specs[0], data, torch.device("meta"))
    rates = torch.tensor(_rates(specs, 20, 1))
    with Traffic() as traffic, NoNumbers():
        marks = _steps(specs, sets, stack, 1, rates)
    assert marks.predicted.shape == (runs, 20)
    assert marks.losses.device.type == "meta"
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


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x.tolist(),
        lambda x: x.nonzero(),
        lambda x: torch.tensor([1.0, 2.0], device="meta"),
        lambda x: x.new_tensor([1.0]),
        lambda x: x[[0, 2]],
        lambda x: torch.ones(3).to("meta"),
        lambda x: x.copy_(torch.ones(3)),
    ],
)
def test_a_step_that_waits_for_the_host_is_noticed(wait) -> None:
    x = torch.ones(3, device="meta")
    try:
        with Traffic() as traffic, NoNumbers():
            wait(x)
    except (RuntimeError, NotImplementedError, AssertionError):
        return
    assert traffic.seen


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_a_step_changes_stays_where_it_is(model: str, runs: int, dropout: float) -> None:
    """A graph works on the memory that it was captured on."""
    _, _, stack = stacked(model, runs, dropout=dropout)

    def places() -> list[int]:
        if isinstance(stack, Alone):
            state = [*stack.model.parameters(), *stack.model.buffers(), *stack.optimizer.velocities]
        else:
            state = [*stack.parameters, *stack.velocities, *getattr(stack, "buffers", {}).values()]
        return [tensor.data_ptr() for tensor in state]

    torch.manual_seed(0)
    batch = Batch(
        torch.randn(runs, 8, 8, 8, 3), torch.randint(4, (runs, 8)), torch.full((runs,), 0.01), torch.arange(runs)
    )
    before = places()
    for _ in range(2):
        stack.step(batch)
    assert places() == before


class Log(TorchDispatchMode):
    """Keeps what a step did: each operator, with the very tensors it read and made."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, made))
        return made


class Replays:
    """As CUDA graphs: a replay does what was done at the capture, on the same memory, and asks no line of Python."""

    def __init__(self) -> None:
        self.captures: list[tuple[int, int]] = []

    def warm(self, step: Step, batch: Batch) -> torch.Tensor:
        return step(batch)

    def capture(self, step: Step, batch: Batch) -> Step:
        self.captures.append(tuple(batch.labels.shape))
        still = Batch(*(part.clone() for part in batch.tensors))
        with Log() as log:  # unlike a capture this takes the step, which the first replay then leaves out
            logits = step(still)
        taken = [True]

        @torch.no_grad()
        def replay(given: Batch) -> torch.Tensor:
            for part, new in zip(still.tensors, given.tensors, strict=True):
                part.copy_(new)
            if taken:
                taken.clear()
            else:
                for function, args, kwargs, made in log.calls:
                    again = function(*args, **kwargs)
                    for old, new in zip(*map(torch.utils._pytree.tree_leaves, (made, again)), strict=True):
                        if torch.is_tensor(old) and old.data_ptr() != new.data_ptr():
                            old.copy_(new)
            return logits.clone()

        return replay


def rows_of(specs, data, stack) -> list:
    ends = []
    for rows in train_together(specs, data, stack):
        ends.append({i: end.row.model_dump(exclude={"seconds", "evaluation_seconds"}) for i, end in rows.items()})
    return ends


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_captured_steps_train_as_steps_do(model: str, runs: int) -> None:
    dials = {"epochs": WARM_UP + 3, "dropout": 0.25, "weight_decay": 0.01, "decay_every": 12}
    specs, data, stack = stacked(model, runs, **dials)
    _, _, other = stacked(model, runs, **dials)
    graphs = Replays()
    assert rows_of(specs, data, Captured(other, graphs)) == rows_of(specs, data, stack)
    assert sorted(graphs.captures) == [(runs, 4), (runs, 8)]  # the last batch of an epoch is smaller


def test_steps_are_captured_anew_when_a_run_leaves_the_stack() -> None:
    dials = {"model": "mlp-1x32", "epochs": 150, "learning_rate": 0.05, "stop": "fit"}
    specs, data, stack = stacked(runs=3, **dials)
    specs[1] = specs[1].model_copy(update={"learning_rate": 0.01})
    _, _, other = stacked(runs=3, **dials)
    graphs = Replays()
    assert rows_of(specs, data, Captured(other, graphs)) == rows_of(specs, data, stack)
    sizes = [runs for runs, _ in graphs.captures]
    assert sizes[:2] == [3, 3]
    assert min(sizes) < 3


def test_a_step_that_cannot_be_captured_is_taken_as_it_is() -> None:
    class Refuses(Replays):
        def capture(self, step: Step, batch: Batch) -> Step | None:
            self.captures.append(tuple(batch.labels.shape))
            return None

    specs, data, stack = stacked("mlp-1x16", 1, epochs=4)
    _, _, other = stacked("mlp-1x16", 1, epochs=4)
    graphs = Refuses()
    assert rows_of(specs, data, Captured(other, graphs)) == rows_of(specs, data, stack)
    assert len(graphs.captures) == 2  # tried once for each size of batch


@pytest.fixture
def cuda(monkeypatch) -> list[str]:
    """What is asked of `torch.cuda`, by a stand-in that captures by running."""
    asked: list[str] = []

    class Stream:
        def wait_stream(self, other) -> None:
            asked.append("wait")

    class Graph:
        def capture_begin(self, pool) -> None:
            assert current[-1] == "side"
            asked.append("begin")

        def capture_end(self) -> None:
            asked.append("end")

        def replay(self) -> None:
            asked.append("replay")

    current = ["main"]

    @contextmanager
    def stream(_):
        current.append("side")
        try:
            yield
        finally:
            current.pop()

    stand_ins = {
        "Stream": Stream, "current_stream": Stream, "stream": stream, "CUDAGraph": Graph,
        "graph_pool_handle": lambda: (0, 1), "synchronize": lambda: asked.append(f"synchronize on {current[-1]}"),
        "get_sync_debug_mode": lambda: 0, "set_sync_debug_mode": lambda mode: asked.append(f"debug {mode}"),
    }  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return asked


BATCH = Batch(torch.ones(1, 2, 1, 1, 1), torch.zeros(1, 2), torch.ones(1), torch.zeros(1))


def test_a_graph_reads_each_batch_where_the_first_one_was(cuda: list[str]) -> None:
    graphs = CUDAGraphs()
    seen: list[Batch] = []

    def step(batch: Batch) -> torch.Tensor:
        seen.append(batch)
        return batch.images.sum(0)

    assert graphs.warm(step, BATCH).sum() == 2
    assert cuda == ["wait", "debug warn", "debug 0", "wait"]
    replay = graphs.capture(step, BATCH)
    assert replay is not None
    assert cuda[4:] == ["synchronize on main", "begin", "end"]
    replay(BATCH._replace(images=5 * BATCH.images))
    assert seen[1].images.unique().tolist() == [5]  # the memory of the capture, not of the batch given
    assert BATCH.images.unique().tolist() == [1]
    assert cuda[-1] == "replay"


def test_a_step_that_waits_for_the_host_is_not_captured(cuda: list[str]) -> None:
    graphs = CUDAGraphs()

    def step(batch: Batch) -> torch.Tensor:
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        return batch.images

    graphs.warm(step, BATCH)
    with pytest.warns(UserWarning, match="trained without CUDA graphs, as its step waits for the host"):
        assert graphs.capture(step, BATCH) is None
    assert "begin" not in cuda


def test_a_capture_that_fails_leaves_the_main_stream_and_is_told(cuda: list[str]) -> None:
    graphs = CUDAGraphs()

    def step(batch: Batch) -> torch.Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.warns(UserWarning, match=r"cannot be captured \(operation not permitted when stream is capturing\)"):
        assert graphs.capture(step, BATCH) is None
    assert cuda[-1] == "end"
    torch.cuda.synchronize()
    assert cuda[-1] == "synchronize on main"


def test_only_tf32_rounds_float32_on_a_gpu_and_the_settings_are_put_back() -> None:
    def now() -> tuple[str, bool, bool, bool]:
        backends = torch.backends
        return (
            torch.get_float32_matmul_precision(), backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32,
            backends.cudnn.benchmark,
        )  # fmt: skip

    before = now()
    for precision, rounds in (("float32", False), ("bf16", False), ("tf32", True)):
        with arithmetic(precision), steady_shapes():
            assert now() == ("high" if rounds else "highest", rounds, rounds, True)
        assert now() == before


def test_tf32_on_the_processor_is_refused_but_what_is_done_is_handed_over(tmp_path) -> None:
    store = Store(tmp_path)
    spec = make_spec(model="mlp-1x16", data="digits", precision="tf32", epochs=1, n=50)
    with pytest.raises(ShatterlabError, match="tf32 needs a CUDA device; on the CPU use --precision float32 or bf16"):
        run(spec, store, device="cpu")
    done = run(spec.model_copy(update={"precision": "float32"}), store, device="cpu")
    assert not store.folder(spec).exists()
    shutil.copytree(store.folder(done.spec), store.folder(spec), ignore=shutil.ignore_patterns("*.json"))
    store.finish([done.model_copy(update={"spec": spec})], [{}])  # as if copied from a machine with a GPU
    assert run(spec, store, device="cpu").spec == spec


def test_the_memory_of_a_gpu_bounds_a_stack(monkeypatch) -> None:
    specs = [make_spec(data="digits", model="mlp-1x16", n=60, batch_size=16, seed=seed) for seed in range(8)]
    small = [Training(spec) for spec in specs]
    monkeypatch.setattr(estimate, "_memory_of_run", lambda *_: (1e6, 1e9))
    for free, most in ((float("inf"), 8), (2.5e9 / estimate.GPU_MEMORY_SHARE, 2)):
        monkeypatch.setattr(estimate, "_memory_of_gpu", lambda device, free=free: free)
        monkeypatch.setattr(estimate, "_timed", lambda job, runs, *_: estimate.Timed(1e-3 * runs**0.5, 0, 0, 0, 0))
        assert max(len(unit) for unit in estimate.stacks(small, threads=1)) == most
