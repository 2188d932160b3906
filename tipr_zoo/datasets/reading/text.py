"""The text of an annotation file, in whichever encoding it was saved."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.datasets.reading.encodings import Reading, beyond_ascii, sensible_readings
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
_ASCII_START = 5  # letters: no column name and no JSON begins with fewer


@dataclass(frozen=True)
class Text:
    """The text of a file.

    Attributes:
        text: The text, without a mark of its encoding.
        rule: One line that says how it was read, if the file does not say it; None if it does.
    """

    text: str
    rule: str | None = None


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
    if encoding == "utf-8" and (text := _utf_16_without_mark(content)) is not None:
        return Text(text, f"{file} has every second byte zero and is read as UTF-16, whose mark it lacks")
    rule = None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding in ("utf-16", "utf-32"):
            name = encoding.upper()
            raise DataError(
                f"{file} begins as {name} and is not at byte {error.start}; copy it again, or save it as UTF-8"
            ) from error
        readings = [] if _is_damaged(content) else sensible_readings(content)
        if [reading.encoding for reading in readings] != ["GB18030"]:
            raise UnknownEncodingError(error.start, readings) from error
        text = readings[0].text
        rule = f"{file} is not UTF-8 and is read as GB18030, as Chinese Excel saves it, e.g. {readings[0].shown()}"
    if "\0" in text:
        raise DataError(f"{file} holds zero bytes, as UTF-16 without its mark or a spreadsheet does; save it as UTF-8")
    return Text(text, rule)


def _utf_16_without_mark(content: bytes) -> str | None:
    """Return the text of UTF-16 that lacks its mark; None if it is something else.

    Column names, commas and line ends are ASCII: one of their two bytes is zero, nearly always the same one of the two.
    """
    zeros = [content[start::2].count(0) for start in (0, 1)]
    if len(content) % 2 or not any(zeros):
        return None
    try:
        text = content.decode("utf-16-le" if zeros[1] > zeros[0] else "utf-16-be")
    except UnicodeDecodeError:
        return None
    return text if text[:_ASCII_START].isascii() and "\0" not in text else None


def _command(file: Path, encoding: str) -> str:
    """Write the command that saves a file as UTF-8, and keeps the file as it is beside it."""
    name, kept, new = (quoted(f"{file}{ending}") for ending in ("", ".before", ".utf8"))
    return f"iconv -f {quoted(encoding)} -t UTF-8 {name} > {new} && mv {name} {kept} && mv {new} {name}"


def _is_damaged(content: bytes) -> bool:
    """Return whether bytes are UTF-8 but for few: another encoding would then turn the sound letters into others."""
    letters = beyond_ascii(content.decode("utf-8", errors="replace"))
    damaged = letters.count("\ufffd")
    return len(letters) > 2 * damaged
