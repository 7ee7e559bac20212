"""What is installed: every package by its hash, in the version that the constraints say."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, tuple[str, int]]:
    """The version and the number of hashes of each package in a file of `requirements`."""
    packages = re.split(r"^(?=[^\s#])", (LOCKS / name).read_text(), flags=re.MULTILINE)[1:]
    pins = [(re.match(r"([\w.-]+)==([\w.+]+)", text), len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", text))) for text in packages]  # fmt: skip
    return {plain(pin[1]): (pin[2], hashes) for pin, hashes in pins if pin}


@pytest.mark.parametrize("name", ["demo.txt", "test.txt", "cuda.txt", "cpu.txt"])
def test_every_locked_package_has_a_hash(name: str) -> None:
    text = (LOCKS / name).read_text()
    assert len(locked(name)) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) > 0
    assert all(hashes for _, hashes in locked(name).values())


def test_the_locks_hold_the_versions_of_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    constraints = {plain(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line}
    for_browsers = {"httpx2-jsfetch"}  # Python there is another platform, which we do not support
    for name in ("demo.txt", "test.txt"):
        versions = {package: version for package, (version, _) in locked(name).items() if package not in for_browsers}
        assert versions == {package: constraints.get(package) for package in versions}
    assert locked("cpu.txt")["torch"][0] == f"{constraints['torch']}+cpu"


@pytest.mark.parametrize(("name", "extra"), [("demo.txt", None), ("test.txt", "dev")])
def test_everything_that_the_project_asks_for_is_locked(name: str, extra: str | None) -> None:
    asked = PROJECT["dependencies"] + (PROJECT["optional-dependencies"][extra] if extra else [])
    assert {plain(re.match(r"[\w.-]+", each)[0]) for each in asked} <= locked(name).keys()  # type: ignore[index]


def test_nothing_that_computes_on_cards_alone_is_in_the_common_locks() -> None:
    assert not locked("cuda.txt").keys() & (locked("demo.txt").keys() | locked("test.txt").keys())
