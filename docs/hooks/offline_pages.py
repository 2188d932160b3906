"""A check that no page loads anything from the network: no font, script, style sheet or picture."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.exceptions import PluginError

_REMOTE = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that loads something from the network. MkDocs calls this with every page as it is written."""
    if found := _REMOTE.search(output):
        raise PluginError(f"{page.file.src_uri} takes something from the network: {found[0]}")
    return output
