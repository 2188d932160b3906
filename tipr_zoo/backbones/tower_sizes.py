"""The check that the sizes of a tower are numbers of something."""

from __future__ import annotations

from collections.abc import Sequence

from tipr_zoo.errors import ConfigError


def check_counts(**counts: int | None) -> None:
    """Check that each is None or a whole number above 0.

    Raises:
        ConfigError: One is not; the message names it.
    """
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise ConfigError(f"{name} must be a whole number above 0, got {count!r}")


def check_heads(width: int, num_heads: int) -> None:
    """Check that the width can be shared out among the attention heads.

    Raises:
        ConfigError: It cannot.
    """
    if num_heads < 1 or width % num_heads:
        raise ConfigError(f"width {width} is no multiple of num_heads {num_heads}")


def checked_text_heads(
    embedding_size: int, vocabulary_size: int, context_length: int, width: int, depth: int, num_heads: int | None
) -> int:
    """Check the sizes of a text tower; return its attention heads, one per 64 of the width where none are named.

    Args:
        embedding_size: Size of the shared embedding space.
        vocabulary_size: Number of token ids.
        context_length: Largest number of tokens of a caption.
        width: Width of the tokens inside the tower.
        depth: Number of blocks.
        num_heads: Attention heads of a block; None where none are named.

    Raises:
        ConfigError: One makes no sense.
    """
    check_counts(embedding_size=embedding_size, vocabulary_size=vocabulary_size, context_length=context_length)
    check_counts(width=width, depth=depth, num_heads=num_heads)
    num_heads = num_heads or max(1, width // 64)
    check_heads(width, num_heads)
    return num_heads


def checked_size(image_size: Sequence[int]) -> tuple[int, int]:
    """Return height and width in pixels.

    Raises:
        ConfigError: They are not two whole numbers above 0.
    """
    sides = tuple(image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ConfigError(f"image_size must be (height, width), two whole numbers above 0, got {image_size!r}")
    return sides[0], sides[1]
