"""Every dial of a run, in one frozen, validated, hashable object.

Two values can look alike and mean different things, so names follow the field's usage and each default says where it
comes from. Where Zhang et al. (2017) are silent the default is ours and stands in `ASSUMPTIONS`, which reports print.
"""

import hashlib
import json
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from operator import index
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from .errors import ShatterlabError

PAPER_TRAINING_SIZE = 50_000
"""CIFAR-10 has this many training images; the paper multiplies the learning rate by 0.95 once per pass over them."""

# Zhang et al. (2017), appendix A, give the learning rate of each architecture; all but these start at 0.01.
LEARNING_RATES = {"inception": 0.1, "inception-no-bn": 0.1}

RATES_OF_OPTIMIZERS = {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.045}
"""Adam (Kingma and Ba, 2015), AdamW and RMSProp (Szegedy et al., 2016, section 8) start from their own learning rates
where none is named; for momentum SGD it is the model's."""

# These models have their own `initialization` where none is named; all others start from "he".
STARTS = {"inception-no-bn": "centred", "alexnet": "tutorial"}

FIRST_STARTS = {"inception-no-bn": "centred"}
"""A run whose weights start as these models, or all others by "he", once did keeps the id that it had then."""

# These conditions have their own amount where none is given; all others replace every example.
AMOUNTS = {"true-labels": 0.0, "partial-labels": 0.5}

# Appendix A crops the 32 x 32 images of CIFAR-10 to their centre 28 x 28.
CROPS = {"cifar10": 28}

LARGEST_EXACT = 2**53
"""Up to here a float holds every integer."""

LARGEST_SEED = 2**63 - 1
"""This is the largest integer that a column of a table holds."""

AUGMENTATIONS = ("flip", "rotation", "brightness", "contrast", "saturation", "hue")
"""These dials and the random crop change training images; 0 turns a dial off."""

WEIGHT_DECAY = 5e-4
"""Every study that turns weight decay on uses this value, see `ASSUMPTIONS`."""

ALIASES = {
    "lr": "learning_rate", "wd": "weight_decay", "l2": "weight_decay", "bs": "batch_size", "batch": "batch_size",
    "dataset": "data", "arch": "model", "net": "model", "network": "model", "noise": "amount", "fraction": "amount",
    "condition": "corruption", "n_train": "n", "num_epochs": "epochs", "n_epochs": "epochs", "opt": "optimizer",
    "init": "initialization", "random_state": "seed", "val": "n_validation", "augmentation": "flip",
    "early_stopping": "stop", "dtype": "precision",
}  # fmt: skip
"""The words of other tools for our dials map to ours, for the hint in an error."""


