"""Vega, Vega-Lite and Vega-Embed as one script that needs no network."""

from importlib.metadata import version

from platformdirs import user_cache_path

from ..files import write_whole


def chart_library() -> str:
    """The script that draws the charts of a page; sets `window.vegaEmbed`.

    vl-convert takes two seconds to put the script together, so that it is kept in the user's cache.
    """
    kept = user_cache_path("shatterlab") / f"vega-{version('vl-convert-python')}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        pass
    import vl_convert

    script: str = vl_convert.javascript_bundle().replace("</script", "<\\/script")  # type: ignore[call-arg]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, script)
    except OSError:
        pass  # a cache that cannot be written only costs the two seconds again
    return script
