"""The global random generators, from which a user's code may draw: they are seeded for a block and then restored."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of Python, numpy and torch for a block, and puts them back as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def states() -> dict[str, Any]:
    """The states of the global generators as numbers, lists and texts, of which JSON can be made."""
    name, words, *place = np.random.get_state(legacy=True)  # noqa: NPY002
    version, numbers, spare = random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "python": [version, list(numbers), spare],
        "numpy": [name, np.asarray(words).tolist(), *place],
        "torch": _text(torch.get_rng_state()),
        "cuda": [_text(state) for state in cuda],
    }


def put_back(kept: Mapping[str, Any]) -> None:
    """Sets the global generators to what `states` has returned.

    Raises:
        ValueError, TypeError, KeyError or RuntimeError: these are no such states.
    """
    version, numbers, spare = kept["python"]
    name, words, *place = kept["numpy"]
    random.setstate((version, tuple(numbers), spare))
    np.random.set_state((name, np.array(words, dtype=np.uint32), *place))  # noqa: NPY002
    torch.set_rng_state(_state(kept["torch"]))
    if torch.cuda.is_initialized() and len(kept["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_state(text) for text in kept["cuda"]])


def _text(state: torch.Tensor) -> str:
    return state.numpy().tobytes().hex()


def _state(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
