"""The command line. Each command is a function; tyro makes flags of its arguments.

Only `run` and `train` import torch, and only once they start, so that everything else answers at once.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .errors import ShatterlabError
from .results.store import DEFAULT_STORE, Store
from .spec import Spec, make_spec

if TYPE_CHECKING:
    import polars as pl

    from .results import Result

Device = Literal["auto", "cpu", "cuda"]
StoreDir = Annotated[Path, tyro.conf.arg(help="Folder of the runs.")]
DataDir = Annotated[
    Path | None, tyro.conf.arg(help="Folder looked in first for data; then $SHATTERLAB_DATA and the cache.")
]
Json = Annotated[bool, tyro.conf.arg(help="Print JSON instead of text.")]

QUESTION = "Does this network memorize or does it generalize, and why?"

app = tyro.extras.SubcommandApp()


@app.command(name="list")
def list_(
    what: Annotated[
        Literal["all", "datasets", "corruptions", "models", "studies"],
        tyro.conf.Positional,
        tyro.conf.arg(help="Default: all."),
    ] = "all",
    /,
    json: Json = False,
) -> None:
    """Show what there is: data sets and where they were found, corruptions, models with parameter counts, studies.

    Example: shatterlab list models
    """
    from .listing import LISTS

    chosen = {name: make() for name, make in LISTS.items() if what in ("all", name)}
    if json:
        _print_json(chosen)
        return
    from .terminal import print_records

    for name, lines in chosen.items():
        print_records(lines, name)
        print()


@app.command
def data(
    action: Annotated[Literal["fetch", "verify"], tyro.conf.Positional],
    name: Annotated[str, tyro.conf.Positional],
    /,
    data_dir: DataDir = None,
) -> None:
    """Download a data set, or check one on disk.

    Example: shatterlab data fetch cifar10

    Args:
        action: fetch downloads (with checksum); verify reads everything and compares published checksums.
        name: A data set, see `shatterlab list datasets`.
    """
    from .data import fetch_dataset, verify_dataset

    if action == "fetch":
        print(f"{name} is in {fetch_dataset(name, data_dir)}")
    else:
        print("\n".join(verify_dataset(name, data_dir)))


@app.command
def run(
    study: Annotated[str, tyro.conf.Positional],
    /,
    scale: Literal["demo", "cpu", "paper"] = "demo",
    data: str | None = None,
    store: StoreDir = DEFAULT_STORE,
    device: Device = "auto",
    seeds: int = 1,
    jobs: int | None = None,
    data_dir: DataDir = None,
) -> None:
    """Do all missing runs of a study, then say what came out. Ctrl-C loses at most ten seconds or an epoch.

    Examples: shatterlab run all; shatterlab run table1 --scale cpu --seeds 3

    Args:
        study: A study, see `shatterlab list studies`, or all.
        scale: demo takes minutes, cpu hours on a workstation, paper is the paper's own size.
        data: Data set. Default: cifar10; at scale demo the bundled digits where cifar10 cannot be had.
        device: auto is CUDA where there is one.
        seeds: Seeds of each run, from 0.
        jobs: Runs at a time. Default: one a core on the CPU as memory allows, one on CUDA.
    """
    from .commands import run_studies

    run_studies(study, scale, data, store, device, seeds, jobs, data_dir)


# A copy of Spec whose every dial may be left out: tyro makes the flags, Spec fills in and checks.
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
        for _name in [name.upper()]
    ],
)


@app.command
def train(
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
    from .commands import train_one

    train_one(make_spec(**vars(dials)), store, device, data_dir, as_json=json)


train.__annotations__["dials"] = tyro.conf.OmitArgPrefixes[Dials]  # type: ignore[valid-type, misc]


@app.command
def show(
    study: Annotated[str | None, tyro.conf.Positional] = None,
    /,
    csv: Annotated[bool, tyro.conf.arg(help="Print CSV instead of a table.")] = False,
    json: Json = False,
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Show the finished runs of a study, or of the whole store, and the verdicts.

    Examples: shatterlab show table1; shatterlab show --csv > runs.csv

    Args:
        study: A study, see `shatterlab list studies`. Default: every run.
    """
    from .results.table import RUN_ORDER
    from .studies import chosen, found_of, tables

    if csv and json:
        raise ShatterlabError("--csv and --json exclude each other; choose one.")
    opened = Store(store)
    results, errors = opened.results()
    if study is not None and study != "all":
        chosen(study)
        wanted = {id for asked in opened.asked() if asked.study == study for id in asked.run_ids}
        results = [result for result in results if result.id in wanted]
    measured = any(found_of(opened, a, [])[1] for a in opened.asked() if study in (None, "all", a.study))
    if not results and not errors and not measured:
        what = f"runs of {study}" if study else "runs"
        raise ShatterlabError(
            f"the store {store} holds no finished {what}; start with 'shatterlab run {study or 'learning-curves'}'."
        )
    if results or measured:
        table = tables(opened, results).runs
        if results:
            table = table.sort(*RUN_ORDER)
        if (json or csv) and not results:
            # A study that only computes: its records in place of runs.
            table = _records(opened, study)
        if json:
            _print_json(table.to_dicts())
        elif csv:
            print(table.write_csv(), end="")
        else:
            if results:
                _print_runs(results)
            _print_verdicts(opened, results, study)
    if errors:
        raise errors[0]


