"""SGD from zero ends at the solution of least norm, one of many that fit and that curvature cannot tell apart."""

import altair as alt
import numpy as np
import polars as pl

from shatterlab.theory import MinimumNormRegressor, curvature, descend, span_angle

n, d, seed = 50, 200, 0
rng = np.random.default_rng(seed)
X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
least = MinimumNormRegressor().fit(X, y)
print(f"n = {n} points, d = {d} weights, random labels, seed {seed}; least norm {least.norm_:.4f}")

path = []
print("SGD from      steps   largest residual   norm of w   |w - w_least|   angle to the span of the data")
for name, start in (("zero", np.zeros(d)), ("a Gaussian", rng.standard_normal(d))):
    for step, w in enumerate(descend(X, y, start, steps=20_000, batch_size=1, random_state=seed), start=1):
        if step % 100 == 0:
            path.append({"from": name, "step": step, "distance": float(np.linalg.norm(w - least.coef_)) + 1e-16})
        if step in (1_000, 20_000):
            residual, distance = np.abs(X @ w - y).max(), np.linalg.norm(w - least.coef_)
            angle = span_angle(X, w)
            print(f"{name:11} {step:7,} {residual:18.1g} {np.linalg.norm(w):11.4f} {distance:15.2g} {angle:16.2g} rad")

flat = int((curvature(X) < 1e-9).sum())
print(
    f"both ends fit every label, and the Hessian X'X/n is the same at both: {flat} = d - n directions without curvature"
)
scale = alt.Scale(type="log")
lines = alt.Chart(pl.DataFrame(path), title="Distance to the solution of least norm").mark_line()
chart = lines.encode(x="step", y=alt.Y("distance", scale=scale), color="from")
