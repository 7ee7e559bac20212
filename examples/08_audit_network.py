"""An audit of a network of one's own, trained as `sl.run` trains it: the dials of a run are arguments."""

from tempfile import TemporaryDirectory

import polars as pl
import torch
from sklearn.datasets import load_digits
from torch import nn

import shatterlab as sl

torch.set_num_threads(1)  # networks this small are fastest on one core


def net(shape: tuple[int], classes: int) -> nn.Module:
    """A module from rows (batch, columns) to logits (batch, classes)."""
    return nn.Sequential(nn.Linear(shape[0], 128), nn.ReLU(), nn.Linear(128, classes))


with TemporaryDirectory() as folder:
    audit = sl.audit(
        net,
        load_digits(return_X_y=True),
        budget="10s",
        store=folder,
        quiet=True,
        n=500,  # as many as the budget allows, if it is left out
        epochs=100,  # likewise
        batch_size=32,
        learning_rate=0.05,
    )
print(audit.verdict)
errors = audit.table().filter(pl.col("quantity").str.ends_with("training error"))
with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, fmt_str_lengths=40):
    print(errors.select("quantity", "value", "error", "n"))

chart = audit.figure()
