"""Failures of a process, the memory or the disk, each explained in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tipr_zoo.distributed import is_process_gone
from tipr_zoo.errors import ConfigError, TiprZooError, TrainingError
from tipr_zoo.training.loop.compiled_blocks import compiler_failure
from tipr_zoo.training.loop.interruption import Interruption


@contextmanager
def explained_failures(interruption: Interruption, work_dir: Path) -> Iterator[None]:
    """Turn a failure of a process, the memory or the disk into one line with the fix.

    PyTorch raises plain RuntimeErrors for many of them. Only their words tell them apart. A test provokes each of them,
    so that another wording of another version is noticed.

    Args:
        interruption: Knows whether a signal explains that another process is gone.
        work_dir: Named where an error of the disk names no file.

    Raises:
        TrainingError: A process died, or the memory or the disk is full.
        ConfigError: Parts of the model take no part in its losses, or cannot be compiled.
        TiprZooError: As it was raised; one from a process that loads pictures comes without its traceback.
        TrainingInterrupted: Another process is gone because all of them were told to stop.
    """
    try:
        yield
    except OSError as error:  # a `WriteError` is one, too
        raise TrainingError(
            f"{error.filename or work_dir}: {error.strerror or error}; mend that, then go on with --resume"
        ) from error
    except TiprZooError as error:
        kind = type(error).__name__
        if f"Caught {kind} in DataLoader worker" not in str(error):
            raise
        # One from a process that loads pictures carries a printed traceback.
        raise type(error)(str(error).rpartition(f"{kind}: ")[2].strip()) from error
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the memory of the GPU is full; take a smaller training.batch_size, training.precision='bfloat16', or more"
            " GPUs with torchrun"
        ) from error
    except RuntimeError as error:
        if (not_compiled := compiler_failure(error)) is not None:
            raise not_compiled from error
        text = " ".join(str(error).split())
        if "DataLoader worker" in text:
            raise TrainingError(
                f"a process that loads pictures died ({text}), most often because the memory or /dev/shm is full; go on"
                " with --resume and fewer training.num_workers"
            ) from error
        if is_process_gone(error):
            gone = TrainingError(
                f"another process of this training is gone ({text[:200]}); its own message says why: start all of them"
                " again with --resume"
            )
            raise interruption.explain(gone) from error
        if "Expected to have finished reduction" in text:
            raise ConfigError(
                "parts of the model take no part in its losses; with several processes, pass --cfg-options"
                " training.find_unused_parameters=True"
            ) from error
        raise
