"""An audit of a pipeline on texts: sentences reach the learner untouched, and a dispute shows the sentence itself."""

from tempfile import TemporaryDirectory

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import shatterlab as sl

rng = np.random.default_rng(0)
WORDS = {
    "sea": ["wave", "tide", "harbour", "sail", "gull", "anchor"],
    "hills": ["rock", "path", "summit", "snow", "pine", "sheep"],
}
SHARED = ["we", "saw", "the", "an", "old", "grey", "far", "day", "near", "wind"]
labels = rng.choice(list(WORDS), size=300)
texts = [" ".join([*rng.choice(SHARED, 4), *rng.choice(WORDS[label], 2)]) for label in labels]
wrong = rng.choice(300, 15, replace=False)
labels[wrong] = np.where(labels[wrong] == "sea", "hills", "sea")

with TemporaryDirectory() as folder:
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    audit = sl.audit(pipeline, (texts, labels), budget="10s", store=folder, quiet=True)
print(audit)

print("\nThe most suspect labels:")
for example, label, predicted in audit.scores().sort("suspicion", descending=True).head(5).select(
    "example", "label", "predicted"
).rows():  # fmt: skip
    told = "wrong" if example in wrong else "right"
    print(f"  {texts[example]!r} is labelled {label}, looks like {predicted}; the label is {told}")

chart = audit.figure()
