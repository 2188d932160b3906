"""Which pairs are clean by their losses: a mixture of two normal distributions (arXiv 2308.09911, equation 10)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

CLEAN = 0.5
"""A pair is clean above this probability."""


@dataclass(frozen=True)
class LossMixture:
    """How the mixture is fitted, with scikit-learn.

    Attributes:
        max_iter: Iterations at most.
        tol: The fit ends where the likelihood gains less.
        reg_covar: Added to the variances.
    """

    max_iter: int
    tol: float
    reg_covar: float

    def clean(self, losses: np.ndarray, seed: int) -> tuple[np.ndarray, bool]:
        """Return which pairs are more likely of the distribution with the smaller mean, and whether the fit converged.

        Where all are, those that are least likely, a hundredth, are taken out, as in the published code. Where all
        losses are equal, all pairs are clean.

        Args:
            losses: (C,) finite.
            seed: Seed of the fit's start.
        """
        from sklearn.exceptions import ConvergenceWarning  # not at the top: it takes a second
        from sklearn.mixture import GaussianMixture

        span = losses.max() - losses.min()
        if span == 0 or len(losses) < 2:
            return np.ones(len(losses), dtype=bool), True
        scaled = ((losses - losses.min()) / span).reshape(-1, 1)
        mixture = GaussianMixture(
            2, max_iter=self.max_iter, tol=self.tol, reg_covar=self.reg_covar, random_state=seed % 2**32
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the caller is told
            probability = mixture.fit(scaled).predict_proba(scaled)[:, mixture.means_.argmin()]
        threshold = CLEAN if (probability <= CLEAN).any() else np.quantile(probability, 0.01)
        return np.asarray(probability > threshold), bool(mixture.converged_)
