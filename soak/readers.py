"""Every reader of files that the laboratory has, intact files for each, and what may come of one that is changed."""

import json
import random
import shutil
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mutations import mutated, mutated_json

OUTCOMES = (
    "read",
    "refused",
    "raw error",
    "bad sentence",
    "ran or wrote",
    "too much memory",
    "too slow",
    "crash",
    "hang",
)
READ, REFUSED, RAW, SENTENCE, RAN, MEMORY, SLOW, CRASH, HANG = range(len(OUTCOMES))


def _as_it_is(content: bytes) -> bytes:
    return content


class Seed(NamedTuple):
    """An intact content, and what is done to it after it was changed, such as packing it anew with a right checksum."""

    content: bytes
    pack: Callable[[bytes], bytes] = _as_it_is
    json: str = ""
    """`whole` where the content is JSON, `lines` where each line is."""


class Reader(NamedTuple):
    """A reader under test.

    Args:
        seeds: intact files, at least one.
        path: where the changed file lies.
        read: reads what lies there, as users do.
        traps: hostile files that are changed, too.
    """

    seeds: Sequence[Seed]
    path: Path
    read: Callable[[], object]
    traps: Sequence[Seed] = ()


def input_of(reader: Reader, draw: random.Random) -> bytes:
    """A file that this reader gets."""
    seed = draw.choice(reader.traps if reader.traps and draw.random() < 0.03 else reader.seeds)
    other = draw.choice(reader.seeds).content
    if draw.random() < 0.01:
        return seed.pack(seed.content)
    if seed.json and draw.random() < 0.7:
        if seed.json == "whole":
            return seed.pack(mutated_json(draw, seed.content))
        lines = seed.content.splitlines()
        place = draw.randrange(len(lines))
        lines[place] = mutated_json(draw, lines[place])
        return seed.pack(b"\n".join(lines) + b"\n")
    return seed.pack(mutated(draw, seed.content, other))


def readers(root: Path, only: str | None = None) -> dict[str, Reader]:
    """All readers by name, each with surroundings of its own below `root`."""
    made = {}
    for name, make in MAKERS.items():
        if only in (None, name):
            folder = root / name.replace(" ", "-")
            folder.mkdir(parents=True)
            made[name] = make(folder)
    if not made:
        raise SystemExit(f"there is no reader '{only}'; there are {', '.join(MAKERS)}")
    return made


def _load(name: str, folder: Path) -> Callable[[], object]:
    from shatterlab.data import addresses, finding, load

    def read() -> object:
        addresses._read.cache_clear()
        finding._load_from.cache_clear()
        return load(name, folder)

    return read


def _gzipped(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, 1, mtime=0)


