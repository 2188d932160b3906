"""The most memory that a block needs."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from tipr_zoo.outside.files import KIB, read_head

_INTERVAL = 0.002
"""Seconds between two looks at the memory of this process."""

_STATUS = Path("/proc/self/statm")


class PeakMemory(AbstractContextManager["PeakMemory"]):
    """Notes the most memory that is in use while the block runs.

    Args:
        device: A GPU, where PyTorch counts what it has allocated; otherwise this process's resident memory is looked at
            again and again, of which what is there already when the block begins does not count.

    Attributes:
        bytes: The most memory; 0 where this system does not tell.
        about: What was counted, in words.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._end = device, threading.Event()
        self.bytes = 0
        self.about = "allocated on the GPU" if device.type == "cuda" else "resident memory of this process"

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._start = _resident()
            self._looking = threading.Thread(target=self._look, daemon=True)
            self._looking.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self._device)
        else:
            self._end.set()
            self._looking.join()

    def _look(self) -> None:
        while not self._end.wait(_INTERVAL):
            self.bytes = max(self.bytes, _resident() - self._start)


def _resident() -> int:
    """Return the resident memory of this process in bytes; where the system tells only the most so far, that."""
    fields = read_head(_STATUS, KIB).split()
    if len(fields) > 1:
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * KIB
