"""The report while runs are going: a small web server that reads the store and writes nothing.

Whoever watches must not slow down what is watched. The store is looked at once for all readers, the files of finished
runs are not read again, an answer is made once and sent to all who lack the same, and the pages of many readers are
told to ask less often.
"""

import asyncio
import gzip
import json
import os
import socket
import webbrowser
from collections import deque
from contextlib import asynccontextmanager, suppress
from html import escape
from pathlib import Path
from secrets import token_hex
from time import monotonic, thread_time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import ShatterlabError
from .machine import raise_file_limit
from .report import Section, live_section, page, sections
from .results import Reader, Store

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAUSE = 0.5
"""Seconds between two looks at the store, at the least, and between two requests of a page."""
SHARE = 0.05
"""Looks may take this share of a core: after one that cost much time the next comes later."""
ANSWERS = 40
"""The requests a second that all pages together may send; with more pages each is told to ask less often."""
LONGEST = 30.0
"""The most seconds that a page is told to wait before it asks again, and that pass between two looks at the store."""
REFRESH = 10.0
"""While runs are unfinished, the page is made anew after so many seconds, as it says when each last wrote."""
THOROUGH = 60.0
"""Seconds after which every file is looked at, also those that somebody may have changed without replacing them."""
SILENT = 10.0
"""Seconds after which a connection on which no request has come is closed."""
BACKLOG = 32
"""At most so many connections are accepted at once, before those that are too many are closed."""
SPARE_FILES = 96
"""So many files that may be open are left to the store and to connections that are about to be closed."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No other page may show ours inside it, embed what it serves, or learn its address."""


class Watched:
    """The page's parts as the store was at the last look.

    Args:
        store: the store.
        pause: seconds between two looks, at the least.
    """

    def __init__(self, store: Store, pause: float = PAUSE) -> None:
        self.store, self.pause = Reader(store.path), pause
        self.parts: list[Section] = []
        self.error = ""
        self._kept: dict[str, Any] = {}
        self._name = token_hex(8)  # random, as a page may stay open while another server starts to count from 0
        self._turn = 0
        self._changed: dict[str, int] = {}
        self._state: object = None
        self._open: list[Path] = []
        self._exists = False
        self._seen = self._next = float("-inf")
        self._answers: dict[int | None, tuple[bytes, bytes]] = {}  # by what a page has; None for the whole page
        self._looking: asyncio.Task[None] | None = None

    @property
    def version(self) -> str:
        """The version of the page, which changes whenever one of its parts does."""
        return f"{self._name}-{self._turn}"

    async def refresh(self) -> None:
        """Looks at the store, unless the last look was just now; everybody who asks meanwhile waits for the same."""
        if self._looking is None and monotonic() >= self._next:
            self._looking = asyncio.create_task(self._look_apart())
        if self._looking is not None:
            await asyncio.shield(self._looking)

    async def _look_apart(self) -> None:
        try:
            await run_in_threadpool(self.look)
        finally:
            self._looking = None

    def look(self) -> None:
        """Looks at the store now; what has not changed since the last look is not made again."""
        began, spent, first = monotonic(), thread_time(), not self.parts
        try:
            state, age = self._now(), began - self._seen
            if state != self._state or age > (REFRESH if self._open else THOROUGH) or self.error:
                self._state, self._seen = state, began
                self._make()
            self.error = ""
        except ShatterlabError as error:
            self.error = str(error)
        cost = (thread_time() - spent) / SHARE if self.pause and not first else 0.0  # the first one reads everything
        self._next = monotonic() + min(LONGEST, max(self.pause, cost))

    def _make(self) -> None:
        self.store.forget_unreadable()
        results = self.store.results()
        parts = [live_section(self.store, results), *sections(self.store, results, self._kept)]
        self._open = [path.parent / "rows.jsonl" for path in self.store.begun()]
        if parts == self.parts:
            return
        before = {part.id: part for part in self.parts}
        self._turn += 1
        self._changed = {
            part.id: self._changed[part.id] if part == before.get(part.id) else self._turn for part in parts
        }
        self.parts = parts
        self._answers.clear()

    def _now(self) -> object:
        """A cheap fingerprint of the store: of a finished run the folder's time alone, as nothing is written there.

        Raises:
            ShatterlabError: the folder has been taken away, or may not be read.
        """
        state: list[tuple[str, int, int]] = []
        try:
            with os.scandir(self.store.path) as entries:
                for entry in entries:
                    if not entry.is_dir():
                        continue
                    state.append((entry.name, entry.stat().st_mtime_ns, 0))
                    if entry.name in ("measured", "studies", "audits"):
                        with os.scandir(entry.path) as files:
                            state += [(file.path, *_marks(file)) for file in files if file.name.endswith(".json")]
        except FileNotFoundError:
            if self._exists:
                raise ShatterlabError(
                    f"{self.store.path} is gone; put it back, or end this with Ctrl-C and watch another."
                ) from None
            return None
        except OSError as error:
            raise ShatterlabError(f"{self.store.path} cannot be read ({error.strerror}); trying again.") from None
        self._exists = True
        state += [(str(path), *_marks(path)) for path in self._open]
        return sorted(state)

    def answer(self, since: str) -> tuple[bytes, bytes] | None:
        """What a page lacks that has the version `since`: JSON, plain and compressed; None if that is nothing."""
        if since == self.version:
            return None
        name, _, turn = since.rpartition("-")
        known = min(int(turn), self._turn) if name == self._name and turn.isdecimal() and len(turn) < 20 else -1
        if known not in self._answers:
            lacking = [vars(part) for part in self.parts if self._changed[part.id] > known]
            whole = {"version": self.version, "order": [part.id for part in self.parts], "parts": lacking}
            self._answers[known] = _compressed(json.dumps(whole, separators=(",", ":")))
        return self._answers[known]

    def whole(self) -> tuple[bytes, bytes]:
        """The whole page, plain and compressed."""
        if None not in self._answers:
            self._answers[None] = _compressed(page(self.parts, live=True))
        return self._answers[None]


