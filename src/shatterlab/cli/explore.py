"""`shatterlab explore`: the explorables as a page of their own."""

from pathlib import Path

from ..files import path_of


def command(out: Path = Path("explore.html")) -> None:
    """Write one HTML page with five experiments that run in the browser; it needs no data and no connection.

    Example: shatterlab explore --out explore.html

    Args:
        out: The file.
    """
    from ..report import write_explore

    print(f"Try it: {write_explore(path_of(out, 'the page')).resolve()}")