@app.command
def report(store: StoreDir = DEFAULT_STORE, out: Path | None = None) -> None:
    """Write one self-contained HTML page about the finished runs.

    Example: shatterlab report --out page.html

    Args:
        out: The file. Default: report.html in the store.
    """
    from .report import write

    opened = Store(store)
    results, errors = opened.results()
    if errors and not results:
        raise errors[0]
    path = write(opened, results, out or store / "report.html")
    print(f"Report: {path.resolve()}")
    if errors:
        raise errors[0]


@app.command
def figures(
    study: Annotated[str | None, tyro.conf.Positional] = None,
    /,
    format: Literal["svg", "png", "pdf"] = "svg",
    out: Path = Path("figures"),
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Write print versions of the charts of a study, or of all.

    Example: shatterlab figures table1 --format pdf --out paper/figures

    Args:
        study: A study, see `shatterlab list studies`. Default: all that have been run.
        format: svg and pdf are vector graphics; png has 300 dots an inch.
        out: Folder of the files.
    """
    from .report import write_figures
    from .studies import chosen

    if study is not None:
        chosen(study)
    opened = Store(store)
    results, errors = opened.results()
    for path in write_figures(opened, results, out, format, study):
        print(path)
    if errors:
        raise errors[0]


@app.command
def watch(
    store: StoreDir = DEFAULT_STORE,
    port: int = 8642,
    host: str = "127.0.0.1",
    open: bool = False,
) -> None:
    """Show the report in the browser while runs are going; it changes as they do. Ctrl-C ends it.

    Example: shatterlab watch --open

    Args:
        port: To listen on; 0 takes a free one.
        host: Address to listen on. Anything but this one lets the network read the results.
        open: Open the browser.
    """
    from .watch import serve

    serve(Store(store), port, host=host, open_browser=open)


def _records(store: Store, study: str | None) -> "pl.DataFrame":
    """What studies computed, a line a record; values that are no single number or word as JSON."""
    import polars as pl

    from .studies import found_of

    lines = [
        {"study": asked.study, "scale": asked.scale}
        | {k: dumps(v) if isinstance(v, list | dict) else v for k, v in line.items()}
        for asked in store.asked()
        if study in (None, "all", asked.study)
        for measurement in found_of(store, asked, [])[1]
        for line in measurement.lines()
    ]
    return pl.DataFrame(lines, infer_schema_length=None)


def _print_runs(results: "Sequence[Result]") -> None:
    from .results.table import RUN_ORDER
    from .terminal import print_records

    summaries = {result.id: result.summary() for result in results}
    ordered = sorted(results, key=lambda result: [summaries[result.id][column] for column in RUN_ORDER])
    print_records([result.brief() for result in ordered])


def _print_verdicts(store: Store, results: "Sequence[Result]", study: str | None) -> None:
    from .studies import STUDIES, found_of, tables
    from .terminal import print_study

    for asked in store.asked():
        runs, measured = found_of(store, asked, results)
        if not (runs or measured) or asked.study not in STUDIES or study not in (None, "all", asked.study):
            continue
        whole = len(asked.run_ids) + len(asked.measurement_ids)
        missing = whole - len(runs) - len(measured)
        note = f", {missing} of {whole} runs missing" if missing else ""
        print(f"\n{asked.study} ({asked.scale}, {asked.data}{note})")
        print_study(STUDIES[asked.study], tables(store, runs, measured))


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def _print_next() -> None:
    """What to do next, for somebody who typed the bare name."""
    print(f"{QUESTION}\n")
    steps = {
        "shatterlab run all": "every study at its smallest size, in minutes",
        "shatterlab run learning-curves": "one of them; `shatterlab list studies` names all",
        "shatterlab watch --open": "the results in the browser, while they arrive",
        "shatterlab report": "the results as one HTML page",
        "shatterlab train --model alexnet --corruption random-labels --n 1000 --stop fit": "one run of your own",
        "shatterlab run --help": "every command explains itself",
    }
    for command, what in steps.items():
        print(f"  {command}\n      {what}")
    finished = len(list(DEFAULT_STORE.glob("*/result.json"))) + len(list(DEFAULT_STORE.glob("measured/*.json")))
    if finished:
        print(f"\n{DEFAULT_STORE} here holds {finished:,} finished runs: go on with 'shatterlab report'.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a `ShatterlabError` is printed as a sentence, exit code 2."""
    if not (sys.argv[1:] if arguments is None else arguments):
        _print_next()
        return
    try:
        app.cli(
            prog="shatterlab",
            description=f"{QUESTION} Start with: shatterlab run all",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except ShatterlabError as error:
        print(f"shatterlab: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nshatterlab: stopped. Run the same command again to go on where it was left.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader, `head` say, has what it wanted
        sys.exit(0)