def _marks(file: "os.DirEntry[str] | Path") -> tuple[int, int]:
    with suppress(OSError):
        status = file.stat()
        return status.st_mtime_ns, status.st_size
    return 0, 0


class Pace:
    """Tells pages when to ask again, so that all of them together ask about `ANSWERS` times a second."""

    def __init__(self) -> None:
        self.seconds = PAUSE
        self._asked: deque[float] = deque()

    def asked(self) -> float:
        """Notes a request; returns the seconds after which the page that sent it shall ask again."""
        now = monotonic()
        self._asked.append(now)
        while self._asked[0] < now - self.seconds:
            self._asked.popleft()
        # Each page asks about once in self.seconds, so the times kept here are about as many as there are open pages.
        self.seconds = min(LONGEST, max(PAUSE, len(self._asked) / ANSWERS))
        return self.seconds


def _compressed(text: str) -> tuple[bytes, bytes]:
    """A text as bytes, plain and compressed."""
    plain = text.encode()
    return plain, gzip.compress(plain, 3)


def application(store: Store, hosts: tuple[str, ...] = LOOPBACK, pause: float = PAUSE) -> Starlette:
    """The web application: the page, and what of it has changed. Nothing else is served, and no file by its path.

    Args:
        store: the store that is watched.
        hosts: names it answers to, so that a foreign page cannot reach it by another name.
        pause: seconds between two looks at the store, at the least.
    """
    watched, pace = Watched(store, pause), Pace()

    def sent(request: Request, content: tuple[bytes, bytes], kind: str) -> Response:
        packed = "gzip" in request.headers.get("accept-encoding", "")
        encoding = {"Content-Encoding": "gzip"} if packed else {}
        return Response(content[packed], media_type=kind, headers={**encoding, "Vary": "Accept-Encoding"})

    async def whole(request: Request) -> Response:
        await watched.refresh()
        if watched.error:
            words = f"<!doctype html><title>shatterlab</title><p>{escape(watched.error)}"
            return Response(words, 503, media_type="text/html")
        return sent(request, await run_in_threadpool(watched.whole), "text/html")

    async def content(request: Request) -> Response:
        await watched.refresh()
        if watched.error:
            response = Response(json.dumps({"error": watched.error}), 503, media_type="application/json")
        else:
            answer = watched.answer(request.query_params.get("since", ""))
            response = Response(status_code=204) if answer is None else sent(request, answer, "application/json")
        response.headers["Ask-Again"] = f"{pace.asked():.2f}"
        return response

    @asynccontextmanager
    async def quiet(app: Starlette) -> Any:
        asyncio.get_running_loop().set_exception_handler(_pass_over_connections)
        yield

    return Starlette(
        routes=[Route("/", whole), Route("/content", content)],
        middleware=[Middleware(_Guard, hosts=frozenset(map(str.lower, hosts)))],
        lifespan=quiet,
    )


