"""A kernel machine that fits every label generalizes without any regularization; a ridge does not help here."""

import altair as alt
import polars as pl

import shatterlab as sl
from shatterlab.theory import KernelInterpolator

errors = []
for condition in ("true-labels", "random-labels"):
    data = sl.corrupt(sl.load("digits"), condition, seed=0)
    X, y = data.train.flat(), data.train.labels
    X_test, y_test = data.test.flat(), data.test.labels
    print(f"{condition}: Gaussian kernel on the digits, n = {len(X):,}, {len(X_test)} test images, seed 0 (chance 90%)")
    print("  ridge   train error   test error    norm")
    for ridge in (0.0, 0.01, 0.1, 1.0):
        model = KernelInterpolator("gaussian", gamma=0.1, ridge=ridge, task="classification").fit(X, y)
        train, test = (model.predict(X) != y).mean(), (model.predict(X_test) != y_test).mean()
        errors.append({"labels": condition, "ridge": ridge, "test error": test})
        print(f"{ridge:7g} {train:13.2%} {test:12.2%} {model.norm_:7.1f}")

dots = alt.Chart(pl.DataFrame(errors), title="Test error of a kernel machine").mark_line(point=True)
chart = dots.encode(x="ridge:O", y="test error", color="labels")
