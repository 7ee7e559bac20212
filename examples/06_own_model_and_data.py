"""Does a network of your own memorize data of your own? Both are arguments."""

from tempfile import TemporaryDirectory

import altair as alt
import numpy as np
import torch
from torch import nn

import shatterlab as sl

torch.set_num_threads(1)  # networks this small are fastest on one core


def small(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A module from images (batch, channels, height, width) to logits (batch, classes)."""
    channels, height, width = shape
    seen = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(seen, nn.Linear(4 * height * width, 128), nn.ReLU(), nn.Linear(128, classes))


rng = np.random.default_rng(0)
labels = rng.integers(2, size=600)  # 0 upright stripes, 1 flat ones, both under noise
stripes = np.where(labels[:, None, None] == 0, np.arange(12) % 4 < 2, np.arange(12)[:, None] % 4 < 2)
images = (80 * stripes + rng.integers(176, size=stripes.shape)).astype(np.uint8)[:, None]  # one channel
data = images[:400], labels[:400], images[400:], labels[400:]

with TemporaryDirectory() as folder:
    for condition in ("true-labels", "random-labels"):
        spec = sl.make_spec(corruption=condition, epochs=100, batch_size=16, stop="fit", seed=0)
        last = (result := sl.run(spec, folder, model=small, data=data)).last
        print(f"{condition:13} n = {result.n}, seed 0: train {last.train_accuracy:.1%}, test {last.test_accuracy:.1%}")
    epochs = sl.Store(folder).epochs().select("step", "online_accuracy", "corruption")

lines = alt.Chart(epochs, title="Accuracy on the batches trained on").mark_line()
chart = lines.encode(x="step", y="online_accuracy", color="corruption")
