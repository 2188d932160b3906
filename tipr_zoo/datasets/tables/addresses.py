"""Pictures that a table names by their addresses in the web, where files of the same names lie here."""

from __future__ import annotations

import os

from tipr_zoo.datasets.reading.paths import file_name_in, is_absolute, is_address, read_picture_path
from tipr_zoo.datasets.reading.words import stripped
from tipr_zoo.datasets.source import Source
from tipr_zoo.errors import UnusableAnnotationError


class AddressedPictures:
    """Reads the picture of each row, a path or an address.

    Args:
        source: The table's files, and the folders where pictures may lie.

    Attributes:
        rule: One line that says that files stand for addresses; None where none did.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._addresses: dict[str, str] = {}
        self.rule: str | None = None

    def read(self, text: str, name: str, folder: str) -> str:
        """Return the path of a row's picture below the data set's folder, or an absolute one.

        Args:
            text: The cell.
            name: Its column, for messages.
            folder: The folder that paths start from, with a slash at its end; empty for the data set's own.

        Raises:
            UnusableAnnotationError: It is no path, or an address of which no file lies here. Or another address ends
                in the same file name.
        """
        address = stripped(text)
        if not is_address(address) or address[:5].casefold() == "file:":
            path = read_picture_path(text, name, may_be_absolute=True)
            return path if is_absolute(path) else folder + path
        file = file_name_in(address)
        if not file or not self._lies_here(folder + file):
            return read_picture_path(text, name, may_be_absolute=True)  # raises, and says what to do
        if (other := self._addresses.setdefault(folder + file, address)) != address:
            raise UnusableAnnotationError(
                "two addresses of one name",
                f"its {name!r} {address!r} ends in the same file name as {other!r}; give each picture its own name",
            )
        self.rule = self.rule or (
            f"{self._source.paths[0]} names pictures by addresses: files of the same names are read here, e.g."
            f" {folder + file} for {address}"
        )
        return folder + file

    def _lies_here(self, path: str) -> bool:
        return any(os.path.isfile(folder / path) for folder in self._source.picture_folders)
