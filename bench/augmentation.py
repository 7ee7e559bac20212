"""Claim: no augmentation takes more than 15 % of a training step, for any network that the paper augments.

Each dial alone and all together, against a plain step (forward, backward, update) of each network in the
same process; batch 128 of CIFAR-10, crop 28. Medians, as a shared machine's clock moves. The peer is
torchvision's transforms on the same batch, which draw one factor for a whole batch instead of one an image.

    python bench/augmentation.py
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from shatterlab import build, make_spec
from shatterlab.data import load
from shatterlab.machine import processor
from shatterlab.spec import Spec
from shatterlab.training import Batch, MomentumSGD, learner_for
from shatterlab.training.allocator import keep_freed_memory
from shatterlab.training.augment import augment, draw

BATCH = 128
ROUNDS = 40
GOAL = 0.15
COLOURS = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
DIALS: dict[str, dict[str, float | bool]] = {
    "random crop": {"random_crop": True},
    "flip": {"flip": 0.5},
    "rotation": {"rotation": 25},
    **{name: {name: most} for name, most in COLOURS.items()},
    "flip + rotation (table 4)": {"flip": 0.5, "rotation": 25},
    "all": {"random_crop": True, "flip": 0.5, "rotation": 25, **COLOURS},
}
MODELS = ("mlp-1x512", "mlp-3x512", "alexnet", "inception", "inception-no-bn")


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of `rounds` calls after five that warm up."""
    taken = []
    for _ in range(5 + rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1e3 * float(np.median(taken[5:]))


def step(name: str) -> float:
    """A plain training step."""
    model = build(name, (28, 28, 3), 10)
    stack = learner_for([model], [MomentumSGD(model.parameters(), 0.9, 0.0)])
    labels = (torch.arange(BATCH) % 10)[None]
    batch = Batch(torch.randn(1, BATCH, 28, 28, 3), labels, torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    return milliseconds(lambda: stack.step(batch), 10 if name.startswith("inception") else ROUNDS)


def ours(spec: Spec, stored: torch.Tensor) -> float:
    """What augmenting adds to a step: gathering, changing and whitening a batch less gathering it as it is."""
    changes = draw(spec, BATCH, (32, 32, 3), 1, stored.device)
    seen = torch.randn(len(stored), 28, 28, 3)
    order = torch.randperm(len(stored))[:BATCH]
    changed = milliseconds(lambda: augment(stored.index_select(0, order), changes, spec))
    return changed - milliseconds(lambda: seen.index_select(0, order))


def torchvisions(name: str, stored: torch.Tensor) -> str:
    """The same dial from torchvision, on the whole batch; without its operators, a dash."""
    try:
        from torchvision.transforms import v2
    except (ImportError, RuntimeError):
        return "—"
    colours: dict[str, float] = {key: most for key, most in COLOURS.items() if name in (key, "all")}
    chain = {
        "random crop": [v2.RandomCrop(28)],
        "flip": [v2.RandomHorizontalFlip()],
        "rotation": [v2.RandomRotation(25, v2.InterpolationMode.BILINEAR)],
    }
    picked = [change for key, changes in chain.items() if key in name or name == "all" for change in changes]
    transform = v2.Compose([*picked, *([v2.ColorJitter(**colours)] if colours else [])])
    images = stored[:BATCH].permute(0, 3, 1, 2).float() / 255
    return f"{milliseconds(lambda: transform(images)):.2f}"


def main() -> None:
    keep_freed_memory()
    print(f"{processor()}; torch {torch.__version__}, {torch.get_num_threads()} threads; batch {BATCH}, CIFAR-10")
    print(f"milliseconds a batch, and as a share of a plain training step; goal: at most {GOAL:.0%}\n")
    stored = torch.from_numpy(load("cifar10").train.inputs[:5_000].copy())
    steps = {name: step(name) for name in MODELS}
    print(f"{'':<28}{'ms':>7}" + "".join(f"{name:>17}" for name in MODELS) + f"{'torchvision ms':>17}")
    print(f"{'plain step, ms':<35}" + "".join(f"{steps[name]:>17.1f}" for name in MODELS))
    for name, dials in DIALS.items():
        added = ours(make_spec(data="cifar10", **dials), stored)
        shares = "".join(f"{added / steps[model]:>17.1%}" for model in MODELS)
        print(f"{name:<28}{added:>7.2f}{shares}{torchvisions(name, stored):>17}")


if __name__ == "__main__":
    main()
