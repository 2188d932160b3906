"""What PyTorch says where a training ends from below, each sentence provoked where that can be done here."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as multiprocessing
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tipr_zoo.errors import ConfigError, DataError, TiprZooError, TrainingError
from tipr_zoo.training.loop.failures import explained_failures
from tipr_zoo.training.loop.interruption import Interruption


def raised(error: BaseException, tmp_path: Path) -> str:
    """The type and the message of what an error becomes."""
    with pytest.raises((TiprZooError, RuntimeError)) as caught, explained_failures(Interruption(), tmp_path):
        raise error
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(28, "No space left on device", "/full/epoch_1.pth"),
            "TrainingError: /full/epoch_1.pth: No space left",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
            "TrainingError: the memory of the GPU is full",
        ),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."),
            "TrainingError: a process that loads",
        ),
        (RuntimeError("[gloo] Connection closed by peer"), "TrainingError: another process of this training is gone"),
        (
            DataError("Caught DataError in DataLoader worker\nTraceback\nDataError: a.jpg is broken"),
            "DataError: a.jpg is",
        ),
        (RuntimeError("shapes cannot be multiplied"), "RuntimeError: shapes cannot be multiplied"),
    ],
)
def test_each_kind_has_its_line(error: BaseException, told: str, tmp_path: Path) -> None:
    assert raised(error, tmp_path).startswith(told)


def test_an_error_of_the_disk_without_a_file_names_the_work_dir(tmp_path: Path) -> None:
    assert str(tmp_path) in raised(OSError(28, "No space left on device"), tmp_path)


class _HalfUsed(nn.Module):
    """A part of it takes no part in what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.used(value)
        return result


def _two_steps(rank: int, port: int, told: Any) -> None:
    """Train a model of which a part is unused, in one of two processes."""
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = DistributedDataParallel(_HalfUsed())
    try:
        with explained_failures(Interruption(), Path(".")):
            for _ in range(2):
                model(torch.ones(1, 2)).sum().backward()
    except ConfigError as error:
        told[rank] = str(error)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_a_part_without_a_loss_is_what_pytorch_says_of_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = multiprocessing.get_context("spawn").Manager().dict()
    multiprocessing.spawn(_two_steps, args=(port, told), nprocs=2)
    assert set(told) == {0, 1}
    assert told[0].startswith("parts of the model take no part in its losses")


def test_what_pytorch_says_of_a_full_gpu_is_an_error_of_its_own() -> None:
    assert issubclass(torch.OutOfMemoryError, RuntimeError)
    assert not issubclass(TrainingError, RuntimeError)
