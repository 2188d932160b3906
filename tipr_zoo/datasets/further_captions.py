"""Further wordings of captions that annotations may have, such as back-translations: one for each caption."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tipr_zoo.datasets.annotation import Annotation, wordings_of
from tipr_zoo.datasets.reading.captions import read_captions
from tipr_zoo.errors import DataError, UnusableAnnotationError


def further_captions(annotations: Iterable[Annotation]) -> dict[str, list[str | None]]:
    """Return the further wordings of all captions, by their key in the annotations.

    Args:
        annotations: Those of a split.

    Returns:
        For each key that any annotation has, a wording for each caption, picture by picture. None where an annotation
        has none under that key.

    Raises:
        DataError: An annotation has another number of them than of captions, or one is no text that says something.
    """
    annotations = list(annotations)
    keys = dict.fromkeys(key for annotation in annotations for key in annotation.further_captions)
    return {key: [each for annotation in annotations for each in _wordings(annotation, key)] for key in keys}


def _wordings(annotation: Annotation, key: str) -> Sequence[str | None]:
    count = len(annotation.captions)
    if key not in annotation.further_captions:
        return [None] * count
    found = wordings_of(annotation.further_captions[key], count)
    place = f"{annotation.file}, {annotation.place} for {annotation.picture!r}"
    if len(found) != count:
        raise DataError(
            f"{place}: its {key!r} has {len(found)} texts for {count} captions; write one for each, or leave it out"
        )
    try:
        texts = [wording if wording is None else read_captions([wording]) for wording in found]
    except UnusableAnnotationError as unusable:
        told = unusable.message.replace("caption 0", f"one of its {key!r}")
        raise DataError(f"{place}: {told}") from unusable
    if any(text is not None and len(text) != 1 for text in texts):
        raise DataError(f"{place}: one of its {key!r} is a list; write one text for each caption")
    return [text if text is None else text[0] for text in texts]
