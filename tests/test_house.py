"""The house rule: which part may import which. The table is the architecture."""

import ast
from pathlib import Path

import pytest

import shatterlab

ROOT = Path(shatterlab.__file__).parent
FLOOR = {"errors", "faces", "seeds", "spec", "row"}
MAY_IMPORT = {
    "errors": set(),
    "seeds": set(),
    "spec": {"errors", "faces"},
    "row": set(),
    "paper": {"spec"},
    "faces": set(),
    "data": FLOOR,
    "models": FLOOR,
    "corruption": {"data", *FLOOR},
    "training": {"data", "models", *FLOOR},
    "theory": set(),
    "results": FLOOR,
    "spine": {"data", "models", "corruption", "training", "results", *FLOOR},
    "engines": {"spine", "results", "data", "training", *FLOOR},
    "figures": set(),
    "studies": {"corruption", "data", "results", "figures", "paper", "models", "theory", *FLOOR},
    "report": {"studies", "results", "figures", "paper", *FLOOR},
    "watch": {"report", "results", *FLOOR},
    "listing": {"corruption", "data", "models", "studies"},
    "progress": FLOOR,
    "terminal": {"studies"},
    "commands": {"data", "engines", "progress", "report", "results", "spine", "studies", "terminal", "theory", *FLOOR},
}
ENTRANCES = {"__init__", "__main__", "cli"}  # may import everything
NEED_TORCH = {
    "training",
    "spine",
    "engines",
    "commands",
    "models/mlp",
    "models/alexnet",
    "models/inception",
    "models/initialization",
    "models/dropout",
    "models/lenet",
    "models/densenet",
    "models/zoo",
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
    if part in ENTRANCES:
        return
    assert part in MAY_IMPORT, f"{part} is not in the table: decide what it may import"
    allowed = MAY_IMPORT[part] | {part}
    assert imported_parts(path) <= allowed


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
