"""A perceptron fits labels drawn at random: it memorizes, and nothing is left for images it has not seen."""

from tempfile import TemporaryDirectory

import altair as alt
import torch

import shatterlab as sl

torch.set_num_threads(1)  # networks this small are fastest on one core

data = sl.load("digits")
wrong = sl.corrupt(data, "random-labels", seed=0).train.corrupted.mean()
print(
    f"{len(data.train):,} training digits, {len(data.test)} test digits; random labels, seed 0: {wrong:.1%} are wrong"
)

with TemporaryDirectory() as folder:
    for condition in ("true-labels", "random-labels"):
        spec = sl.make_spec(
            model="mlp-1x512",
            data="digits",
            corruption=condition,
            epochs=200,
            batch_size=32,
            learning_rate=0.03,
            stop="fit",  # ends the run once every training label is fitted
            seed=0,
        )
        last = (result := sl.run(spec, sl.Store(folder))).last
        print(
            f"{condition:13} n = {result.n:,}, seed {spec.seed}: train {last.train_accuracy:.1%}, "
            f"test {last.test_accuracy:.1%} (chance {1 / result.classes:.0%}) after {last.step:,} steps"
        )
    epochs = sl.Store(folder).epochs().select("step", "online_loss", "corruption")

chart = alt.Chart(epochs, title="Training loss").mark_line().encode(x="step", y="online_loss", color="corruption")
