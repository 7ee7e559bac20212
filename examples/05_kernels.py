"""A kernel machine that fits every label generalizes without any regularization; a ridge does not help here."""

import shatterlab as sl
from shatterlab.theory import KernelInterpolator

for condition in ("true-labels", "random-labels"):
    data = sl.corrupt(sl.load("digits"), condition, seed=0)
    X, y = data.train.flat(), data.train.labels
    X_test, y_test = data.test.flat(), data.test.labels
    print(f"{condition}: Gaussian kernel on the digits, n = {len(X):,}, {len(X_test)} test images, seed 0 (chance 90%)")
    print("  ridge   train error   test error    norm")
    for ridge in (0.0, 0.01, 0.1, 1.0):
        model = KernelInterpolator("gaussian", gamma=0.1, ridge=ridge, task="classification").fit(X, y)
        train, test = (model.predict(X) != y).mean(), (model.predict(X_test) != y_test).mean()
        print(f"{ridge:7g} {train:13.2%} {test:12.2%} {model.norm_:7.1f}")
