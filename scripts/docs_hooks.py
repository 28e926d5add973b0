"""What the site needs beyond the pages: links that lead out of docs become plain names, as it has no such pages."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace `[text](../path)` by the text and the path in the repository."""
    return _OUTSIDE.sub(lambda found: _plain(found[1], found[2]), markdown)


def _plain(text: str, path: str) -> str:
    return f"`{path}`" if text in path else f"{text} (`{path}`)"
