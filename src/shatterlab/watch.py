"""The report while runs are going: a small web server that reads the store and writes nothing."""

import socket
import webbrowser
from html import escape
from secrets import token_hex
from threading import Lock
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from .errors import ShatterlabError
from .report import Section, live_section, page, sections
from .results import Reader, Store

LOOPBACK = ("127.0.0.1", "localhost")


class Watched:
    """The page's parts as the store is now; what has not changed since the last look is not made again."""

    def __init__(self, store: Store) -> None:
        self.store = Reader(store.path)
        self.version = ""
        self._parts: list[Section] = []
        self._kept: dict[str, Any] = {}
        self._lock = Lock()

    def look(self) -> tuple[str, list[Section]]:
        """A version that changes when the parts do, and the parts."""
        with self._lock:
            self.store.forget_unreadable()
            results = self.store.results()
            parts = [live_section(self.store, results), *sections(self.store, results, self._kept)]
            if parts != self._parts:
                self._parts = parts
                self.version = token_hex(8)  # no number: a page may outlive the server that counted
            return self.version, self._parts


def application(store: Store, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """The web application: the page, and what of it has changed. Nothing else is served, and no file by its path.

    Args:
        store: read at each look.
        hosts: names it answers to, so that a foreign page cannot reach it by another name.
    """
    watched = Watched(store)

    async def whole(request: Request) -> Response:
        try:
            _, parts = await run_in_threadpool(watched.look)
        except ShatterlabError as error:
            return HTMLResponse(f"<!doctype html><title>shatterlab</title><p>{escape(str(error))}", status_code=503)
        return HTMLResponse(page(parts, live=True))

    async def content(request: Request) -> Response:
        try:
            version, parts = await run_in_threadpool(watched.look)
        except ShatterlabError as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        if request.query_params.get("since") == version:
            return Response(status_code=204)
        return JSONResponse({"version": version, "parts": [vars(part) for part in parts]})

    return Starlette(
        routes=[Route("/", whole), Route("/content", content)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
    )


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
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise ShatterlabError(
            f"cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}); "
            "choose another with --port, 0 takes a free one."
        ) from None
    address = f"http://{host}:{listener.getsockname()[1]}/"
    print(f"Watching {store.path} at {address} (Ctrl-C ends it)", flush=True)
    if open_browser:
        webbrowser.open(address)
    hosts = LOOPBACK if host in LOOPBACK else ("*",)
    config = uvicorn.Config(application(store, hosts), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