class Spec(BaseModel):
    """The description of one run: its data, their corruption, its model and its training.

    A spec is frozen and validated. `Spec(...).id` is a hash of the fields, so two runs share an id exactly
    when they share every dial. Values left out are filled in from the paper and written out in full.

    >>> Spec(model="inception").learning_rate
    0.1
    >>> Spec(corruption="random-labels").amount
    1.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: Annotated[
        StrictStr,
        Field(description="Architecture, see `shatterlab list models`, or one of yours: file.py:name, package:name."),
    ] = "mlp-1x512"
    data: Annotated[
        StrictStr,
        Field(
            description="Data set, see `shatterlab list datasets`, or yours: npz:PATH, csv:PATH?label=COLUMN, "
            "parquet:PATH?label=COLUMN, folder:PATH."
        ),
    ] = "cifar10"
    model_version: Annotated[
        StrictStr | None, Field(description="A hash of the content of a network of your own; filled in.")
    ] = None
    data_version: Annotated[
        StrictStr | None, Field(description="A hash of the content of data of your own; filled in.")
    ] = None
    corruption: Annotated[
        StrictStr, Field(description="Corruption of the data, see `shatterlab list corruptions`.")
    ] = "true-labels"
    amount: Annotated[
        float, Field(description="Probability in [0, 1] that an example is corrupted. Default: the condition's own.")
    ] = None  # type: ignore[assignment]
    label_noise: Annotated[
        Literal["uniform", "symmetric"],
        Field(description="A corrupted label is drawn from all classes (uniform, the paper) or the wrong ones."),
    ] = "uniform"
    n: Annotated[int | None, Field(ge=1, description="Training examples, drawn at random. Default: all.")] = None
    n_test: Annotated[int | None, Field(ge=1, description="Test examples, drawn at random. Default: all.")] = None
    crop: Annotated[
        int | None, Field(ge=1, description="Side of the centre crop in pixels. Default: 28 for cifar10, else none.")
    ] = None
    preprocessing: Annotated[
        Literal["whiten", "scale", "standardize", "none"],
        Field(
            description="Each image to mean 0 and deviation 1 (whiten, the paper), pixels / 255 (scale), each column "
            "to mean 0 and deviation 1 over the training set (standardize), or nothing. Default: whiten for images, "
            "standardize for tables, else none."
        ),
    ] = None  # type: ignore[assignment]
    epochs: Annotated[int, Field(ge=1, description="Passes over the training set.")] = 60
    batch_size: Annotated[int, Field(ge=1, description="Images in each step of training.")] = 128
    learning_rate: Annotated[
        float, Field(gt=0, description="Rate at the first step. Default: the paper's, 0.1 for Inception, else 0.01.")
    ] = None  # type: ignore[assignment]
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw", "rmsprop"],
        Field(description="Momentum SGD (the paper), torch's Adam or AdamW, or the RMSProp of Inception V3."),
    ] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1, description="Momentum of stochastic gradient descent.")] = 0.9
    decay: Annotated[
        float, Field(gt=0, le=1, description="Factor on the learning rate, every --decay-every images.")
    ] = 0.95
    decay_every: Annotated[int, Field(ge=1, description="Training images seen between decays.")] = PAPER_TRAINING_SIZE
    weight_decay: Annotated[float, Field(ge=0, description="Adds weight_decay * w to each gradient.")] = 0.0
    label_smoothing: Annotated[
        float,
        Field(ge=0, lt=1, description="Share of each label that training spreads over all classes; scores do not."),
    ] = 0.0
    initialization: Annotated[
        Literal["he", "centred", "tutorial", "own"],
        Field(
            description="Where the weights start: he (variance 2 / fan-in), centred (each unit's weights sum to zero), "
            "tutorial (TensorFlow's CIFAR-10 tutorial), own (as the code of your network draws them). Default: own for "
            "a network of yours, else the model's assumption."
        ),
    ] = None  # type: ignore[assignment]
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="Probability that an input of a linear layer above the first is zeroed.")
    ] = 0.0
    random_crop: Annotated[bool, Field(description="Crop training images at random places, test images centrally.")] = (
        False
    )
    crop_area: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="A random crop shows from this share of the image up to all of it, in sides of 3:4 to 4:3, "
            "resized; 1 cuts out pixels as they are.",
        ),
    ] = 1.0
    flip: Annotated[float, Field(ge=0, le=1, description="Probability that a training image is mirrored.")] = 0.0
    rotation: Annotated[float, Field(ge=0, le=180, description="Training images turn by up to this, in degrees.")] = 0.0
    brightness: Annotated[float, Field(ge=0, le=1, description="Brightness varies by up to this share.")] = 0.0
    contrast: Annotated[float, Field(ge=0, le=1, description="Contrast varies by up to this share.")] = 0.0
    saturation: Annotated[float, Field(ge=0, le=1, description="Saturation varies by up to this share.")] = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5, description="Hue shifts by up to this share of the colour wheel.")] = 0.0
    n_validation: Annotated[
        int, Field(ge=0, description="Training examples held out for early stopping; labels as corrupted as theirs.")
    ] = 0
    precision: Annotated[
        Literal["float32", "tf32", "bf16"],
        Field(
            description="Precision of products: bf16 is faster on some hardware, the study `precision` measures what "
            "it costs in fit; tf32 rounds their operands, on a GPU only."
        ),
    ] = "float32"
    evaluate_every: Annotated[
        int | None,
        Field(ge=1, description="Epochs between full evaluations. Default: what keeps them under a tenth of the work."),
    ] = None
    stop: Annotated[
        Literal["never", "fit"],
        Field(description="fit ends the run at 100 % train accuracy with train loss < 0.01."),
    ] = "never"
    seed: Annotated[
        int, Field(ge=0, le=LARGEST_SEED, description="Seed of the subset, the corruption, the weights and the order.")
    ] = 0
    data_seed: Annotated[
        int | None,
        Field(ge=0, le=LARGEST_SEED, description="Seed of the data: subset and corruption. Default: the seed."),
    ] = None
    training_seed: Annotated[
        int | None,
        Field(ge=0, le=LARGEST_SEED, description="Seed of the training: weights, order, dropout. Default: the seed."),
    ] = None

    @model_validator(mode="wrap")
    @classmethod
    def _fill_in(cls, given: Any, validate: ModelWrapValidatorHandler["Spec"], info: ValidationInfo) -> "Spec":
        if not isinstance(given, dict):
            return validate(given)
        if info.mode == "python":  # a file may be of another version, which pydantic's own error says
            for name in given:
                if name not in cls.model_fields:
                    raise _unknown_dial(name)
        given = {name: _exact(name, value) for name, value in given.items()}
        full = {name: field.default for name, field in cls.model_fields.items()} | given
        if full["model_version"] and full["initialization"] is None:
            full["initialization"] = "own"
        if full["learning_rate"] is None:
            full["learning_rate"] = RATES_OF_OPTIMIZERS.get(str(full["optimizer"]))
        for dial in ("data_seed", "training_seed"):
            if full[dial] == full["seed"]:
                full[dial] = None
        for dial, key, table, otherwise in (
            ("amount", "corruption", AMOUNTS, 1.0),
            ("learning_rate", "model", LEARNING_RATES, 0.01),
            ("crop", "data", CROPS, None),
            # A file that does not name the start is older than AlexNet's.
            ("initialization", "model", FIRST_STARTS if info.mode == "json" else STARTS, "he"),
            ("preprocessing", "data", {}, "whiten"),
        ):
            if full[dial] is None:
                named = full[key]  # of a file it may be anything, which is told where it is checked
                full[dial] = table.get(named, otherwise) if isinstance(named, str) else otherwise
        spec = validate(full)
        # The dials that were named stay known, so that `on` can fill in the others anew.
        object.__setattr__(spec, "__pydantic_fields_set__", set(given))
        return spec

    def on(self, **dials: Any) -> "Spec":
        """Returns the spec with other dials; the dials that were never named are filled in anew for these."""
        return make_spec(**{name: getattr(self, name) for name in self.model_fields_set} | dials)

    @model_validator(mode="after")
    def _dials_go_together(self) -> "Spec":
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount must lie in [0, 1], got {self.amount:g}; for twenty percent write amount=0.2")
        if self.random_crop and self.crop is None:
            raise ValueError(
                f"random_crop needs to know the side of the crop on {self.data}; write crop=K, in pixels, "
                "less than the side of the images"
            )
        if self.crop_area < 1 and not self.random_crop:
            raise ValueError("crop_area is the size of a random crop; add random_crop=True")
        fixed = {"true-labels": 0.0, "random-labels": 1.0}.get(self.corruption)
        if fixed is not None and self.amount != fixed:
            raise ValueError(
                f"{self.corruption} always has amount {fixed:g}, got {self.amount:g}; "
                f"for a share of the labels write corruption=partial-labels, amount={self.amount:g}"
            )
        return self

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, a hash of every field that departs from its default.

        A dial that a later version adds, off by default, therefore leaves the ids of all earlier runs as they are.
        """
        dials = self.model_dump(mode="json", exclude_defaults=True)
        if self.initialization == FIRST_STARTS.get(self.model, "he"):
            del dials["initialization"]
        if self.preprocessing == "whiten":
            del dials["preprocessing"]
        for name in ("model", "data"):
            if getattr(self, f"{name}_version"):  # the content is the identity, not the name or the place
                dials.pop(name, None)
        text = json.dumps(dials, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _repr_html_(self) -> str:
        from .faces import spec_face

        return spec_face(self)

    @property
    def seed_of_data(self) -> int:
        """The seed of the subset, the validation split and the corruption."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def seed_of_training(self) -> int:
        """The seed of the weights, the order, augmentation and dropout."""
        return self.seed if self.training_seed is None else self.training_seed

    @property
    def augments(self) -> bool:
        """Whether training images change from epoch to epoch."""
        return self.random_crop or any(getattr(self, name) > 0 for name in AUGMENTATIONS)

    @property
    def regularizers(self) -> str:
        """The explicit regularizers that are on, in words, or `none`."""
        area = f" of area {self.crop_area:g} to 1" if self.crop_area < 1 else ""
        named = [f"random crop{area}"] if self.random_crop else []
        named += [f"{name} {getattr(self, name):g}" for name in AUGMENTATIONS if getattr(self, name) > 0]
        named += [
            f"{name.replace('_', ' ')} {getattr(self, name):g}"
            for name in ("weight_decay", "dropout", "label_smoothing")
            if getattr(self, name) > 0
        ]
        return ", ".join(named) or "none"

    @property
    def title(self) -> str:
        """A few words for people: model, condition, regularizers, precision unless it is float32, seed."""
        share = f" {self.amount:g}" if self.corruption != "true-labels" and self.amount != 1 else ""
        regularizers = "" if self.regularizers == "none" else f" + {self.regularizers}"
        precision = "" if self.precision == "float32" else f" {self.precision}"
        optimizer = "" if self.optimizer == "sgd" else f" {self.optimizer}"
        seeds = f"seed {self.seed}" + "".join(
            f", {name} seed {value}"
            for name, value in (("data", self.data_seed), ("training", self.training_seed))
            if value is not None
        )
        return f"{self.model} {self.corruption}{share}{regularizers}{optimizer}{precision} {seeds}"


def _exact(name: str, value: Any) -> Any:
    """The value of a dial as Python's own, where it is a number; pydantic would round some of these and take others.

    Raises:
        ValueError: a number would change on its way into the spec, or a truth value stands where a number belongs.
    """
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a number of numpy, torch or jax
        value = value.item()
        value = float(value) if hasattr(value, "item") else value  # numpy's long double, of which Python has none
    kind = KINDS.get(name)
    if kind is None or value is None:
        return value
    if isinstance(value, bool):
        raise ValueError(f"{name} is a number, got {value}; write {name}={int(value)} if that is meant")
    if kind is float:
        if isinstance(value, int) and abs(value) > LARGEST_EXACT:
            raise ValueError(f"{name}={value} is more than a float tells from its neighbours; write it as a float")
        return value
    if isinstance(value, int | float | Decimal | Fraction):
        if isinstance(value, float) and abs(value) > LARGEST_EXACT:
            raise ValueError(f"{name}={value!r} may have been rounded already, as floats are above 2**53; write an int")
        if not isinstance(value, float) and value % 1 == 0:
            value = int(value)
    elif not isinstance(value, str) and getattr(value, "ndim", 0) == 0 and hasattr(value, "__index__"):
        value = index(value)
    if isinstance(value, int) and value > LARGEST_SEED:
        raise ValueError(f"{name} must be at most {LARGEST_SEED}, the largest number that a table holds, got {value}")
    return value


KINDS = {
    name: kind
    for name, field in Spec.model_fields.items()
    for kind in (int, float)
    if kind in (field.annotation, *get_args(field.annotation))
}
"""The dials that are numbers, each with the type of it."""


def _unknown_dial(name: str) -> ShatterlabError:
    near = [ALIASES.get(name.lower()), *get_close_matches(name, Spec.model_fields, n=1, cutoff=0.5)]
    hint = next((f"did you mean '{word}'?" for word in near if word), "'shatterlab train --help' lists all.")
    return ShatterlabError(f"there is no dial '{name}'; {hint}")


def make_spec(**dials: Any) -> Spec:
    """Makes a `Spec` and turns what is wrong with its dials into one sentence.

    Raises:
        ShatterlabError: there is no dial of such a name, type or range; the sentence names it.
    """
    for name in ("model", "data"):
        if name in dials and not isinstance(dials[name], str):
            raise ShatterlabError(
                f"{name} is a name in a spec, got {type(dials[name]).__name__}; hand the thing itself to "
                f"run(spec, {name}=...)."
            )
    try:
        return Spec(**dials)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if not where:
            raise ShatterlabError(message) from None
        raise ShatterlabError(f"{where}: {message[0].lower() + message[1:]}, got {first['input']!r}") from None
