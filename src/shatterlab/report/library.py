"""Vega, Vega-Lite and Vega-Embed as one script that needs no network."""

import hashlib
from importlib.metadata import version

from platformdirs import user_cache_path

from ..files import write_whole


def chart_library() -> str:
    """The script that draws the charts of a page; sets `window.vegaEmbed`.

    vl-convert takes two seconds to put the script together, so that it is kept in the user's cache. The first line of
    the file is a hash of the script, without which a damaged cache would leave every later page without its charts.
    """
    kept = user_cache_path("shatterlab") / f"vega-{version('vl-convert-python')}.js"
    try:
        checksum, _, script = kept.read_text(encoding="utf-8").partition("\n")
        if checksum == _checksum(script):
            return script
    except (OSError, ValueError):
        pass
    import vl_convert

    script = vl_convert.javascript_bundle().replace("</script", "<\\/script")  # type: ignore[call-arg]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, f"{_checksum(script)}\n{script}")
    except OSError:
        pass  # a cache that cannot be written only costs the two seconds again
    return script


def _checksum(script: str) -> str:
    return "// " + hashlib.sha256(script.encode()).hexdigest()
