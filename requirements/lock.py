"""Writes the hashes of what `make demo` and `make test` install, for every platform and Python that we support.

`make lock` runs this after a change of pyproject.toml or of constraints.txt, which says the versions. Four files are
written: demo.txt and test.txt; cuda.txt, the libraries that torch from PyPI asks for on Linux alone; and cpu.txt, the
build of torch that asks for none. PyTorch's own index has it, a tenth of the size, and so may a folder given to pip.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HEAD = "# Written by `make lock` from pyproject.toml and constraints.txt.\n"
ASKED = {"demo.txt": [], "test.txt": ["--extra", "dev"]}
FOR_ALL = "--universal --python-version 3.11 --constraint constraints.txt --generate-hashes --no-header --no-annotate"

# For Python 3.11 to 3.14 on Linux, on x86-64 and 64-bit ARM, copied from PyTorch's index, as no tool reads them there
# without writing the address of that index into what it locks. The one for Python 3.11 on x86-64 has been installed.
TORCH = "torch==2.13.0"
TORCH_CPU = """
6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7
4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2
6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604
3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6
0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d
d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691
ca021f9eb2f8345c83fa03e3a04587308afb8df71bd472670b3ece00df58621c
"""


def locked(options: list[str]) -> list[str]:
    """Each package with its hashes, in order; hatchling and editables, which install the project, are among them."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "-", *options, *FOR_ALL.split()],
        input="hatchling\neditables", cwd=HERE.parent, check=True, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return re.split(r"^(?=\S)", done.stdout, flags=re.MULTILINE)[1:]


def main() -> None:
    """Writes the four files."""
    texts = {"cpu.txt": " \\\n    --hash=sha256:".join([f"{TORCH}+cpu", *TORCH_CPU.split()]) + "\n"}
    for name, options in ASKED.items():
        packages = locked(options)
        assert any(package.startswith(f"{TORCH} ") for package in packages), "a new torch: change the hashes above too"
        cuda = [package for package in packages if re.match("nvidia-|cuda-|triton=", package)]
        texts |= {name: "".join(package for package in packages if package not in cuda), "cuda.txt": "".join(cuda)}
    for name, text in texts.items():
        (HERE / name).write_text(HEAD + text, encoding="utf-8")


if __name__ == "__main__":
    main()
