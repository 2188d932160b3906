"""The entries of `reid_raw.json`: who is in each picture, and two captions of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tipr_zoo.synthpedes.captions import caption, tokens
from tipr_zoo.synthpedes.identity import SPLITS, Identity, twin_attribute
from tipr_zoo.synthpedes.shot import shots
from tipr_zoo.synthpedes.streams import stream

CAPTIONS = 2  # a picture


def file_path(split: str, index: int, picture: int) -> str:
    """Return the path of a picture under `imgs/`.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        index: Place of the identity in its split, from 0.
        picture: Number of its picture, from 0.

    >>> file_path("test", 17, 2)
    'test/00017_2.jpg'
    """
    return f"{split}/{index:05d}_{picture}.jpg"


def split_records(
    split: str, people: list[Identity], counts: dict[str, int], pictures: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the entries of `reid_raw.json` for one split.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        people: The identities of the split.
        counts: Number of identities of each split.
        pictures: Number of pictures of each identity.
        seed: Seed of the data set.
    """
    first = 1 + sum(counts[other] for other in SPLITS[: SPLITS.index(split)])
    for index, identity in enumerate(people):
        twin = twin_attribute(split, index, people)
        for picture, shot in enumerate(shots(identity, split, index, pictures, seed=seed)):
            texts = [
                caption(identity, shot, twin, stream(seed, split, index, "caption", picture, number))
                for number in range(CAPTIONS)
            ]
            yield {
                "split": split,
                "captions": texts,
                "file_path": file_path(split, index, picture),
                "processed_tokens": [tokens(text) for text in texts],
                "id": first + index,
            }