def _idx(*, gz: bool) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        import numpy as np

        from shatterlab.data import mnist
        from shatterlab.data.mnist import FILES

        mnist.SIZES, mnist.SIDE = (12, 12), 5
        rng = np.random.default_rng(0)
        images, labels = rng.integers(256, size=(12, 5, 5)), np.arange(12) % 10
        contents = []
        for array in (images, labels):
            head = b"\0\0\x08" + bytes([array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            contents.append(head + array.astype(np.uint8).tobytes())
        (folder / "mnist").mkdir()
        for name, content in zip(FILES, contents * 2, strict=True):
            (folder / "mnist" / name).write_bytes(content)
        path = folder / "mnist" / FILES[0]
        seeds = (
            [Seed(_gzipped(contents[0])), Seed(contents[0], _gzipped)] if gz else [Seed(contents[0]), Seed(contents[1])]
        )
        long = b"\0\0\x08\x03" + (3_000_000).to_bytes(4, "big") + (32).to_bytes(4, "big") * 2
        traps = [Seed(_gzipped(long + bytes(5 * 10**7)))] if gz else [Seed(long)]
        return Reader(seeds, path, _load("mnist", folder), traps)

    return make


def _npz(folder: Path) -> Reader:
    import io
    import zipfile

    import numpy as np

    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {
        "x_train": rng.integers(256, size=(12, 3, 3), dtype=np.uint8), "y_train": np.arange(12) % 3,
        "x_test": rng.integers(256, size=(4, 3, 3), dtype=np.uint8), "y_test": np.arange(4) % 3,
    }  # fmt: skip
    texts: dict[str, np.ndarray] = {"x_train": rng.normal(size=(12, 2)), "y_train": np.array(list("abcd" * 3))}

    def saved(save: Callable[..., None], arrays: dict[str, np.ndarray]) -> bytes:
        file = io.BytesIO()
        save(file, **arrays)
        return file.getvalue()

    def in_archive(member: bytes, key: str = "x_train") -> bytes:
        """An archive whose checksums are right, whatever the member holds."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in parts.items():
                if name != key:
                    one = io.BytesIO()
                    np.save(one, array)
                    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), one.getvalue())
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), member, zipfile.ZIP_DEFLATED)
        return file.getvalue()

    member, labels = io.BytesIO(), io.BytesIO()
    np.save(member, parts["x_train"])
    np.save(labels, texts["y_train"])
    seeds = [
        Seed(saved(np.savez, parts)), Seed(saved(np.savez_compressed, parts)), Seed(saved(np.savez_compressed, texts)),
        Seed(member.getvalue(), in_archive), Seed(labels.getvalue(), lambda one: in_archive(one, "y_train")),
    ]  # fmt: skip
    trap = {"x_train": np.zeros((7 * 10**7, 1), np.uint8), "y_train": np.arange(12)}
    nested = b"\x93NUMPY\x01\x00" + (9_000).to_bytes(2, "little") + b"(" * 4_500 + b")" * 4_500
    objects = saved(np.savez, {"x_train": np.array([{}], object), "y_train": np.arange(12)})
    traps = [Seed(saved(np.savez_compressed, trap)), Seed(nested, in_archive), Seed(objects)]
    return Reader(seeds, folder / "own.npz", _load(f"npz:{folder / 'own.npz'}", folder), traps)


def _cifar_files() -> dict[bool, dict[str, bytes]]:
    """The six batches of three images each, in the binary layout (True) and in that of Python."""
    import pickle

    import numpy as np

    from shatterlab.data import cifar10

    cifar10.PER_FILE = 3
    rng = np.random.default_rng(0)
    files: dict[bool, dict[str, bytes]] = {True: {}, False: {}}
    for place, name in enumerate([*cifar10.TRAIN, *cifar10.TEST]):
        pixels, labels = rng.integers(256, size=(3, 3072), dtype=np.uint8), [place, 1, 9]
        files[True][f"{name}.bin"] = b"".join(bytes([y]) + x.tobytes() for x, y in zip(pixels, labels, strict=True))
        batch = {b"batch_label": b"one", b"labels": labels, b"data": pixels, b"filenames": [b"a.png"] * 3}
        files[False][name] = pickle.dumps(batch, place % 5)
    return files


def _cifar_folder(*, binary: bool) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        where = folder / f"cifar-10-batches-{'bin' if binary else 'py'}"
        where.mkdir()
        files = _cifar_files()[binary]
        for name, content in files.items():
            (where / name).write_bytes(content)
        seeds = [*map(Seed, files.values())]
        if not binary:
            seeds += [Seed(content[: -len(content) // 3]) for content in files.values()]
        return Reader(seeds, where / next(iter(files)), _load("cifar10", folder))

    return make


def _cifar_archive(*, binary: bool) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        import io
        import tarfile

        files = _cifar_files()[binary]
        inside = f"cifar-10-batches-{'bin' if binary else 'py'}"

        def packed(form: int, kind: bytes = tarfile.REGTYPE, **more: Any) -> bytes:
            file = io.BytesIO()
            with tarfile.open(fileobj=file, mode="w", format=form, **more) as tar:
                for name, content in files.items():
                    member = tarfile.TarInfo(f"{inside}/{name}")
                    member.type, member.size = kind, len(content)
                    member.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
                    tar.addfile(member, io.BytesIO(content))
            return file.getvalue()

        plain = packed(tarfile.USTAR_FORMAT)
        pax = packed(tarfile.PAX_FORMAT, pax_headers={"comment": "made by hand"})
        sparse = bytearray(packed(tarfile.GNU_FORMAT)[:512])
        sparse[156:157] = tarfile.GNUTYPE_SPARSE
        sparse[483:495] = b"%011o\0" % (3 * 2**30)
        seeds = [Seed(plain, _gzipped), Seed(pax, _gzipped), Seed(plain), Seed(_gzipped(plain))]
        zeros = tarfile.TarInfo(f"{inside}/{next(iter(files))}")
        zeros.size = 5 * 10**7
        traps = [
            Seed(bytes(sparse), _gzipped), Seed(packed(tarfile.GNU_FORMAT, tarfile.SYMTYPE), _gzipped),
            Seed(_gzipped(zeros.tobuf() + bytes(5 * 10**7))),
        ]  # fmt: skip
        path = folder / f"cifar-10-{'binary' if binary else 'python'}.tar.gz"
        return Reader(seeds, path, _load("cifar10", folder), traps)

    return make


def _csv(folder: Path) -> Reader:
    lines = [f"{i},{i / 7:.3f},{'mf'[i % 2]},{['no', 'yes'][i % 2]}" for i in range(20)]
    table = "\n".join(["age,fat,sex,ill", *lines]).encode()
    quoted = "\n".join(["a;ill", *(f'"{i}";"{"x" if i % 2 else "y"} ""z"" "' for i in range(12))]).encode()
    seeds = [Seed(table), Seed(quoted), Seed(b"\xef\xbb\xbf" + table.replace(b",", b"\t"))]
    return Reader(seeds, folder / "own.csv", _load(f"csv:{folder / 'own.csv'}?label=ill", folder))


def _parquet(folder: Path) -> Reader:
    import io

    import polars as pl

    def saved(frame: pl.DataFrame, **how: Any) -> bytes:
        file = io.BytesIO()
        frame.write_parquet(file, **how)
        return file.getvalue()

    frame = pl.DataFrame({"age": range(20), "sex": ["m", "f"] * 10, "fat": [i / 7 for i in range(20)]})
    frame = frame.with_columns(ill=pl.Series(["no", "yes"] * 10))
    ways = ["uncompressed", "snappy", "gzip", "zstd"]
    zeros = saved(
        pl.DataFrame({"a": pl.zeros(5_000_000, pl.Int8, eager=True), "ill": pl.repeat("no", 5_000_000, eager=True)})
    )
    lists = saved(pl.DataFrame({"a": [[0] * 100_000] * 20, "ill": ["no", "yes"] * 10}))
    seeds = [Seed(saved(frame, compression=way)) for way in ways]
    path = folder / "own.parquet"
    return Reader(seeds, path, _load(f"parquet:{path}?label=ill", folder), [Seed(zeros), Seed(lists)])


def _pictures(*, side: bool) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        import io
        import struct
        import zlib

        import numpy as np
        from PIL import Image

        pixels = np.random.default_rng(0).integers(256, size=(9, 8, 3), dtype=np.uint8)
        path = folder / "photos" / "cat" / "0.png"
        for place in range(1, 5):
            other = folder / "photos" / ("cat", "dog")[place % 2] / f"{place}.png"
            other.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(other)

        def saved(kind: str, mode: str = "RGB", **how: Any) -> bytes:
            file = io.BytesIO()
            Image.fromarray(pixels).convert(mode).save(file, kind, **how)
            return file.getvalue()

        def with_checksums(content: bytes) -> bytes:
            """A PNG whose chunks have right checksums, so that what they hold is looked at."""
            result, place = bytearray(content[:8]), 8
            while place + 12 <= len(content):
                size = int.from_bytes(content[place : place + 4], "big")
                chunk = content[place + 4 : place + 8 + size]
                result += content[place : place + 8 + size] + struct.pack(">I", zlib.crc32(chunk))
                place += 12 + size
            return bytes(result)

        head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n"
        for kind, chunk in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(10**7), 9)), (b"IEND", b"")):
            bomb += struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
        smaller = with_checksums(bomb.replace(head, struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 0)))
        script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 9\n(%pipe%touch ran) (w) file\nshowpage\n"
        seeds = [
            Seed(saved("PNG")), Seed(saved("PNG"), with_checksums), Seed(saved("PNG", "P"), with_checksums),
            Seed(saved("JPEG")), Seed(saved("JPEG", progressive=True)), Seed(saved("GIF")), Seed(saved("BMP")),
            Seed(saved("TIFF")), Seed(saved("TIFF", compression="tiff_lzw")), Seed(saved("WEBP")), Seed(saved("PPM")),
        ]  # fmt: skip
        read = _load(f"folder:{folder / 'photos'}" + "?side=8" * side, folder)
        return Reader(seeds, path, read, [Seed(bomb), Seed(smaller), Seed(script)])

    return make


def _checkpoint(folder: Path) -> Reader:
    import torch
    from torch import nn

    from shatterlab import make_spec
    from shatterlab.training.checkpoint import packed, restore
    from shatterlab.training.optimizer import OPTIMIZERS

    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = OPTIMIZERS["sgd"](model.parameters(), make_spec())
    identity = {"run": "a" * 12, "training data": "b" * 64}
    content = packed(model, optimizer, 2, identity)
    size = int.from_bytes(content[:8], "little")
    head, tail = content[8 : 8 + size], content[8 + size :]
    notes = json.loads(head)["__metadata__"]["notes"].encode()

    def with_head(changed: bytes) -> bytes:
        return len(changed).to_bytes(8, "little") + changed + tail

    def with_notes(changed: bytes) -> bytes:
        full = json.loads(head)
        full["__metadata__"]["notes"] = changed.decode("utf-8", "replace")
        return with_head(json.dumps(full).encode())

    first = json.loads(head) | {"__metadata__": {"epoch": "2"}}
    seeds = [
        Seed(content), Seed(head, with_head, "whole"), Seed(notes, with_notes, "whole"),
        Seed(json.dumps(first).encode(), with_head, "whole"),
    ]  # fmt: skip
    path = folder / "checkpoint.safetensors"
    assert torch.get_num_threads()

    def read() -> object:
        return restore(path, model, optimizer, identity)

    return Reader(seeds, path, read)


FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures" / "store-0"


def _store(what: str) -> Callable[[Path], Reader]:
    """A reader of one kind of file in a store."""

    def make(folder: Path) -> Reader:
        from shatterlab import Store
        from shatterlab.results.measurement import Measurement
        from shatterlab.results.result import Result
        from shatterlab.spec import Spec

        run = next(iter(sorted(FIXTURES.glob("*/result.json")))).parent
        shutil.copytree(run, folder / run.name)
        result = Result.model_validate_json((run / "result.json").read_text())
        spec = result.spec
        store = Store(folder)

        def every(pattern: str) -> list[bytes]:
            return [file.read_bytes() for file in sorted(FIXTURES.glob(pattern))]

        if what == "result":
            # The newest layout, which has more fields than that of the fixture.
            seeds = [Seed(result.model_dump_json().encode(), json="whole")] + [
                Seed(content, json="whole") for content in every(f"{run.name}/result.json")
            ]
            return Reader(seeds, folder / run.name / "result.json", lambda: _look(store, store.result(spec)))
        if what == "rows":
            seeds = [Seed(content, json="lines") for content in every("*/rows.jsonl")]
            return Reader(seeds, folder / run.name / "rows.jsonl", lambda: _look_at_rows(store, spec))
        if what == "spec":
            (folder / run.name / "result.json").unlink()
            seeds = [Seed(spec.model_dump_json().encode(), json="whole")] + [
                Seed(content, json="whole") for content in every("*/spec.json")
            ]
            return Reader(seeds, folder / run.name / "spec.json", lambda: [s.title for s, _, _ in store.unfinished()])
        if what == "measurement":
            path = folder / "measured" / next(iter(sorted(FIXTURES.glob("measured/*.json")))).name
            path.parent.mkdir()
            content = (FIXTURES / "measured" / path.name).read_bytes()
            newest = Measurement.model_validate_json(content).model_dump_json().encode()
            seeds = [Seed(content, json="whole"), Seed(newest, json="whole")]

            def read() -> object:
                measurement = store.measured(path.stem)
                return measurement and measurement.lines()

            return Reader(seeds, path, read)
        if what == "request":
            path = folder / "studies" / "memorization.demo.01234567.json"
            path.parent.mkdir()
            asked = {"study": "memorization", "scale": "demo", "data": "digits", "seeds": 1, "run_ids": [run.name]}
            seeds = [Seed(json.dumps(asked).encode(), json="whole")]
            seeds += [Seed(content, json="whole") for content in every("studies/*.json")]
            return Reader(seeds, path, lambda: [asked.setting for asked in store.asked()])
        assert isinstance(spec, Spec)
        return Reader(_examples(), folder / run.name / "examples.npz", lambda: store.examples(spec))

    return make


def _look(store: Any, result: Any) -> object:
    """What `show` and the tables do with a result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return result and (str(result), result.summary(), result.brief(), store.table())


def _look_at_rows(store: Any, spec: Any) -> object:
    """What resuming, `show` and the tables do with rows."""
    rows = store.rows(spec)
    return [(row.parts, row.fitted, row.progress(9)) for row in rows], store.epochs()


def _examples() -> list[Seed]:
    import io

    import numpy as np

    from shatterlab.results.examples import Examples, packed

    def examples(n: int) -> Examples:
        place = np.arange(n)
        return Examples(place, place % 10, place % 7, place % 3 == 0, place % 9)

    content = packed({"train": examples(40), "test": examples(12)})
    plain = io.BytesIO()
    with np.load(io.BytesIO(content)) as archive:
        np.savez(plain, **archive)
    return [Seed(content), Seed(plain.getvalue())]


def _audit(folder: Path) -> Reader:
    from shatterlab import Store
    from shatterlab.report.audits import audit_sections

    (folder / "audits").mkdir()
    content = (Path(__file__).parent / "audit.json").read_bytes()
    store = Store(folder)
    return Reader([Seed(content, json="whole")], folder / "audits" / "a-b-0.json", lambda: audit_sections(store))


def _plan(folder: Path) -> Reader:
    """The plan of an audit that a later one extends."""
    from types import SimpleNamespace

    from shatterlab.auditing import session

    (folder / "audits").mkdir()
    path = folder / "audits" / "a-b-0.plan.json"
    plan = json.dumps({"n": 120, "steps": 40, "answer": "not within this budget, still falling"}).encode()
    sized = SimpleNamespace(n=120, steps=50, costs=None)
    following: Any = SimpleNamespace(follow=lambda generator: sized)
    subject: Any = SimpleNamespace(pool=[0] * 150, networks=None)

    def read() -> object:
        given: Any = None
        return session._sized(following, subject, given, 0, None, None, path, lambda text: None)  # type: ignore[arg-type]

    return Reader([Seed(plan, json="whole")], path, read)


MAKERS: dict[str, Callable[[Path], Reader]] = {
    "idx": _idx(gz=False),
    "idx gzipped": _idx(gz=True),
    "npz": _npz,
    "cifar binary": _cifar_folder(binary=True),
    "cifar pickle": _cifar_folder(binary=False),
    "cifar binary archive": _cifar_archive(binary=True),
    "cifar pickle archive": _cifar_archive(binary=False),
    "csv": _csv,
    "parquet": _parquet,
    "pictures": _pictures(side=False),
    "pictures resized": _pictures(side=True),
    "checkpoint": _checkpoint,
    "result": _store("result"),
    "rows": _store("rows"),
    "spec": _store("spec"),
    "measurement": _store("measurement"),
    "request": _store("request"),
    "examples": _store("examples"),
    "audit": _audit,
    "audit plan": _plan,
}


def trial(reader: Reader, content: bytes) -> tuple[int, str]:
    """Hands a file to a reader; returns the outcome, which is one of the first four, and what was said."""
    from shatterlab import ShatterlabError

    reader.path.write_bytes(content)
    try:
        reader.read()
    except ShatterlabError as error:
        said = str(error)
        if "more memory than there is" in said or "smaller model" in said:  # a library may refuse a frame in such words
            return MEMORY, said
        return (REFUSED if len(said) < 1_000 and said.isprintable() else SENTENCE), said
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, MemoryError):
            return MEMORY, "".join(traceback.format_exception(error)[-2:])
        return RAW, "".join(traceback.format_exception(error)[-3:])
    return READ, ""


def draw_of(seed: int, index: int) -> random.Random:
    """The random numbers of an input, which depend on nothing else."""
    return random.Random(f"{seed}/{index}")
