"""Random streams that depend only on their names. So every picture can be drawn alone."""

from __future__ import annotations

import hashlib
import random


def stream(*names: str | int) -> random.Random:
    """Seed a generator from the names alone.

    The same names give the same numbers on any machine, in any process and in any order of drawing. So one split, one
    identity or one picture can be drawn without the others.

    Args:
        names: What the stream is for, e.g. ``(seed, "test", 17, "picture", 2)``.

    Returns:
        The generator.
    """
    digest = hashlib.sha256("/".join(str(name) for name in names).encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))
