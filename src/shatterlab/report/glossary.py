"""Technical terms of the page, each explained where the pointer rests on it and in a list at the end."""

import re
from functools import cache

from markupsafe import Markup, escape

GLOSSARY = {
    "batch normalization": "A layer that shifts and scales each feature to mean 0 and variance 1 over a batch.",
    "bfloat16": "A floating-point format with 8 significant bits, where float32 has 24.",
    "bias²": "The squared distance of the average prediction over training sets from the truth.",
    "BN": "Batch normalization: each feature is shifted and scaled to mean 0 and variance 1 over a batch.",
    "chance": "The accuracy of guessing: the share of the test set's largest class, or 1 / K for K equally large ones.",
    "curvature": "The second derivative of the loss: how fast it rises around a solution in each direction.",
    "early stopping": "Taking the weights of the epoch with the best accuracy on held-out data, not those of the last.",
    "epoch": "One pass over the training set.",
    "epochs": "Passes over the training set.",
    "Gabor features": "The strengths of waves of several lengths and directions at each place of an image.",
    "incoherence": "How unevenly an iterate is spread over the measurements; 1 is even.",
    "interpolates": "Fits every training label exactly.",
    "least norm": "Of all solutions that fit, the one whose weights have the smallest Euclidean length.",
    "nuclear norm": "The sum of the singular values of a matrix; matrices of low rank have a small one.",
    "random crop": "Training on a window of each image whose place is drawn anew in every epoch.",
    "random labels": "Labels drawn uniformly from all K classes, whatever the image shows; 1 / K of them stay right.",
    "ridge": "A penalty on the squared norm of the weights.",
    "SD": "Standard deviation: the spread of single values, here mostly of seeds.",
    "SE": "Standard error: the spread of a mean or a difference, were the whole experiment repeated.",
    "seed": "The number from which the data subset, the corruption, the weights and the order of a run are drawn.",
    "seeds": "Runs that differ in their random draws alone: data subset, corruption, weights, order.",
    "standard errors": "A standard error is the spread of a mean or a difference, were the whole experiment repeated.",
    "test accuracy": "The share of test examples with true labels that are predicted correctly.",
    "test error": "The share of test examples with true labels that are predicted wrongly.",
    "train accuracy": "The share of training examples that are predicted as they are labelled, right or wrong.",
    "training loss": "The mean cross-entropy of the batches of an epoch, each before its update, in nats.",
    "variance": "The spread of the predictions over training sets.",
    "weight decay": "A penalty on the squared norm of the weights, added to each gradient.",
}
"""Terms with their meaning in one sentence, in alphabetical order; an abbreviation is matched with its case."""


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(GLOSSARY, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])")


def glossed(text: str) -> Markup:
    """The text as HTML, in which the first occurrence of each term shows its meaning to whoever points at it."""
    seen: set[str] = set()
    parts: list[Markup] = []
    end = 0
    for match in _pattern().finditer(text):
        term = match[0]
        if term in seen:
            continue
        seen.add(term)
        parts += [escape(text[end : match.start()]), Markup('<abbr title="{}">{}</abbr>').format(GLOSSARY[term], term)]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
