"""What can be said about a learner of which only fit and predict are known: numbers, each with its error.

A measure takes arrays and a function `fit(X, y, seed) -> predict`. Where it needs many fits, it says which ones as
requests, so that others can do them in any order and place, and turns what came out into numbers.
"""
