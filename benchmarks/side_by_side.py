"""Comparing time, memory and results of several ways to compute the same. Each has its own process. They take turns."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prettytable import PrettyTable
from torch import Tensor

Run = Callable[[], Mapping[str, Tensor]]
"""One way with its inputs. It returns its results by name."""

MIB = 2**20


@dataclass(frozen=True)
class Measurement:
    """The measurement of one way.

    Attributes:
        seconds: The seconds of each run. The first run is not counted.
        extra_bytes: The most memory of the first run beyond its inputs. On a GPU, it is what PyTorch allocated there.
            Otherwise it is the growth of the process's resident memory.
        results: The results of the first run.
    """

    seconds: list[float]
    extra_bytes: int
    results: dict[str, np.ndarray]


def choose_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16(device: str) -> bool:
    """Tell whether the device multiplies in bfloat16. A CPU without such instructions is slower in bfloat16."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(flag in Path("/proc/cpuinfo").read_text().split() for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def measure_in_turns(makers: Mapping[str, Callable[[], Run]], repeats: int, device: str) -> dict[str, Measurement]:
    """Measure ways to the same results.

    Args:
        makers: For each way by name, the function that makes its run in its process. It must be picklable. The usual
            way comes first.
        repeats: Number of counted runs of each way.
        device: ``"cuda"`` or ``"cpu"``.
    """
    first, seconds = {}, {name: [] for name in makers}
    with ExitStack() as stack:
        ways = {}
        for name, make in makers.items():
            ways[name] = stack.enter_context(_InProcess(name, make, device))
            first[name] = ways[name].answer()
        for _ in range(repeats):
            for name, way in ways.items():
                seconds[name].append(way.again())
    return {name: Measurement(seconds[name], *first[name]) for name in makers}


class _InProcess:
    """A way in its own process, which ends with the ``with`` block."""

    def __init__(self, name: str, make: Callable[[], Run], device: str) -> None:
        context = get_context("spawn")
        self.name = name
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, make, device), daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self) -> _InProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
        self.process.join()

    def again(self) -> float:
        """Run once more and return the seconds."""
        with suppress(BrokenPipeError):  # the process has ended; `answer` reports it
            self.connection.send("again")
        return self.answer()

    def answer(self) -> Any:
        """Return what the process sends next."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            raise SystemExit(
                f"{self.name}: its process ended with exit code {self.process.exitcode}"
                " (-9 where the system ran out of memory)"
            ) from None


def _serve(connection: Connection, make: Callable[[], Run], device: str) -> None:
    """Run once, then once for each request, until the other side closes the connection."""
    weight = torch.ones(256, 256, device=device, requires_grad=True)
    (weight @ weight).sum().backward()  # loads libraries and threads, which must not count
    run = make()
    gc.collect()
    before = _allocated_bytes(device)
    results = {key: value.float().cpu().numpy().copy() for key, value in run().items()}
    connection.send((_peak_bytes(device) - before, results))
    del results
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        connection.send(time.perf_counter() - start)


def _allocated_bytes(device: str) -> int:
    """Return the memory in use now, and count the peak from here."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    _give_freed_memory_back(from_bytes=1024**2)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, VmHWM
    return _status_bytes("VmRSS")


def _peak_bytes(device: str) -> int:
    """Return the peak of the memory in use. On a CPU, allocation then becomes as it was before."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    _give_freed_memory_back(from_bytes=32 * 1024**2)
    return _status_bytes("VmHWM")


def _give_freed_memory_back(from_bytes: int) -> None:
    """Return freed blocks of this size or more to the system at once (glibc's M_MMAP_THRESHOLD, else do nothing).

    Without this, the peak has holes between smaller blocks, which depend on the order of allocations. It costs time.
    So it is on for the run whose memory is counted, and off for the runs whose time is counted.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-3, from_bytes)


def _status_bytes(entry: str) -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[entry].split()[0]) * 1024


def need_free(gib: float, device: str) -> None:
    """Stop with a message where less memory is free than the ways need."""
    if device == "cuda":
        free = torch.cuda.mem_get_info()[0] / 2**30
    else:
        meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(meminfo["MemAvailable"].split()[0]) / 2**20
    if free < gib:
        raise SystemExit(f"{gib:g} GiB of free memory are needed, {free:.1f} are there")


def assert_equal(measurements: Mapping[str, Measurement], tolerances: Mapping[str, float]) -> str:
    """Assert that each way's results equal the first way's, within its relative tolerance. Return this in words."""
    expected = next(iter(measurements.values())).results
    lines = []
    for name, tolerance in tolerances.items():
        found = measurements[name].results
        assert found.keys() == expected.keys(), f"{name}: {sorted(found)} are not {sorted(expected)}"
        difference = max(
            float(np.linalg.norm(found[key] - expected[key]) / np.linalg.norm(expected[key])) for key in expected
        )
        assert difference <= tolerance, f"{name}: the results differ by {difference:.1e}"
        lines.append(f"{name}: same results, largest relative difference {difference:.1e} (at most {tolerance:g})")
    return "\n".join(lines)


def table(measurements: Mapping[str, Measurement]) -> str:
    """Return a table of the measurements, each beside the first way's."""
    columns = ["time, fastest (s)", "time, median (s)", "times faster", "extra memory (MiB)", "share"]
    rows = PrettyTable(["way", *columns], align="r")
    rows.align["way"] = "l"
    usual = next(iter(measurements.values()))
    for name, measured in measurements.items():
        fastest, median = min(measured.seconds), statistics.median(measured.seconds)
        faster = f"{min(usual.seconds) / fastest:.2f}"
        share = f"1/{usual.extra_bytes / max(1, measured.extra_bytes):.1f}"
        memory = f"{measured.extra_bytes / MIB:,.0f}"
        rows.add_row([name, f"{fastest:.3f}", f"{median:.3f}", faster, memory, share])
    return str(rows)


def hardware(device: str) -> str:
    """Return the hardware in words."""
    if device == "cuda":
        return f"on {torch.cuda.get_device_name()}"
    return f"on {os.cpu_count()} cores, {torch.get_num_threads()} threads"
