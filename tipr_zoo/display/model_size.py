"""How the size of a model is written for people."""

from __future__ import annotations

from collections.abc import Sequence


def millions(parameters: int) -> str:
    """Return a number of parameters in millions.

    >>> millions(149620737), millions(1204321)
    ('149.6 M', '1.2 M')
    """
    return f"{parameters / 1e6:.1f} M"


def pixels(sides: Sequence[int]) -> str:
    """Return the height and width of pictures.

    >>> pixels((384, 128))
    '384 x 128'
    """
    height, width = sides
    return f"{height} x {width}"
