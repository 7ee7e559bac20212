"""`shatterlab data`: fetch a data set or check one."""

from typing import Annotated, Literal

import tyro

from .flags import DataDir


def command(
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
    from ..data import fetch_dataset, verify_dataset

    if action == "fetch":
        print(f"{name} is in {fetch_dataset(name, data_dir)}")
    else:
        print("\n".join(verify_dataset(name, data_dir)))
