"""An audit of a forest whose training labels are partly wrong: it fits them all, and the audit finds where to look."""

from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import shatterlab as sl

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
wrong = rng.choice(len(y), 40, replace=False)
y[wrong] = (y[wrong] + rng.integers(1, 10, size=40)) % 10  # another digit each

with TemporaryDirectory() as folder:
    audit = sl.audit(RandomForestClassifier(30), (X, y), budget="10s", store=folder, quiet=True)
print(audit.verdict)

scores = audit.scores().sort("suspicion", descending=True)  # training examples alone; the rest are the test set
planted = np.isin(scores["example"], wrong)
print(
    f"{planted.sum()} of the {len(scores):,} audited labels are wrong; of the {planted.sum()} most suspect, "
    f"{planted[: planted.sum()].sum()} are"
)

chart = audit.figure()
