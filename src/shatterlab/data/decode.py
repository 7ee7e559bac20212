"""Tries in a process of its own whether a parquet file can be decoded: a damaged file may crash its decoder.

    python decode.py FILE BYTES

Polars takes memory for counts that it finds in a file, and when the system refuses it, the process ends. BYTES is how
much it may take, which is limited on Linux alone.
"""

import sys
from contextlib import suppress
from pathlib import Path

import polars as pl


def main(path: str, most: int) -> None:
    """Decodes the file; what is wrong with it goes to stderr."""
    with suppress(ImportError, OSError, ValueError):  # Linux alone has all of these
        import resource

        status = Path("/proc/self/status").read_text(encoding="utf-8")
        taken = 1024 * int(status.partition("VmData:")[2].split(None, 1)[0])
        resource.setrlimit(resource.RLIMIT_DATA, (taken + most, taken + most))
    try:
        pl.read_parquet(path)
    except BaseException as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
