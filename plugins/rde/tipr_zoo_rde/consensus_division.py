"""Confident consensus division: which training pairs are clean, from RDE (arXiv 2308.09911, section 3.3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tipr_zoo.distributed import from_main_process
from tipr_zoo.errors import ConfigError, TrainingError
from tipr_zoo.features import Batch
from tipr_zoo.protocols import TrainingRun
from tipr_zoo.registries import HOOKS
from tipr_zoo_rde.gate import VERDICTS
from tipr_zoo_rde.loss_mixture import LossMixture

TRAIN_MODES = ("mended", "published")
logger = logging.getLogger("tipr_zoo")


@HOOKS.register_module()
class ConsensusDivision:
    """Divides the training pairs into clean and noisy ones before each epoch, by their losses.

    The model computes each objective's loss of every pair, in evaluation mode, over shuffled and augmented batches. A
    mixture of two normal distributions is fitted to the losses of each objective. A pair is clean for an objective if
    it is more likely to be of the distribution with the smaller mean. Where all objectives agree, that is the verdict.
    Where they do not, a fair coin decides. Batches get the verdicts as ``label_hat``, 1 for clean and 0 for noisy.

    Args:
        train_mode: In the published code, before it was mended on 2024-10-23, the model stayed in evaluation mode after
            the division, so that batch normalisation never learned its statistics. The published figures were made so.
            ``"published"`` does the same; ``"mended"`` trains in training mode.
        max_iter: Iterations of the fit of a mixture. The published code takes 10; on RSTPReid, and where more than 40 %
            of the pairs are exchanged, 100.
        tol: The fit ends where the likelihood gains less. 1e-2; in those cases 1e-4.
        reg_covar: Added to the variances. 5e-4; in those cases 1e-6.

    Raises:
        ConfigError: There is no such mode, or a number makes no sense.
    """

    needs_of_batch = ("pair_indices",)
    brings_to_batch = (VERDICTS,)

    def __init__(
        self, train_mode: str = "mended", max_iter: int = 10, tol: float = 1e-2, reg_covar: float = 5e-4
    ) -> None:
        if train_mode not in TRAIN_MODES:
            raise ConfigError(f"train_mode of ConsensusDivision is {' or '.join(TRAIN_MODES)}, got {train_mode!r}")
        if max_iter < 1 or not (tol >= 0 and reg_covar >= 0):
            raise ConfigError("ConsensusDivision needs max_iter of 1 or more, and tol and reg_covar of 0 or more")
        self.train_mode = train_mode
        self.mixture = LossMixture(max_iter, tol, reg_covar)
        self.verdicts: Tensor | None = None

    def before_run(self, run: TrainingRun) -> None:
        """Check that there is something to divide by.

        Raises:
            ConfigError: No objective of the model has the losses of single pairs.
        """
        self._keys(run)

    def before_epoch(self, run: TrainingRun) -> None:
        """Divide the pairs. Within an epoch, the verdicts come from the checkpoint."""
        if run.step_in_epoch and self.verdicts is not None:
            return
        retriever: Any = run.retriever  # a DualEncoder, or what computes features and objectives as one does
        keys, is_training = self._keys(run), retriever.training
        retriever.eval()

        def losses(batch: Batch) -> dict[str, Tensor]:
            features = retriever.features(batch, retriever.needs_patch_tokens)
            return {key: retriever.objectives[key].pair_losses(features, batch).float() for key in keys}

        measured = run.measure_pairs(losses)
        retriever.train(is_training)
        self.verdicts = torch.from_numpy(from_main_process(self._divide(measured, run)))
        self._note(run)

    def before_step(self, run: TrainingRun, batch: Batch) -> dict[str, Tensor]:
        """Add the verdicts to the batch."""
        assert self.verdicts is not None  # before_epoch made them
        retriever: Any = run.retriever
        if self.train_mode == "published" and retriever.training:
            retriever.eval()
        return {VERDICTS: self.verdicts[batch["pair_indices"]].float()}

    def state_dict(self) -> dict[str, Any]:
        """Return the verdicts of this epoch."""
        return {} if self.verdicts is None else {"verdicts": self.verdicts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the verdicts of an epoch that was begun."""
        self.verdicts = state.get("verdicts")

    def _keys(self, run: TrainingRun) -> list[str]:
        objectives = getattr(run.retriever, "objectives", {})
        keys = [key for key, objective in objectives.items() if hasattr(objective, "pair_losses")]
        if not keys:
            raise ConfigError(
                "ConsensusDivision divides by the losses of single pairs, and no objective of this model has"
                " pair_losses, as TripletAlignment, GatedITC and GatedSDM do; add one, or leave the hook out"
            )
        return keys

    def _divide(self, measured: Mapping[str, Tensor], run: TrainingRun) -> np.ndarray:
        """Return the verdict on each pair: (C,) bool."""
        votes = np.stack([self._clean(key, losses.numpy(), run) for key, losses in measured.items()])
        generator = torch.Generator().manual_seed((run.seed * 1_000_003 + run.epoch) % 2**63)
        coins = torch.randint(2, (votes.shape[1],), generator=generator).numpy().astype(bool)
        verdicts = np.where(votes.all(0), True, np.where(votes.any(0), coins, False))
        if not verdicts.any():
            logger.warning("epoch %d: no pair is clean by its losses, so all are learnt from", run.epoch + 1)
            return np.ones_like(verdicts)
        return verdicts

    def _clean(self, key: str, losses: np.ndarray, run: TrainingRun) -> np.ndarray:
        """Return which pairs are clean for one objective, (C,) bool, by their losses."""
        if not np.isfinite(losses).all():
            count = int((~np.isfinite(losses)).sum())
            raise TrainingError(
                f"epoch {run.epoch + 1}: {key} is not finite for {count:,} of {len(losses):,} pairs, so they cannot be"
                " divided; go on with --resume and a lower training.optimizer.lr"
            )
        clean, has_converged = self.mixture.clean(losses, run.seed + run.epoch)
        if not has_converged:
            told = "epoch %d: the mixture of %s has not converged in %d iterations; its verdict counts all the same"
            logger.info(told, run.epoch + 1, key, self.mixture.max_iter)
            run.note(f"not_converged_{key}", 1)  # the published number of iterations often ends before
        return clean

    def _note(self, run: TrainingRun) -> None:
        """Note the share of clean pairs, and where captions were exchanged on purpose, how many of them are found."""
        assert self.verdicts is not None  # they were made before
        run.note("clean_share", float(self.verdicts.double().mean()))
        wrong = run.exchanged_pairs
        if wrong.any():
            run.note("wrong_pairs_found", float((~self.verdicts[wrong]).double().mean()))
        if wrong.any() and not wrong.all():
            run.note("right_pairs_kept", float(self.verdicts[~wrong].double().mean()))
