"""Progress bars, whose times never go backwards."""

from __future__ import annotations

import time
from collections.abc import Callable

from tqdm import tqdm


class ProgressBar(tqdm):  # type: ignore[type-arg]
    """A progress bar of tqdm by a clock that nobody sets.

    tqdm takes the time of day. Where that is set back meanwhile, it shows negative times.
    """

    @property
    def _time(self) -> Callable[[], float]:
        return time.monotonic

    @_time.setter
    def _time(self, clock: Callable[[], float]) -> None:
        """Keep the clock; tqdm sets its own."""
