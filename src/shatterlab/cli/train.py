"""`shatterlab train`: one training, every dial of it a flag."""

import sys
from dataclasses import field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..errors import ShatterlabError
from ..results.store import DEFAULT_STORE, Store
from ..spec import Spec, make_spec
from .flags import DataDir, Device, Json, StoreDir, print_json

if TYPE_CHECKING:
    from ..results import Result

# Every dial of this copy of Spec may be left out: tyro makes the flags, and Spec fills in and checks the dials.
Dials = make_dataclass(
    "Dials",
    [
        (
            name,
            Annotated[_field.annotation, tyro.conf.arg(help=_field.description)]
            if _field.default is not None
            else Annotated[_field.annotation | None, tyro.conf.arg(help=_field.description, metavar=_name)],  # type: ignore[operator]
            field(default=_field.default),
        )
        for name, _field in Spec.model_fields.items()
        if not name.endswith("_version")  # filled in
        for _name in [name.upper()]
    ],
)


def command(
    *,
    dials: Any,
    store: StoreDir = DEFAULT_STORE,
    device: Device = "auto",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Train one model once; print its last epoch. Every dial of the run is a flag.

    Example: shatterlab train --model alexnet --data cifar10 --corruption random-labels --n 1000 --stop fit
    """
    from ..jobs import Training
    from ..spine import run
    from .progress import Progress

    # Dials at their defaults are left out, so that they can be filled in for a user's own network and data.
    job = Training(make_spec(**{k: v for k, v in vars(dials).items() if v != Spec.model_fields[k].default})).pinned()
    opened = Store(store)
    if job.kept(opened):
        print(f"{job.title} is already done, run {job.id}", file=sys.stderr)
    try:
        with Progress([job], quiet=json) as progress:
            result = run(
                job.spec,
                opened,
                model=job.model,
                data=job.data,
                device=device,
                data_dir=data_dir,
                on_row=lambda row: progress.update(job, row),
            )
            progress.end(job)
    except (MemoryError, RuntimeError, ValueError) as error:  # torch's, for what does not fit or go together
        advice = "; a smaller model, n or batch may do" if "memory" in f"{type(error).__name__} {error}".lower() else ""
        raise ShatterlabError(f"{job.title} failed: {type(error).__name__}: {error}{advice}.") from None
    if json:
        print_json(result.summary())
    else:
        print(_final_line(result))


command.__annotations__["dials"] = tyro.conf.OmitArgPrefixes[Dials]  # type: ignore[valid-type, misc]


def _final_line(result: "Result") -> str:
    from .terminal import duration

    last = result.last
    fitted = "" if last.corrupted_fitted is None else f", {100 * last.corrupted_fitted:.2f} % of the corrupted fitted"
    stopped = f"; fitted at step {result.fit_step:,}" if result.fit_step else ""
    if result.validation_epoch:
        early = 100 * (result.validation_test_accuracy or 0)
        stopped += f"; validation would stop at epoch {result.validation_epoch} with test {early:.2f} %"
    return (
        f"{result.spec.title} on {result.spec.data}, n = {result.n:,}, {result.parameters:,} parameters: after epoch "
        f"{last.epoch} ({last.step:,} steps) train {100 * (last.train_accuracy or 0):.2f} % (loss {last.train_loss:.4f}"
        f"{fitted}), test {100 * (last.test_accuracy or 0):.2f} %{stopped}; {duration(result.seconds)}, run {result.id}"
    )
