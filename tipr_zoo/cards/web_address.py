"""Forms of web addresses. One whose form leads nowhere is told before anybody follows it; nothing is fetched.

Types are evaluated here and not kept as text, see `tipr_zoo.cards.schema`.
"""

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from tipr_zoo.schemas.marks import Rules, must_be
from tipr_zoo.schemas.value_kinds import Text

SWITCHED_OFF = ("paperswithcode.com", "goo.gl", "git.io")
"""Services whose addresses no longer lead where they led."""

NOBODY = ("localhost", "invalid", "test", "local", "example")
"""Last parts of names that no host of the web has."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_ARXIV = re.compile(r"/(?:abs|pdf|html)/(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?/?")
_REPOSITORY = re.compile(r"/[\w.-]+/[\w.-]+(?:/.*)?")
_DOI = re.compile(r"/10\.\d{4,9}/\S+")


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address. None for a text that is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    is_plain = url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    return parts if is_plain and parts.scheme in ("http", "https") else None


def _of(hosts: tuple[str, ...], is_right: Callable[[SplitResult], bool]) -> Callable[[str], bool]:
    """Return a rule for the addresses of some hosts, which tells nothing of others."""

    def rule(url: str) -> bool:
        parts = _parts(url)
        host = (parts.hostname or "").removeprefix("www.") if parts else ""
        return parts is None or host not in hosts or is_right(parts)

    return rule


def _is_web(url: str) -> bool:
    parts = _parts(url)
    host = parts.hostname or "" if parts else ""
    return bool(_HOST.fullmatch(host)) and host.rpartition(".")[2] not in NOBODY


WEB_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (_is_web, must_be("a web address, https://HOST/...")),
    (
        _of(SWITCHED_OFF, lambda parts: False),
        "{key!r} leads nowhere: that service was switched off; name the publication itself, got {value!r}",
    ),
    (
        _of(("arxiv.org", "export.arxiv.org"), lambda parts: bool(_ARXIV.fullmatch(parts.path))),
        "{key!r} leads nowhere: an address at arXiv is like https://arxiv.org/abs/2303.12501, got {value!r}",
    ),
    (
        _of(("github.com",), lambda parts: bool(_REPOSITORY.fullmatch(parts.path))),
        "{key!r} leads nowhere: an address at GitHub names owner and repository, got {value!r}",
    ),
    (
        _of(("doi.org", "dx.doi.org"), lambda parts: bool(_DOI.fullmatch(parts.path))),
        "{key!r} leads nowhere: an address at doi.org is like https://doi.org/10.1145/3786798, got {value!r}",
    ),
)
"""What an address must fulfil, and the message for one that does not."""

WebAddress = Annotated[Text, Rules(WEB_RULES)]


def is_web_address(url: str | None) -> bool:
    """Tell whether a link may lead to an address. A card can come from anybody and may name ``javascript://``.

    >>> is_web_address("https://arxiv.org/abs/2307.09059"), is_web_address("javascript://alert"), is_web_address(None)
    (True, False, False)
    """
    return url is not None and url.startswith(("https://", "http://"))
