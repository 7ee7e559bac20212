"""Does a network of your own memorize data of your own? Register the one, write the other, train."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

import shatterlab as sl
from shatterlab.models import MODELS, Model

torch.set_num_threads(1)  # networks this small are fastest on one core


def small(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A module from images (batch, channels, height, width) to logits (batch, classes)."""
    height, width, channels = shape
    seen = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(seen, nn.Linear(4 * height * width, 128), nn.ReLU(), nn.Linear(128, classes))


MODELS["small"] = Model("one convolution", lambda *of: sum(p.numel() for p in small(*of).parameters()), small)

rng = np.random.default_rng(0)
labels = rng.integers(2, size=600)  # 0 upright stripes, 1 flat ones, both under noise
stripes = np.where(labels[:, None, None] == 0, np.arange(12) % 4 < 2, np.arange(12)[:, None] % 4 < 2)
images = (80 * stripes + rng.integers(176, size=stripes.shape)).astype(np.uint8)

with TemporaryDirectory() as folder:
    path = Path(folder) / "stripes.npz"
    np.savez(path, x_train=images[:400], y_train=labels[:400], x_test=images[400:], y_test=labels[400:])
    for condition in ("true-labels", "random-labels"):
        spec = sl.make_spec(
            model="small", data=f"npz:{path}", corruption=condition, epochs=100, batch_size=16, stop="fit", seed=0
        )
        last = (result := sl.run(spec, sl.Store(folder))).last
        print(f"{condition:13} n = {result.n}, seed 0: train {last.train_accuracy:.1%}, test {last.test_accuracy:.1%}")
