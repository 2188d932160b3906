"""The text of an annotation file, in whichever encoding it was saved."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.errors import DataError
from tipr_zoo.outside import files as outside_files
from tipr_zoo.terminal.suggested_command import quoted

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's mark, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_CYRILLIC_WORD = re.compile(
    "[\u0430-\u045f][\u0400-\u042f]"
    "|[A-Za-z][\u0400-\u045f]|[\u0400-\u045f][A-Za-z]"
    "|[\u0400-\u045f][^\\x00-\\x7f\u0400-\u045f][\u0400-\u045f]"
)
_EXCERPT = 24
_SAMPLE = 20_000  # letters beyond ASCII that are looked at: enough to tell a script


@dataclass(frozen=True)
class Text:
    """The text of a file.

    Attributes:
        text: The text, without a mark of its encoding.
        rule: One line that says how it was read, if the file does not say it; None if it does.
    """

    text: str
    rule: str | None = None


@dataclass(frozen=True)
class Reading:
    """One way to read the bytes of a file.

    Attributes:
        encoding: The name that `iconv` and Python know.
        origin: Where files in it come from.
        text: The file, read so.
    """

    encoding: str
    origin: str
    text: str

    def shown(self) -> str:
        """Show the first letters that are not ASCII, with what is around them."""
        place = next(place for place, letter in enumerate(self.text) if not letter.isascii())
        line = self.text[max(0, place - _EXCERPT) : place + _EXCERPT]
        return repr(" ".join("".join(letter if letter.isprintable() else " " for letter in line).split()))


class UnknownEncodingError(ValueError):
    """Bytes that are not UTF-8, and that are not surely something else.

    Attributes:
        start: Place of the first byte that is not UTF-8.
        readings: Every way to read them that gives sensible letters.
    """

    def __init__(self, start: int, readings: list[Reading]) -> None:
        super().__init__(f"not UTF-8 at byte {start}")
        self.start = start
        self.readings = readings

    def message(self, file: Path, place: str) -> str:
        """Write one line with every sensible reading, and the command that saves the file as UTF-8 if it is right.

        Args:
            file: The file.
            place: Where it is not UTF-8, and what follows in the line, e.g. ``"at byte 7:"``.
        """
        if not self.readings:
            return f"{file} is not UTF-8 {place} save it as UTF-8 in the program that wrote it, or copy it again"
        if len(self.readings) == 1:
            (reading,) = self.readings
            return (
                f"{reading.encoding} reads {reading.shown()} where {file} is not UTF-8 {place} save it as UTF-8, or, if"
                f" it is {reading.origin}: {_command(file, reading.encoding)}"
            )
        choices = "; ".join(
            f"if {reading.shown()} is right ({reading.encoding}, {reading.origin}): {_command(file, reading.encoding)}"
            for reading in self.readings
        )
        return f"{file} is not UTF-8 {place} save it as UTF-8, or choose: {choices}"


def read_bytes(file: Path) -> bytes:
    """Read a file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return outside_files.read_bytes(file, outside_files.ANNOTATION_LIMIT)
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}; check the path and its permissions") from error


