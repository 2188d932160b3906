"""What a gallery says of itself: the model, weights and preprocessing that its vectors are of, and its folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tipr_zoo.errors import GalleryError
from tipr_zoo.version import __version__

VERSION = 1
"""Of what a gallery writes down, in whatever engine."""

PRECISIONS = ("float32", "bfloat16")
"""What pictures are embedded in."""

_NOT_OF_EMBEDDINGS = ("losses", "heads")


@dataclass(frozen=True)
class PictureFolder:
    """A folder whose pictures are in a gallery.

    Attributes:
        path: Its absolute path.
        facts: The table that facts come from, or None.
        pattern: The pattern that reads facts off paths, or None.
        parts: Which of how many parts of the pictures are wanted; none where all are.
        disks: Absolute paths of folders below it that lie on other disks.
    """

    path: str
    facts: str | None = None
    pattern: str | None = None
    parts: tuple[tuple[int, int], ...] = ()
    disks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Turn the lists of JSON into tuples."""
        object.__setattr__(self, "parts", tuple((int(number), int(count)) for number, count in self.parts))
        object.__setattr__(self, "disks", tuple(map(str, self.disks)))

    def joined(self, other: PictureFolder) -> PictureFolder:
        """Return the folder as a gallery holds it that has the pictures of both; facts come as this one says.

        Args:
            other: The same folder, of another gallery.
        """
        return replace(
            self, parts=joined_parts(self.parts, other.parts), disks=tuple(sorted({*self.disks, *other.disks}))
        )


def joined_parts(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the parts of a folder that two galleries hold together; none for all.

    Args:
        one: Which of how many parts the one holds; none for all.
        other: Those of the other.
    """
    if not one or not other:
        return ()
    together = {*one, *other}
    is_whole = any(all((number, count) in together for number in range(1, count + 1)) for _, count in together)
    return () if is_whole else tuple(sorted(together))


@dataclass(frozen=True)
class GalleryHeader:
    """What the vectors of a gallery are of.

    Attributes:
        model: Name of the model.
        weights: The file that was named instead of the card's weights, or None.
        weights_sha256: Hash of the weights' file.
        embedding_sha256: Hash of what the recipe says of the towers and the tokenizer.
        preprocessing_sha256: Hash of what pictures become before the image tower.
        dimension: Numbers of each vector.
        precision: What pictures are embedded in, one of `PRECISIONS`.
        folders: Whose pictures are in it.
        made_by: The version of tipr-zoo that made it.
    """

    model: str
    weights: str | None
    weights_sha256: str
    embedding_sha256: str
    preprocessing_sha256: str
    dimension: int
    precision: str = "float32"
    folders: tuple[PictureFolder, ...] = ()
    made_by: str = __version__

    def text(self) -> str:
        """Return it as ASCII JSON."""
        return json.dumps({"tipr_zoo_gallery": VERSION, **asdict(self)})

    def is_alike(self, other: GalleryHeader) -> bool:
        """Tell whether the vectors of another gallery can be compared with those of this one."""
        names = ("weights_sha256", "embedding_sha256", "preprocessing_sha256", "dimension")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def read_header(text: str, address: str) -> GalleryHeader:
    """Read what `GalleryHeader.text` wrote.

    Args:
        text: The header.
        address: The gallery, for messages.

    Raises:
        GalleryError: It is of another version, or something else.
    """
    try:
        values = dict(json.loads(text))
        version = values.pop("tipr_zoo_gallery")
        if version == VERSION:
            folders = tuple(PictureFolder(**folder) for folder in values.pop("folders"))
            return GalleryHeader(**values, folders=folders)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise GalleryError(
            f"what lies at {address} is no gallery of tipr-zoo's, or it is damaged; name another place"
        ) from error
    raise GalleryError(
        f"the gallery {address} is of version {version}, and this tipr-zoo reads {VERSION}; open it with the tipr-zoo"
        " that made it, or make it anew"
    )


def embedding_sha256(model: Mapping[str, Any]) -> str:
    """Hash what a recipe says of all that embeddings depend on.

    Args:
        model: The ``model`` entry of the recipe.
    """
    return _sha256({name: value for name, value in model.items() if name not in _NOT_OF_EMBEDDINGS})


def preprocessing_sha256(
    image_size: Sequence[int], preprocess: object, normalisation: object, interpolation: str
) -> str:
    """Hash what pictures become before the image tower.

    Args:
        image_size: Height and width in pixels.
        preprocess: The model's ``preprocess``; of another class than the zoo's it is known by its name.
        normalisation: Mean and standard deviation, or None where the model says none.
        interpolation: How pictures are resized.
    """
    function = getattr(preprocess, "__func__", preprocess)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    return _sha256([list(image_size), name, repr(normalisation), interpolation])


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode()).hexdigest()
