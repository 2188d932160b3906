"""Whether text towers are made of the zoo's own plain layers, where sentences are embedded and nothing is trained.

transformers takes as long to import as PyTorch twice. A search of one sentence needs neither its training nor its many
models. The layers of `tipr_zoo.backbones.plain_clip_text` and `tipr_zoo.backbones.plain_bert` have the same parameters
by the same names, and compute the same in evaluation mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ARE_PLAIN = ContextVar("are_plain", default=False)


@contextmanager
def plain_trunks() -> Iterator[None]:
    """Make the text towers that are built inside the block of plain layers, where they can be.

    They cannot be trained. Heads and readers of other weights may ask for what transformers' layers have besides.
    """
    token = _ARE_PLAIN.set(True)
    try:
        yield
    finally:
        _ARE_PLAIN.reset(token)


def takes_plain_trunk(tower: type) -> bool:
    """Tell whether a tower that is being built is to have plain layers.

    Args:
        tower: Its class. It says by an own ``may_have_plain_trunk = True`` that nothing of it needs those of
            transformers. A class that derives from such a one says it anew, since it may need them.
    """
    return _ARE_PLAIN.get() and bool(vars(tower).get("may_have_plain_trunk", False))
