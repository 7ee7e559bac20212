"""The house rule: which part may import which. The table of CONTRIBUTING.md is the architecture."""

import ast
import re
from pathlib import Path

import pytest

import shatterlab

ROOT = Path(shatterlab.__file__).parent
CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"


def names(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def read_table() -> dict[str, set[str] | None]:
    """What each part may import; None for everything."""
    text = CONTRIBUTING.read_text()
    floor = names(re.search(r"^The floor is (.*)\.$", text, re.MULTILINE)[1])  # type: ignore[index]
    may: dict[str, set[str] | None] = {}
    for parts, _, imports in re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE):
        allowed = names(imports) | (floor if "the floor" in imports else set())
        assert allowed or imports in ("everything", "nothing of ours"), f"what is {imports!r}?"
        may |= dict.fromkeys(names(parts), None if imports == "everything" else allowed)
    return may


MAY_IMPORT = read_table()
NEED_TORCH = {
    "training",
    "preparation",
    "spine",
    "learners/networks",
    "engines",
    "models/mlp",
    "models/alexnet",
    "models/inception",
    "models/content",
    "models/generators",
    "models/initialization",
    "models/own",
    "models/dropout",
    "models/lenet",
    "models/densenet",
    "models/zoo",
    "models/blocks",
    "models/googlenet",
    "models/imagenet_alexnet",
    "models/inception_v3",
    "models/resnet",
    "models/vgg",
    "theory/networks",
}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The parts of the house that a file imports, wherever in the file."""
    package = path.relative_to(ROOT.parent).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            target = (*base, *(node.module.split(".") if node.module else ()))
            if target and target[0] == "shatterlab":
                found |= {target[1]} if len(target) > 1 else {alias.name for alias in node.names}
    return found


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_imports_only_what_its_part_may(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is not in the table of CONTRIBUTING.md: decide what it may import"
    allowed = MAY_IMPORT[part]
    if allowed is not None:
        assert imported_parts(path) <= allowed | {part}


def test_the_table_names_only_parts_that_there_are() -> None:
    there = {part_of(path) for path in FILES}
    assert MAY_IMPORT.keys() == there
    assert set().union(*(allowed or set() for allowed in MAY_IMPORT.values())) <= there


def test_no_study_imports_another() -> None:
    from shatterlab.studies import STUDIES

    studies = {study.jobs.__module__.rpartition(".")[2] for study in STUDIES.values()}
    for name in studies:
        tree = ast.parse((ROOT / "studies" / f"{name}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1}
        assert not imported & studies


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_parts_that_train_import_torch(path: Path) -> None:
    names = {
        alias.name.split(".")[0]
        for node in ast.parse(path.read_text()).body  # at the top level: what runs on import
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
    }
    where = str(path.relative_to(ROOT)).removesuffix(".py")
    if "torch" in names:
        assert where in NEED_TORCH or part_of(path) in NEED_TORCH
