"""The most memory that a block needs."""

from __future__ import annotations

import gc
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
            again and again. What is there already when the block begins does not count; what of it goes while the block
            runs, as garbage of others does, hides nothing that comes.

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
            gc.collect()
            self._least = _resident()
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
            now = _resident()
            self._least = min(self._least, now)
            self.bytes = max(self.bytes, now - self._least)


def _resident() -> int:
    """Return the resident memory of this process in bytes; where the system tells only the most so far, that.

    Pages of files, of libraries for example, do not count: the system takes them away and brings them back as it likes.
    """
    fields = read_head(_STATUS, KIB).split()
    if len(fields) > 2:
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * KIB
