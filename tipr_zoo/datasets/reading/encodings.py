"""The encodings that people's tables come in, and what tells that a reading of bytes makes sense."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

_NO_CYRILLIC_WORD = re.compile(
    "[\u0430-\u045f][\u0400-\u042f]"
    "|[A-Za-z][\u0400-\u045f]|[\u0400-\u045f][A-Za-z]"
    "|[\u0400-\u045f][^\\x00-\\x7f\u0400-\u045f][\u0400-\u045f]"
)
_EXCERPT = 24
_SAMPLE = 20_000  # letters beyond ASCII that are looked at: enough to tell a script
_TYPOGRAPHY = "\u00ab\u00bb\u201c\u201d\u201e\u2018\u2019\u201a\u2013\u2014\u2026\u00b7\u2116\u00a0\u061f\u060c\u061b"


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


def sensible_readings(content: bytes) -> list[Reading]:
    """Return every way to read bytes that gives sensible letters, each text once."""
    readings: list[Reading] = []
    for encoding, origin, is_sensible in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(text != reading.text for reading in readings) and is_sensible(text):
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


def beyond_ascii(text: str) -> str:
    """Return the characters of a text that are not ASCII."""
    return re.sub(r"[\x00-\x7f]+", "", text)


def _is_encoded_below(letter: str, encoding: str, first: int, last: int) -> bool:
    """Return whether the first byte of a letter in an encoding lies where that encoding keeps the common ones."""
    try:
        encoded = letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return first <= encoded[0] <= last


def _is_chinese(text: str) -> bool:
    letters = beyond_ascii(text)
    return _is_of(letters, "CJK UNIFIED", 0.9, lambda letter: _is_encoded_below(letter, "gb2312", 0xB0, 0xD7))


def _is_traditional_chinese(text: str) -> bool:
    letters = beyond_ascii(text)
    return _is_of(letters, "CJK UNIFIED", 0.9, lambda letter: _is_encoded_below(letter, "big5", 0xA4, 0xC6))


def _is_korean(text: str) -> bool:
    return _is_of(beyond_ascii(text), "HANGUL SYLLABLE")


def _is_japanese(text: str) -> bool:
    letters = beyond_ascii(text)[:_SAMPLE]
    kana = sum("\u3041" <= letter <= "\u30fe" for letter in letters)
    scripts = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH", "LEFT", "RIGHT")
    return 5 * kana >= len(letters) > 0 and all(unicodedata.name(letter, "").startswith(scripts) for letter in letters)


def _is_cyrillic(text: str) -> bool:
    letters = beyond_ascii(text)[:_SAMPLE]
    small = sum("\u0430" <= letter <= "\u045f" for letter in letters)
    # A word has letters of one alphabet and no marks inside of it, and no capital after a small letter.
    return _is_of(letters, "CYRILLIC") and 2 * small > len(letters) and _NO_CYRILLIC_WORD.search(text) is None


def _is_western(text: str) -> bool:
    letters = beyond_ascii(text)[:_SAMPLE]
    # No word has four letters with marks in a row, and no capital after a small letter.
    return (
        re.search(r"[^\x00-\x7f]{4}|[a-zß-ÿ][À-Þ]", text) is None
        and re.search("[\x80-\x9f\xa4\xa6\xac\xad\xaf\xb8¦]", text) is None
        and any(letter.isalpha() or unicodedata.category(letter)[0] in "PS" for letter in letters)
    )


def _is_latin(text: str) -> bool:
    """Return whether a reading has words of Latin letters with marks, as languages of Central Europe and Turkish do."""
    letters = beyond_ascii(text)[:_SAMPLE]
    return _is_western(text) and all(
        unicodedata.name(letter, "").startswith("LATIN") or letter in _TYPOGRAPHY for letter in letters
    )


def _is_alphabet(script: str, text: str) -> bool:
    """Return whether a reading has words of one alphabet, and no other letters beyond ASCII."""
    letters = beyond_ascii(text)[:_SAMPLE]
    own = "".join(letter for letter in letters if unicodedata.name(letter, "").startswith(script))
    words = re.findall(r"[^\W\d_]+", text)
    return bool(own) and all(
        (
            all(letter in own or letter in _TYPOGRAPHY for letter in letters),
            all(word.isascii() or not any(map(str.isascii, word)) for word in words),
            not any(a.islower() and b.isupper() for word in words for a, b in pairwise(word)),
        )
    )


_ENCODINGS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("GB18030", "from Excel on Chinese Windows", _is_chinese),
    ("WINDOWS-1252", "from Excel on Windows", _is_western),
    ("WINDOWS-1250", "from Excel on Windows in Central Europe", _is_latin),
    ("ISO-8859-2", "in a language of Central Europe from Linux", _is_latin),
    ("WINDOWS-1254", "from Excel on Turkish Windows", _is_latin),
    ("WINDOWS-1253", "from Excel on Greek Windows", partial(_is_alphabet, "GREEK")),
    ("WINDOWS-1255", "from Excel on Hebrew Windows", partial(_is_alphabet, "HEBREW LETTER")),
    ("WINDOWS-1256", "from Excel on Arabic Windows", partial(_is_alphabet, "ARABIC")),
    ("BIG5", "from Excel on Windows in Taiwan", _is_traditional_chinese),
    ("CP949", "from Excel on Korean Windows", _is_korean),
    ("CP932", "from Excel on Japanese Windows", _is_japanese),
    ("EUC-JP", "in Japanese from Linux", _is_japanese),
    ("WINDOWS-1251", "from Excel on Russian Windows", _is_cyrillic),
    ("KOI8-R", "in Russian from Linux", _is_cyrillic),
    ("CP866", "in Russian from DOS", _is_cyrillic),
)
"""Encodings that people's tables come in, each with where from and what tells that a reading makes sense."""
