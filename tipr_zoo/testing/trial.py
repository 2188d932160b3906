"""Trying promises one after the other. One line reports the first broken one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tipr_zoo.errors import BrokenPromiseError, error_line

SEED = 0
"""The seed of every trial."""


class Trial:
    """The promises of one thing.

    Args:
        name: Its name in messages, e.g. ``"loss SDM"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def promise(self, text: str) -> Iterator[None]:
        """Report any error inside the block as a broken promise.

        Args:
            text: The promise, in words that follow the name, e.g. ``"gives a finite scalar"``.

        Raises:
            BrokenPromiseError: Something was raised inside the block.
        """
        try:
            yield
        except BrokenPromiseError:
            raise
        except Exception as error:  # a component may raise anything
            found = (
                error_line(error) if type(error) is AssertionError else f"{type(error).__name__}: {error_line(error)}"
            )
            raise BrokenPromiseError(
                f"{self.name} breaks a promise of the plugin contract, that it {text}: {found}"
            ) from error


@contextmanager
def alike_every_time() -> Iterator[None]:
    """Draw the same random numbers every time inside the block, in one thread. The caller's state stays as it was."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        torch.set_num_threads(1)  # the trials are so small that several threads only wait for each other
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def expect(holds: bool, found: str) -> None:
    """Raise an AssertionError with what was found, unless `holds`."""
    if not holds:
        raise AssertionError(found)


def expect_same(found: Tensor, expected: Tensor, words: str) -> None:
    """Raise an AssertionError unless two tensors are the same, apart from rounding.

    Args:
        found: Tensor of any shape.
        expected: Tensor of the same shape.
        words: What the two are, e.g. ``"the class tokens of encode_class and of forward"``.
    """
    expect(found.shape == expected.shape, f"{words} have shapes {tuple(found.shape)} and {tuple(expected.shape)}")
    found, expected = found.detach().float(), expected.detach().float()
    if not found.numel():
        return
    largest = float(expected.abs().max())
    difference = float((found - expected).abs().max())
    # Not "larger than": that would be false for NaN, too.
    expect(
        difference <= 1e-6 + 1e-3 * largest, f"{words} differ by {difference:.3g}, where the largest is {largest:.3g}"
    )


def expect_finite(value: Tensor, words: str) -> None:
    """Raise an AssertionError unless every number is finite."""
    expect(bool(value.isfinite().all()), f"{words} {'is' if value.numel() == 1 else 'has numbers that are'} not finite")