def _pass_over_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Says nothing about connections that break or that the system cannot accept, which are no fault of ours."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


class _Guard:
    """Answers to known names only, and says to browsers what they may do with the answers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if _name_in(host) in self.hosts:
            await self.app(scope, receive, guarded)
        else:
            await PlainTextResponse("unknown host", 400)(scope, receive, guarded)


def _name_in(host: str) -> str:
    """The name or address in a Host header, without its port.

    >>> _name_in("[::1]:8642"), _name_in("localhost:8642"), _name_in("box")
    ('::1', 'localhost', 'box')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


class _Connection(H11Protocol):
    """A connection that is closed at once if there are too many, and later if no request comes on it."""

    most = 1024

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self.loop.call_later(SILENT, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def names_of(host: str) -> tuple[str, ...]:
    """The names that a server answers to which listens on this address: its own, and those of the machine if on all."""
    if host in LOOPBACK:
        return LOOPBACK
    if host not in ("0.0.0.0", "::"):
        return (*LOOPBACK, host)
    names = {socket.gethostname(), socket.getfqdn()}
    for name in tuple(names):
        with suppress(OSError):
            names |= {str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(name, None)}
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Nothing is sent: the system only says from which of its addresses it would send.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            names.add(probe.getsockname()[0])
    return (*LOOPBACK, host, *sorted(names))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ShatterlabError: the port is taken, or the address is not this machine's.
    """
    six = ":" in host
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if six else socket.AF_INET, backlog=BACKLOG, dualstack_ipv6=both
        )
    except (OSError, OverflowError) as error:
        raise ShatterlabError(
            f"cannot listen on {f'[{host}]' if six else host}:{port} ({getattr(error, 'strerror', None) or error}); "
            "choose another with --port, 0 takes a free one."
        ) from None


def serve(store: Store, port: int, *, host: str = LOOPBACK[0], open_browser: bool = False) -> None:
    """Serves the page until Ctrl-C.

    Args:
        store: the folder of runs; it may still be empty.
        port: to listen on; 0 takes a free one.
        host: address to listen on; anything but loopback lets the whole network read the store's results.
        open_browser: show the page at once.

    Raises:
        ShatterlabError: the port is taken, or the address is not this machine's.
    """
    listener = listening(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    print(f"Watching {store.path} at {address} (Ctrl-C ends it)", flush=True)
    if open_browser:
        webbrowser.open(address)
    with suppress(AttributeError, OSError):
        os.nice(10)  # the runs come first
    _Connection.most = max(8, raise_file_limit() - SPARE_FILES)
    config = uvicorn.Config(
        application(store, names_of(host)),
        http=_Connection,
        log_level="error",
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
