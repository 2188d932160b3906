"""Where a gallery is that a server keeps: one address, whose password is never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import GalleryError
from tipr_zoo.terminal.escaping import escaped

GALLERY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""What every server takes as a name, of a schema or of a collection."""

TIMEOUT = 60.0
"""Seconds that one request to a server may take, where the address does not say ``?timeout=``."""

_PASSWORD = re.compile(r"(?<=://)([^:/@?]*):.*@", re.S)
_SECRET_OPTION = re.compile(r"(?i)\b([a-z]*(?:password|token|secret)[a-z]*=)[^&]*")


@dataclass(frozen=True)
class ServerAddress:
    """The parts of an address such as ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE/GALLERY?timeout=5``.

    Attributes:
        shown: The address as messages show it: without the password.
        scheme: What stands before ``://``.
        host: Name or number of the machine.
        port: Its port.
        gallery: The gallery's name.
        database: The database; an empty text where the address has none.
        user: The user; an empty text for the server's or the system's own.
        password: The password; an empty text where the address has none.
        timeout: Seconds that one request may take.
        options: What stands behind ``?``, by name, without ``timeout``.
    """

    shown: str
    scheme: str
    host: str
    port: int
    gallery: str
    database: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = TIMEOUT
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def error(self, message: str) -> GalleryError:
        """Make the error of this place, in one line; the password is cut out of whatever a server says.

        Args:
            message: What is wrong, and what to do.
        """
        text = " ".join(message.split())
        return GalleryError(f"{self.shown}: {text.replace(self.password, '***') if self.password else text}")


def without_password(address: str) -> str:
    """Return an address as it may be shown, no matter how it is written.

    >>> without_password("postgresql://me:pass/w@rd@127.0.0.1/people/crops?sslpassword=x")
    'postgresql://me:***@127.0.0.1/people/crops?sslpassword=***'
    """
    return _SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", address))


def parse_address(address: str, port: int, form: str, options: tuple[str, ...] = ()) -> ServerAddress:
    """Read the address of a gallery on a server.

    Args:
        address: The address.
        port: The port where it names none.
        form: How such an address is written, e.g. ``"postgresql://USER@HOST:PORT/DATABASE/GALLERY"``; as many names
            after the port as there are here.
        options: Names that may stand behind ``?``, besides ``timeout``.

    Raises:
        GalleryError: The address is not of this form.
    """
    shown = escaped(without_password(address))

    def wrong(reason: str) -> GalleryError:
        return GalleryError(f"{shown}: {reason}; an address is written {form}")

    if not address.isprintable() or any(character.isspace() for character in address):
        raise wrong("blanks and characters that cannot be printed must be percent-encoded")
    try:
        parts = urlsplit(address)
        host, given_port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong("host or port cannot be read (a password's : / ? # @ are written %3A %2F %3F %23 %40)") from None
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    if parts.fragment or len(names) != form.count("/") - 2 or not all(names):
        raise wrong("a name is missing or left over (in names and passwords, / ? # @ are written %2F %3F %23 %40)")
    if not host and "host" not in options:
        raise wrong("the host is missing")
    if not GALLERY_NAME.fullmatch(names[-1]):
        raise wrong(_wrong_name(names[-1]))
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in given:
        if name not in (*options, "timeout"):
            raise GalleryError(f"{shown}: {unknown_name('option', name, [*options, 'timeout'])}")
    return ServerAddress(
        shown,
        parts.scheme,
        host,
        port if given_port is None else given_port,
        names[-1],
        names[0] if len(names) > 1 else "",
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        _seconds(given.pop("timeout", ""), wrong),
        given,
    )


def _wrong_name(name: str) -> str:
    fitting = re.sub(r"[^A-Za-z0-9_]", "_", name)[:40]
    fitting = fitting if GALLERY_NAME.fullmatch(fitting) else f"g{fitting}"[:40]
    return (
        f"the gallery's name {name!r} must be at most 40 letters, digits and _ and begin with no digit; try {fitting}"
    )


def _seconds(text: str, wrong: Callable[[str], GalleryError]) -> float:
    if not text:
        return TIMEOUT
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) or not float(text):
        raise wrong(f"the timeout must be seconds above 0, got {text!r}")
    return float(text)
