"""What is known of an epoch: the means of its losses, its rates, and the norms of its gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

BASE_RULE = "base"
"""The rule of parameters that no other rule is for."""

OF_HISTORY = ("epoch", "loss", "lr", "lr_by_rule", "grad_norm", "grad_norm_largest", "seconds", "validation")
"""What lines of the history have besides ``loss_`` with the key of an objective."""


class EpochFigures:
    """Sums up the steps of an epoch.

    Args:
        before: What `state` gave of the steps that were done before the run was resumed; empty at the beginning.
    """

    def __init__(self, before: Mapping[str, Any] | None = None) -> None:
        before = before or {}
        self.sums: dict[str, float] = dict(before.get("sums", {}))
        self.steps: int = before.get("steps", 0)
        self.seconds: float = before.get("seconds", 0.0)
        self.rates: dict[str, float] = dict(before.get("rates", {}))
        self.norms: dict[str, float] = dict(before.get("norms", {"sum": 0.0, "count": 0, "largest": 0.0}))

    def add(self, losses: Mapping[str, float], rates: Mapping[str, float], norm: float | None, seconds: float) -> None:
        """Add a step.

        Args:
            losses: By key.
            rates: The largest learning rate by rule.
            norm: Norm of the gradient, where the parameters changed. One that float16 made infinite is left out.
            seconds: What the step took.
        """
        for key, value in losses.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        for rule, rate in rates.items():
            self.rates[rule] = max(rate, self.rates.get(rule, 0.0))
        if norm is not None and math.isfinite(norm):
            self.norms["sum"] += norm
            self.norms["count"] += 1
            self.norms["largest"] = max(norm, self.norms["largest"])
        self.steps += 1
        self.seconds += seconds

    def state(self) -> dict[str, Any]:
        """Return all of it as plain values, for a checkpoint."""
        named = {"sums": self.sums, "steps": self.steps, "seconds": self.seconds}
        return {**named, "rates": self.rates, "norms": self.norms}

    def row(self, epoch: int) -> dict[str, Any]:
        """Return the line of the history, after at least one step.

        Args:
            epoch: Its number, from 1.
        """
        means = {key: round(total / self.steps, 5) for key, total in self.sums.items()}
        row: dict[str, Any] = {"epoch": epoch, **means, "lr": _short(max(self.rates.values(), default=0.0))}
        if len(self.rates) > 1:
            row["lr_by_rule"] = {rule: _short(rate) for rule, rate in self.rates.items()}
        if self.norms["count"]:
            row["grad_norm"] = _short(self.norms["sum"] / self.norms["count"])
            row["grad_norm_largest"] = _short(self.norms["largest"])
        return {**row, "seconds": round(self.seconds, 1)}


class RuleRates:
    """The largest learning rate of each rule of an optimiser's groups.

    Groups of one rule and one base rate have one rate, so that a few stand for hundreds.

    Args:
        groups: The optimiser's parameter groups, each with ``lr``, and with ``rule`` where it has one.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        kinds = {(str(group.get("rule", BASE_RULE)), group.get("initial_lr", group["lr"])): group for group in groups}
        self._groups = [(rule, group) for (rule, _), group in kinds.items()]

    def now(self) -> dict[str, float]:
        """Return them as they are now."""
        rates: dict[str, float] = {}
        for rule, group in self._groups:
            rates[rule] = max(float(group["lr"]), rates.get(rule, 0.0))
        return rates


def _short(value: float) -> float:
    """Return a number with six digits."""
    return float(f"{value:.6g}")