def decode(file: Path, content: bytes) -> Text:
    """Decode a file: UTF-8, UTF-16 or UTF-32 with its mark, or GB18030 where nothing else makes sense.

    Chinese Excel saves CSV in GB18030. Bytes that are not UTF-8 are read so if every letter beyond ASCII is then a
    Chinese one in common use, and if no other encoding gives sensible letters.

    Args:
        file: The file, for messages.
        content: Its bytes.

    Raises:
        DataError: It begins with a mark of UTF-16 or UTF-32 and goes on otherwise, or it holds zero bytes.
        ValueError: An `UnknownEncodingError`: it is not UTF-8, and several encodings could be meant, or none.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    rule = None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding in ("utf-16", "utf-32"):
            name = encoding.upper()
            raise DataError(
                f"{file} begins as {name} and is not at byte {error.start}; copy it again, or save it as UTF-8"
            ) from error
        readings = [] if _is_damaged(content) else _sensible_readings(content)
        if [reading.encoding for reading in readings] != ["GB18030"]:
            raise UnknownEncodingError(error.start, readings) from error
        text = readings[0].text
        rule = f"{file} is not UTF-8 and is read as GB18030, as Chinese Excel saves it, e.g. {readings[0].shown()}"
    if "\0" in text:
        raise DataError(f"{file} holds zero bytes, as UTF-16 without its mark or a spreadsheet does; save it as UTF-8")
    return Text(text, rule)


def _command(file: Path, encoding: str) -> str:
    """Write the command that saves a file as UTF-8, and keeps the file as it is beside it."""
    name, kept, new = (quoted(f"{file}{ending}") for ending in ("", ".before", ".utf8"))
    return f"iconv -f {quoted(encoding)} -t UTF-8 {name} > {new} && mv {name} {kept} && mv {new} {name}"


def _is_damaged(content: bytes) -> bool:
    """Return whether bytes are UTF-8 but for few: another encoding would then turn the sound letters into others."""
    letters = _beyond_ascii(content.decode("utf-8", errors="replace"))
    damaged = letters.count("\ufffd")
    return len(letters) > 2 * damaged


def _sensible_readings(content: bytes) -> list[Reading]:
    readings = []
    for encoding, origin, is_sensible in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if is_sensible(text):
            readings.append(Reading(encoding, origin, text))
    return readings


def _is_of(letters: str, script: str, at_least: float = 0.0, common: Callable[[str], bool] | None = None) -> bool:
    """Return whether letters beyond ASCII are all of a script or marks, and enough of them in common use."""
    sample = letters[:_SAMPLE]
    own = [letter for letter in sample if unicodedata.name(letter, "").startswith(script)]
    others = (letter for letter in sample if letter.isalpha() and not unicodedata.name(letter, "").startswith(script))
    if not own or any(not _is_wide_latin(letter) for letter in others):
        return False
    return common is None or sum(map(common, own)) >= at_least * len(own)


def _is_wide_latin(letter: str) -> bool:
    return "\uff21" <= letter <= "\uff5a"


def _beyond_ascii(text: str) -> str:
    return re.sub(r"[\x00-\x7f]+", "", text)


def _is_encoded_below(letter: str, encoding: str, first: int, last: int) -> bool:
    """Return whether the first byte of a letter in an encoding lies where that encoding keeps the common ones."""
    try:
        encoded = letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return first <= encoded[0] <= last


def _is_chinese(text: str) -> bool:
    letters = _beyond_ascii(text)
    return _is_of(letters, "CJK UNIFIED", 0.9, lambda letter: _is_encoded_below(letter, "gb2312", 0xB0, 0xD7))


def _is_traditional_chinese(text: str) -> bool:
    letters = _beyond_ascii(text)
    return _is_of(letters, "CJK UNIFIED", 0.9, lambda letter: _is_encoded_below(letter, "big5", 0xA4, 0xC6))


def _is_korean(text: str) -> bool:
    return _is_of(_beyond_ascii(text), "HANGUL SYLLABLE")


def _is_japanese(text: str) -> bool:
    letters = _beyond_ascii(text)[:_SAMPLE]
    kana = sum("\u3041" <= letter <= "\u30fe" for letter in letters)
    scripts = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH", "LEFT", "RIGHT")
    return 5 * kana >= len(letters) > 0 and all(unicodedata.name(letter, "").startswith(scripts) for letter in letters)


def _is_cyrillic(text: str) -> bool:
    letters = _beyond_ascii(text)[:_SAMPLE]
    small = sum("\u0430" <= letter <= "\u045f" for letter in letters)
    # A word has letters of one alphabet and no marks inside of it, and no capital after a small letter.
    return _is_of(letters, "CYRILLIC") and 2 * small > len(letters) and _NO_CYRILLIC_WORD.search(text) is None


def _is_western(text: str) -> bool:
    letters = _beyond_ascii(text)[:_SAMPLE]
    # No word has four letters with marks in a row, and no capital after a small letter.
    return (
        re.search(r"[^\x00-\x7f]{4}|[a-zß-ÿ][À-Þ]", text) is None
        and re.search("[\x80-\x9f\xa4\xa6\xac\xad\xaf\xb8¦]", text) is None
        and any(letter.isalpha() or unicodedata.category(letter)[0] in "PS" for letter in letters)
    )


_ENCODINGS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("GB18030", "from Excel on Chinese Windows", _is_chinese),
    ("WINDOWS-1252", "from Excel on Windows", _is_western),
    ("BIG5", "from Excel on Windows in Taiwan", _is_traditional_chinese),
    ("CP949", "from Excel on Korean Windows", _is_korean),
    ("CP932", "from Excel on Japanese Windows", _is_japanese),
    ("EUC-JP", "in Japanese from Linux", _is_japanese),
    ("WINDOWS-1251", "from Excel on Russian Windows", _is_cyrillic),
)
"""Encodings that people's tables come in, each with where from and what tells that a reading makes sense."""
