"""`shatterlab watch`: the report while runs are going."""

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir


def command(
    store: StoreDir = DEFAULT_STORE,
    port: int = 8642,
    host: str = "127.0.0.1",
    open: bool = False,
) -> None:
    """Show the report in the browser while runs are going; it changes as they do. Ctrl-C ends it.

    Example: shatterlab watch --open

    Args:
        port: To listen on; 0 takes a free one.
        host: Address to listen on. Anything but this one lets the network read the results.
        open: Open the browser.
    """
    from ..watch import serve

    serve(Store(store), port, host=host, open_browser=open)
