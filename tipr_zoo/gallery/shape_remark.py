"""What is said of pictures that have not the shape of a person's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tipr_zoo.gallery.remarks import SHAPE, Remark
from tipr_zoo.pictures.shapes import LEAST_HIGH, MOST_HIGH

_MOST_NAMES, _MOST_LISTED = 5, 100


def shape_remark(unlike: Sequence[Path], pictures: int) -> Remark | None:
    """Count and name pictures that have not the shape of a person's. They are searched like the others.

    Args:
        unlike: These pictures; see `tipr_zoo.pictures.shapes.unlike_persons`.
        pictures: How many pictures there are in all.

    Returns:
        The remark; None where there is no such picture.
    """
    if not unlike:
        return None
    names = ", ".join(map(str, unlike[:_MOST_NAMES]))
    more = f" and {len(unlike) - _MOST_NAMES:,} more" if len(unlike) > _MOST_NAMES else ""
    are = "is" if len(unlike) == 1 else "are"
    text = (
        f"{len(unlike):,} of {pictures:,} pictures {are} not {LEAST_HIGH:g} to {MOST_HIGH:g} times as high as wide, as"
        f" pictures of one person are; cut persons out: {names}{more}"
    )
    first = [str(each) for each in unlike[:_MOST_LISTED]]
    return Remark(SHAPE, text, {"count": len(unlike), "pictures": pictures, "first": first})
