"""Whatever learns becomes `fit(X, y, seed) -> predict`: estimators, networks and functions.

A measure knows nothing else of a learner. What a learner has beyond that, such as weights, stays with it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..errors import ShatterlabError
from ..measures.fitting import Fit, Predict, from_sklearn

ACCEPTED = (
    "a learner is whatever has fit(X, y) and predict(X), an nn.Module class or a function that returns one, a function "
    "fit(X, y, seed) that returns predict, a name of `shatterlab list models`, or 'file.py:name', 'package.module:name'"
)


@dataclass(frozen=True)
class Given:
    """What a user named as the learner, found and told apart.

    Args:
        kind: what it is.
        name: for people.
        thing: the estimator, the function, or the network (an `OwnModel`, or the name of one of the house).
    """

    kind: Literal["estimator", "function", "network"]
    name: str
    thing: Any


def given_learner(learner: Any) -> Given:
    """Finds out what a user's learner is.

    Args:
        learner: see `ACCEPTED`.

    Raises:
        ShatterlabError: it is none of these; the message says what is accepted.
    """
    if isinstance(learner, Given):
        return learner
    if isinstance(learner, str):
        return _of_name(learner)
    if _is_estimator(learner):
        if inspect.isclass(learner):
            learner = _made(learner, learner.__name__)
        return Given("estimator", _estimator_name(learner), learner)
    return _of_callable(learner, getattr(learner, "__name__", type(learner).__name__), None)


def _of_name(name: str) -> Given:
    if ":" not in name:
        from ..models import lookup

        lookup(name)
        return Given("network", name, name)
    from ..models.own import referred

    thing = referred(name)
    return given_learner(thing) if _is_estimator(thing) else _of_callable(thing, name.rpartition(":")[2], name)


def _of_callable(thing: Any, name: str, reference: str | None) -> Given:
    """A function that learns, or a function or class that makes a network or an estimator."""
    from torch import nn

    from ..models.own import OwnModel, own_model

    if isinstance(thing, OwnModel):
        return Given("network", thing.name, thing)
    if not callable(thing):
        raise ShatterlabError(f"the learner is of type {type(thing).__name__}; {ACCEPTED}.")
    if isinstance(thing, nn.Module) or (inspect.isclass(thing) and issubclass(thing, nn.Module)):
        return Given("network", own_model(reference or thing).name, own_model(reference or thing))
    if _takes_data(thing):
        return Given("function", name, thing)
    if not _parameters(thing):  # it may make an estimator, which is not known before it is called
        made = _made(thing, name)
        if _is_estimator(made) and not isinstance(made, nn.Module):
            return Given("estimator", _estimator_name(made), made)
    network = own_model(reference or thing)
    return Given("network", network.name, network)


def _is_estimator(thing: Any) -> bool:
    return hasattr(thing, "fit") and hasattr(thing, "predict")


def _estimator_name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if steps:
        return " + ".join(type(step).__name__ for _, step in steps)
    return type(estimator).__name__


def _made(make: Callable[..., Any], name: str) -> Any:
    try:
        return make()
    except TypeError as error:
        raise ShatterlabError(
            f"{name} cannot be made without arguments ({error}); hand over an instance, or a function without "
            "arguments that returns one."
        ) from None
    except Exception as error:
        raise ShatterlabError(f"{name} could not be made: {type(error).__name__}: {error}.") from error


def _parameters(thing: Callable[..., Any]) -> list[str]:
    try:
        return [
            name
            for name, taken in inspect.signature(thing).parameters.items()
            if taken.default is taken.empty and taken.kind in (taken.POSITIONAL_ONLY, taken.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return []


def _takes_data(thing: Callable[..., Any]) -> bool:
    """Whether a function takes inputs, labels and a seed, and not the shape and the classes of a network."""
    names = _parameters(thing)
    return len(names) == 3 and not {"shape", "classes", "num_classes"} & set(names)


def fit_of(given: Given, classes: int) -> Fit:
    """The learner of an estimator or a function as measures know it.

    Args:
        given: an estimator or a function.
        classes: number of classes.
    """
    if given.kind == "estimator":
        return from_sklearn(given.thing, classes)
    function: Callable[..., Any] = given.thing

    def fit(X: Any, y: Any, seed: int) -> Predict:
        predict: Predict = function(X, y, seed)
        if not callable(predict):
            raise ValueError(f"fit(X, y, seed) must return a function predict(X), got {type(predict).__name__}.")
        return predict

    return fit


def version_of(given: Given) -> str:
    """Sixteen hexadecimal digits: a hash of the code and the parameters of an estimator or a function.

    Of a library's estimator the name, the version of the library and the parameters count; random states do not, since
    each fit sets them.
    """
    from ..models.content import content_of

    if given.kind == "function":
        return content_of(given.thing)
    return content_of(type(given.thing), _described(given.thing))


def _described(value: Any) -> Any:
    """A parameter of an estimator as plain values whose content does not depend on where they lie in memory."""
    if hasattr(value, "get_params"):
        from importlib.metadata import PackageNotFoundError, version

        package = type(value).__module__.partition(".")[0].replace("sklearn", "scikit-learn")
        try:
            of_package = version(package)
        except PackageNotFoundError:
            of_package = ""
        named = sorted((name, _described(one)) for name, one in value.get_params(deep=False).items()
                       if name != "random_state")  # fmt: skip
        return (type(value).__module__, type(value).__qualname__, of_package, repr(named))
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes().hex())
    if isinstance(value, Mapping):
        return tuple((repr(name), _described(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_described, value))
    if callable(value):
        from ..models.content import content_of

        return content_of(value)
    return repr(value)
