"""What hooks see of a training that is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from tipr_zoo.distributed import as_one_process, gather_objects, process_count, process_rank
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch
from tipr_zoo.protocols import Retriever
from tipr_zoo.training.loop.runner_model import RunnerModel
from tipr_zoo.training.pairs.batch_entries import PAIR_INDICES
from tipr_zoo.training.pairs.pairs import PairKey, TrainingPairs

PASS_EPOCH = 1 << 20
"""Added to the number of an epoch whose pairs are measured, so that its draws are not those of the training itself."""


class TrainingRun:
    """A view of MMEngine's runner; see `tipr_zoo.protocols.TrainingRun`.

    Args:
        runner: The runner.
        seed: The seed of the training.
        figures: Gets what hooks note of an epoch, by name.

    Attributes:
        step_in_epoch: Steps of the epoch that are done.
        most_batches: How many batches `measure_pairs` goes through at most; the other pairs get 0. None for all.
    """

    def __init__(self, runner: Runner, seed: int, figures: dict[str, float]) -> None:
        self._runner, self.seed, self._figures = runner, seed, figures
        self.step_in_epoch = 0
        self.most_batches: int | None = None

    @property
    def retriever(self) -> Retriever:
        """What is trained."""
        return cast(Retriever, self._model.retriever)

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return int(self._runner.epoch)

    @property
    def step(self) -> int:
        """Steps that are done, of all epochs."""
        return int(self._runner.iter)

    @property
    def epoch_length(self) -> int:
        """Steps that this epoch has."""
        return len(self._runner.train_dataloader)

    @property
    def max_epochs(self) -> int:
        """Epochs that the training is to have."""
        return int(self._runner.max_epochs)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self._model.parameters()).device

    @property
    def work_dir(self) -> Path:
        """Where the training writes."""
        return Path(self._runner.work_dir)

    @property
    def exchanged_pairs(self) -> Tensor:
        """Which pairs have another caption by ``training.noise``: (C,) bool, on the CPU."""
        return self._pairs.exchanged

    def measure_pairs(self, measure: Callable[[Batch], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Go through every training pair once, and collect what is measured of each.

        See `tipr_zoo.protocols.TrainingRun.measure_pairs`.

        Raises:
            ConfigError: `measure` gives something else than one number a pair, or other names for other batches.
        """
        found: dict[str, Tensor] = {}
        batches = self._batches()[: self.most_batches][process_rank() :: process_count()]
        with torch.no_grad(), as_one_process(), self._model.autocast(self.device):
            for batch in self._loaded(batches):
                indices = batch[PAIR_INDICES].cpu()
                for name, values in _checked(measure(batch), len(indices)).items():
                    whole = found.setdefault(name, torch.zeros(len(self._pairs), dtype=torch.float64))
                    whole[indices] = values.detach().to("cpu", torch.float64)
        return _of_all_processes(found, len(self._pairs), self.device)

    def note(self, name: str, value: float) -> None:
        """Note a figure of this epoch. It goes into ``history.jsonl``."""
        self._figures[name] = float(value)

    def stop(self) -> None:
        """Let the training end with this epoch, or after the validation that calls this."""
        self._runner.train_loop.stop_training = True

    @property
    def _model(self) -> RunnerModel:
        model = self._runner.model
        return cast(RunnerModel, getattr(model, "module", model))

    @property
    def _pairs(self) -> TrainingPairs:
        return cast(TrainingPairs, self._runner.train_dataloader.dataset)

    def _batches(self) -> list[list[PairKey]]:
        """Return the keys of all pairs, shuffled and cut into batches; the last one may be smaller."""
        epoch = PASS_EPOCH + self.epoch
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self._pairs), generator=generator)
        size = self._runner.train_dataloader.batch_sampler.batch_size
        return [[(epoch, index, {PAIR_INDICES: index}) for index in part.tolist()] for part in order.split(size)]

    def _loaded(self, batches: list[list[PairKey]]) -> Iterator[dict[str, Tensor]]:
        """Load batches as the training loads its own."""
        loader: DataLoader[Any] = self._runner.train_dataloader
        passing = DataLoader(
            self._pairs,
            batch_sampler=batches,
            num_workers=loader.num_workers if batches else 0,
            worker_init_fn=loader.worker_init_fn,
            collate_fn=loader.collate_fn,
        )
        for batch in passing:
            yield {name: value.to(self.device) for name, value in batch.items()}


def _checked(values: object, count: int) -> Mapping[str, Tensor]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"measure_pairs: what is measured must be a dict of tensors, got {type(values).__name__}")
    for name, each in values.items():
        if not isinstance(each, Tensor) or each.shape != (count,):
            found = f"shape {(*each.shape,)}" if isinstance(each, Tensor) else type(each).__name__
            raise ConfigError(f"measure_pairs: {name!r} must be one number a pair, of shape ({count},), got {found}")
    return values


def _of_all_processes(found: dict[str, Tensor], count: int, device: torch.device) -> dict[str, Tensor]:
    """Add what the processes measured; each has zeros where others measured."""
    if process_count() == 1:
        return found
    names = sorted({name for each in gather_objects(list(found)) for name in each})
    whole = {name: found.get(name, torch.zeros(count, dtype=torch.float64)).to(device) for name in names}
    for values in whole.values():
        dist.all_reduce(values)
    return {name: values.cpu() for name, values in whole.items()}
