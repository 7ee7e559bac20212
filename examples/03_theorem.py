"""The finite-sample expressivity theorem: 2n + d weights fit any labels of n points, and say nothing about others."""

import altair as alt
import numpy as np
import polars as pl

import shatterlab as sl
from shatterlab.theory import ReLUInterpolator

print("points            n      d   weights   2n + d   largest error   seed")
for n, d in ((100, 5), (10_000, 20), (100_000, 50)):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.integers(10, size=n)
    net = ReLUInterpolator().fit(X, y)
    error = np.abs(net.predict(X) - y).max()
    print(f"Gaussian    {n:7,} {d:6} {net.n_weights_:9,} {2 * n + d:8,} {error:15.0e}      0")

data = sl.corrupt(sl.load("digits"), "random-labels", seed=0)
X, y, n, d = data.train.flat(), data.train.labels, len(data.train), data.train.flat().shape[1]
net = ReLUInterpolator().fit(X, y)
error = np.abs(net.predict(X) - y).max()
print(f"digits      {n:7,} {d:6} {net.n_weights_:9,} {2 * n + d:8,} {error:15.0e}      0")

true = sl.load("digits")
net = ReLUInterpolator("classification").fit(true.train.flat(), true.train.labels)
right = (net.predict(true.test.flat()) == true.test.labels).mean()
print(f"fitted to the true labels of the digits, it has {right:.1%} of {len(true.test)} test labels right (chance 10%)")

few = ReLUInterpolator().fit(X[:12, :1] + np.arange(12)[:, None], y[:12])  # one dimension, to be drawn
line = pl.DataFrame({"x": (x := np.linspace(-1, 13, 400)), "network": few.predict(x[:, None])})
chart = alt.Chart(line, title="A network through 12 labels").mark_line().encode(x="x", y="network")
