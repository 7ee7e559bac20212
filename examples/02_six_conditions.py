"""The learning curves of the six conditions, read out of a store as polars tables (figure 1a of the paper)."""

from tempfile import TemporaryDirectory

import altair as alt
import polars as pl
import torch

import shatterlab as sl
from shatterlab.corruption import CORRUPTIONS

torch.set_num_threads(1)  # networks this small are fastest on one core

with TemporaryDirectory() as folder:
    store = sl.Store(folder)
    for condition in CORRUPTIONS:
        sl.run(
            sl.make_spec(data="digits", corruption=condition, n=500, epochs=300, batch_size=16, stop="fit", seed=0),
            store,
        )
    epochs = store.epochs()  # a line an epoch: losses, accuracies, steps
    runs = store.table()  # a line a run: every dial and the last epoch

steps = epochs.filter(pl.col("online_loss") <= 0.1).group_by("corruption").agg(pl.col("step").min().alias("overfit"))
losses = (
    epochs.filter(pl.col("epoch").is_in([1, 5, 10]))
    .pivot("epoch", index="corruption", values="online_loss")
    .rename({"1": "epoch 1", "5": "epoch 5", "10": "epoch 10"})
)
scores = runs.select("corruption", "train_accuracy", "test_accuracy")
found = losses.join(steps, on="corruption").join(scores, on="corruption").sort("overfit", "corruption")
print("mlp-1x512 on digits, n = 500, seed 0: training loss, steps to a loss of 0.1, accuracies of the last epoch")
with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3, tbl_width_chars=120):
    print(found)
curves = epochs.filter(pl.col("epoch") <= 30).select("step", "online_loss", "corruption")
chart = alt.Chart(curves, title="Training loss").mark_line().encode(x="step", y="online_loss", color="corruption")
