"""The division of pairs into clean and noisy ones, by itself and in a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.mixture
import torch
from tipr_zoo_rde.components import ConsensusDivision
from tipr_zoo_rde.loss_mixture import LossMixture

from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError, TrainingError, TrainingInterrupted
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.train import train
from tipr_zoo.weights.tensors import read_weights

NAME = "rde_tiny_synth"
SMALL: dict[str, Any] = {
    "training.max_epochs": 1,
    "training.batch_size": 6,
    "training.schedule.warmup_epochs": 0,
    "model.image_encoder.depth": 1,
    "model.text_encoder.depth": 1,
}
USUAL = LossMixture(max_iter=10, tol=1e-2, reg_covar=5e-4)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDataset, PersonDataset]:
    folder = tmp_path_factory.mktemp("data") / "synthpedes"
    draw_synthpedes(folder, seed=0, train=5, val=2, test=2, pictures=2)
    train_set, validation_set = (open_dataset(str(folder), split=split) for split in ("train", "val"))
    return train_set, validation_set


def losses(wrong: int = 40, count: int = 200) -> np.ndarray:
    random = np.random.RandomState(0)
    return np.concatenate([random.normal(1, 0.1, count - wrong), random.normal(3, 0.2, wrong)])


class TestTheMixture:
    def test_large_losses_are_noisy(self) -> None:
        clean, has_converged = USUAL.clean(losses(), seed=0)
        assert clean.tolist() == [True] * 160 + [False] * 40
        assert has_converged

    def test_any_scale_gives_the_same(self) -> None:
        for scaled in (1e-6 * losses(), 1e6 * losses(), losses() - 5):
            assert USUAL.clean(scaled, seed=0)[0].tolist() == [True] * 160 + [False] * 40

    def test_equal_losses_are_all_clean(self) -> None:
        assert USUAL.clean(np.full(7, 0.3), seed=0)[0].all()
        assert USUAL.clean(np.array([0.3]), seed=0)[0].all()

    def test_where_all_are_clean_the_least_likely_hundredth_is_taken_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        share = np.linspace(0.6, 0.9, 200)

        class AllClean:
            means_ = np.array([[0.9], [0.1]])
            converged_ = True

            def __init__(self, components: int, **options: Any) -> None:
                assert components == 2

            def fit(self, values: np.ndarray) -> AllClean:
                return self

            def predict_proba(self, values: np.ndarray) -> np.ndarray:
                return np.stack([1 - share, share], axis=1)

        monkeypatch.setattr(sklearn.mixture, "GaussianMixture", AllClean)
        assert USUAL.clean(losses(), seed=0)[0].tolist() == [False] * 2 + [True] * 198

    def test_a_fit_that_does_not_converge_says_so(self, recwarn: pytest.WarningsRecorder) -> None:
        assert not LossMixture(max_iter=1, tol=0.0, reg_covar=1e-6).clean(losses(), seed=0)[1]
        assert not recwarn.list


class Run:
    """As much of a training as the division of given losses needs."""

    epoch, seed, step_in_epoch = 0, 0, 0
    exchanged_pairs = torch.zeros(200, dtype=torch.bool)

    def __init__(self, **measured: np.ndarray) -> None:
        self.measured = {name: torch.from_numpy(values) for name, values in measured.items()}
        self.noted: dict[str, float] = {}
        self.retriever = torch.nn.Module()
        self.retriever.objectives = {name: torch.nn.Identity() for name in measured}  # type: ignore[assignment]
        for objective in self.retriever.objectives.values():  # type: ignore[operator,union-attr]
            objective.pair_losses = len

    def measure_pairs(self, measure: Any) -> Any:
        return self.measured

    def note(self, name: str, value: float) -> None:
        self.noted[name] = value


def divided(run: Any, hook: ConsensusDivision | None = None) -> list[bool]:
    hook = hook or ConsensusDivision()
    hook.before_epoch(run)
    return hook.state_dict()["verdicts"].tolist()


class TestTheConsensus:
    def test_what_both_say_is_the_verdict_and_a_coin_decides_the_rest(self) -> None:
        bge, tse = losses(40), losses(40)
        tse[:80], tse[120:] = losses(40)[120:].max(), losses(40)[:80]  # they agree on pairs 80 to 119 alone
        run = Run(bge=bge, tse=tse)
        found = divided(run)
        clean = [USUAL.clean(values, seed=0)[0] for values in (bge, tse)]
        agree = clean[0] == clean[1]
        assert 20 < agree.sum() < 180
        assert np.array(found)[agree].tolist() == clean[0][agree].tolist()
        coins = np.array(found)[~agree]
        assert 0.35 < coins.mean() < 0.65
        assert found == divided(Run(bge=bge, tse=tse))  # the coins are those of seed and epoch
        later = Run(bge=bge, tse=tse)
        later.epoch = 1
        assert found != divided(later)
        assert run.noted == {"clean_share": pytest.approx(np.mean(found))}

    def test_how_many_wrong_pairs_are_found_is_noted(self) -> None:
        run = Run(bge=losses(40), tse=losses(40))
        run.exchanged_pairs = torch.arange(200) >= 150
        divided(run)
        assert run.noted["wrong_pairs_found"] == pytest.approx(0.8)
        assert run.noted["right_pairs_kept"] == 1.0
        run = Run(bge=losses(40), tse=losses(40))
        run.exchanged_pairs = torch.ones(200, dtype=torch.bool)
        divided(run)
        assert "right_pairs_kept" not in run.noted  # there are none, and their share is no number

    def test_without_a_clean_pair_all_are_learnt_from(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(LossMixture, "clean", lambda self, values, seed: (np.zeros(200, dtype=bool), True))
        assert all(divided(Run(bge=losses())))
        assert "epoch 1: no pair is clean by its losses, so all are learnt from" in caplog.text

    def test_losses_that_are_not_finite_are_told(self) -> None:
        broken = losses()
        broken[[3, 5]] = np.nan, np.inf
        with pytest.raises(TrainingError, match="epoch 1: tse is not finite for 2 of 200 pairs"):
            divided(Run(bge=losses(), tse=broken))

    def test_a_fit_that_does_not_converge_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        run = Run(bge=losses())
        with caplog.at_level("INFO", "tipr_zoo"):
            divided(run, ConsensusDivision(max_iter=1, tol=0.0, reg_covar=1e-6))
        assert run.noted["not_converged_bge"] == 1
        assert "epoch 1: the mixture of bge has not converged in 1 iterations" in caplog.text

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"train_mode": "publishd"}, "train_mode of ConsensusDivision is mended or published, got 'publishd'"),
            ({"max_iter": 0}, "max_iter of 1 or more"),
            ({"tol": -1}, "tol and reg_covar of 0 or more"),
            ({"reg_covar": float("nan")}, "tol and reg_covar of 0 or more"),
        ],
    )
    def test_arguments_that_make_no_sense_are_told(self, arguments: Any, told: str) -> None:
        with pytest.raises(ConfigError, match=told):
            ConsensusDivision(**arguments)


def state(work_dir: Path) -> dict[str, torch.Tensor]:
    return read_weights(work_dir / f"{NAME}.safetensors")


class TestInATraining:
    def test_verdicts_reach_the_losses_and_are_noted(self, splits: Any, tmp_path: Path) -> None:
        train(NAME, *splits, tmp_path, overrides={**SMALL, "training.noise.rate": 0.5})
        row = json.loads((tmp_path / "history.jsonl").read_text().splitlines()[0])
        assert 0 < row["clean_share"] < 1
        assert {"wrong_pairs_found", "right_pairs_kept"} <= row.keys()
        train(NAME, *splits, tmp_path / "all", overrides={**SMALL, "training.noise.rate": 0.5, "training.hooks": []})
        whole = json.loads((tmp_path / "all" / "history.jsonl").read_text().splitlines()[0])
        assert row["loss_bge"] < whole["loss_bge"]  # sums over fewer pairs

    @pytest.mark.parametrize("mode", ["mended", "published"])
    def test_batch_normalisation_learns_unless_it_is_as_published(self, splits: Any, tmp_path: Path, mode: str) -> None:
        hooks = [{"type": "ConsensusDivision", "train_mode": mode}]
        train(NAME, *splits, tmp_path, overrides={**SMALL, "training.hooks": hooks})
        means = [value for name, value in state(tmp_path).items() if name.endswith("running_mean")]
        assert means
        assert all((mode == "published") == (not mean.any()) for mean in means)

    def test_a_run_that_is_stopped_within_an_epoch_keeps_its_verdicts(
        self, splits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        train(NAME, *splits, tmp_path / "straight", overrides=SMALL)
        before_step, count = ConsensusDivision.before_step, []

        def stopping(hook: ConsensusDivision, run: Any, batch: Any) -> Any:
            import os
            import signal

            count.append(1)
            if len(count) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return before_step(hook, run, batch)

        monkeypatch.setattr(ConsensusDivision, "before_step", stopping)
        with pytest.raises(TrainingInterrupted):
            train(NAME, *splits, tmp_path / "run", overrides=SMALL)
        monkeypatch.setattr(ConsensusDivision, "_divide", lambda *_: pytest.fail("they were divided again"))
        train(NAME, *splits, tmp_path / "run", resume=True, overrides=SMALL)
        one, other = state(tmp_path / "straight"), state(tmp_path / "run")
        assert all(torch.equal(one[name], value) for name, value in other.items())

    def test_losses_of_no_single_pair_cannot_divide(self, splits: Any, tmp_path: Path) -> None:
        overrides = {**SMALL, "model.losses": {"sdm": {"type": "SDM"}}}
        with pytest.raises(TiprZooError, match="no objective of this model has pair_losses, as TripletAlignment"):
            train(NAME, *splits, tmp_path, overrides=overrides)
