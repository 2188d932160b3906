"""The reproduction of a card: its recipe trained over several seeds, and the results beside the card's figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tipr_zoo.cards.record import FIRST_STAGE, TEXT_TO_IMAGE, Record
from tipr_zoo.cards.results import Result
from tipr_zoo.datasets.arguments import dataset_arguments
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import started_by_torchrun
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.evaluation.kept_queries import KeptQueries
from tipr_zoo.evaluation.loaded_model import load_resolved
from tipr_zoo.evaluation.measuring import Outcome, measure
from tipr_zoo.evaluation.reranking import Reranking, check_can_rerank
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import evaluation_settings
from tipr_zoo.models.resolved_model import ResolvedModel, resolve_card
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.reproduction.figure_comparison import Comparison, compare
from tipr_zoo.reproduction.seed_figures import SeedFigures, seed_figures
from tipr_zoo.reproduction.seed_training import WITHOUT_EFFECT, SeedTraining, TrainingPlan, train_seeds
from tipr_zoo.reproduction.targets import Target, drawn_targets, named, targets_in
from tipr_zoo.training.pairs.training_data import open_training_data

SEED = "training.seed"


@dataclass(frozen=True)
class Reproduction:
    """The figures of the trainings made here, beside the card's where it has any on the same data.

    Attributes:
        model: Name of the model.
        protocol: How the card's figures were obtained, in the card's words.
        selected_on: The split that each training's epoch was chosen on: ``"val"``, ``"test"``, or ``"none"`` where the
            last epoch was kept.
        started_from: The file that the trainings started from; None for random weights.
        recipe_changes: What was changed in the card's recipe, e.g. ``("training.max_epochs: 2 instead of 6",)``.
        data_changes: How the training data differ from those that the recipe names, e.g. ``("train: 40 instead of
            3000",)``, the number of training identities drawn.
        trainings: One for each seed.
        comparisons: One for each figure of the card on the data that was measured.
        unjudged: One for each metric on data that the card has no figures on; then there are no comparisons.
        records: The evaluation records of every training on every split.
        queries: What was found of every query, one for each of `records`.
        left_out: What the card has figures on that was not measured, e.g. ``("SynthPEDES test (seed 1)",)``.
    """

    model: str
    protocol: str
    selected_on: str
    started_from: Path | None
    recipe_changes: tuple[str, ...]
    data_changes: tuple[str, ...]
    trainings: tuple[SeedTraining, ...]
    comparisons: tuple[Comparison, ...]
    unjudged: tuple[SeedFigures, ...]
    records: tuple[Record, ...]
    queries: tuple[KeptQueries, ...]
    left_out: tuple[str, ...]

    @property
    def is_reproduced(self) -> bool | None:
        """Whether every figure is within; see `tipr_zoo.reproduction.figure_comparison.RULE`. Never with one seed.

        None where the card has no figures on the data, so that there is nothing to judge.
        """
        if not self.comparisons:
            return None
        return all(comparison.verdict == "within" for comparison in self.comparisons)


def reproduce(
    name: str,
    root: str | None = None,
    *,
    dataset: str | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    work_dir: Path | None = None,
    weights: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    select_on: str = "val",
    max_minutes: float | None = None,
    jobs: int = 1,
    device: torch.device | str = "cpu",
    num_workers: int = 0,
    progress: bool = False,
    rerank: int | None = None,
) -> Reproduction:
    """Train a card's recipe over several seeds, and measure each on what the card has figures on.

    Where it has none on this data, each is measured on the test split, and nothing is judged.

    Args:
        name: The model's name.
        root: The data set's folder. Its training split is trained on, and the splits that the card has figures on are
            measured. Without a folder, a recipe for SynthPEDES has all of it drawn into the cache folder: its training
            data, and each data set that the card has figures on.
        dataset: Name of the data set in `root`; None to have it recognised by its files.
        seeds: Training seeds, each of them different.
        work_dir: Holds one folder for each seed; ``work_dirs/reproduce/NAME`` by default. Trainings that were
            interrupted go on where they were. Finished ones of the same recipe and data are not trained again.
        weights: Weights to start from instead of random ones, as in `tipr_zoo.training.train.train`.
        overrides: Entries of the recipe to change, by dotted name.
        select_on: The split that the epoch is chosen on, ``"val"`` or ``"test"``.
        max_minutes: Ends each training with the epoch in which this time is up, in minutes.
        jobs: Trainings at a time, in processes of their own where more than one.
        device: Where to train and measure.
        num_workers: Processes that decode pictures while measuring.
        progress: Whether to show progress bars on stderr.
        rerank: How many pictures of each caption are ranked again in measuring, 0 for none. Only figures of the card
            that rank as many again are compared. None measures as each figure of the card was; what does not say it,
            as the recipe says.

    Raises:
        ConfigError: The data set has nothing to measure on; `seeds`, `jobs`, `num_workers`, `max_minutes` or the recipe
            make no sense; pictures are to be ranked again, and the model has no score of pairs; or the work dir holds
            another training.
        WeightsError: `weights` do not exist.
        DataError: The data set cannot be read.
        TrainingError: A training failed.
        TiprZooError: Whatever else `tipr_zoo.training.train.train` raises.
    """
    card, overrides = load_card(name), dict(overrides or {})
    _check(seeds, jobs, overrides, weights)
    if num_workers < 0:
        raise ConfigError(f"the number of workers must be at least 0, got {num_workers}")
    Reranking(rerank or 0)  # says at once what is wrong with it
    if max_minutes is not None and not max_minutes >= 0:  # NaN, too, is refused
        raise ConfigError(f"the time limit must be a number of minutes from 0, got {max_minutes}")
    resolved = resolve_card(card, overrides, name)
    data = open_training_data(resolved, root, select_on, dataset)
    targets = drawn_targets(card, resolved.recipe.training) if root is None else targets_in(card, root, data.train)
    rankings = _rankings(targets, resolved, rerank)
    for ranking in {reranking for _, reranking, _ in rankings if reranking.count}:
        with torch.device("meta"):  # the form alone, before hours of training
            check_can_rerank(build_retriever(resolved.recipe.model), ranking)
    plan = TrainingPlan(
        resolved=resolved,
        data=data,
        work_dir=work_dir or Path("work_dirs") / "reproduce" / name,
        weights=weights,
        select_on=select_on,
        max_minutes=max_minutes,
        device=str(device),
    )
    trainings = train_seeds(plan, seeds, jobs)
    comparisons: list[Comparison] = []
    unjudged: list[SeedFigures] = []
    outcomes: list[Outcome] = []
    for split, reranking, results in rankings:
        measured_here = _measured(plan, trainings, split, reranking, num_workers, progress)
        by_seed = {seed: outcome.record for seed, outcome in measured_here.items()}
        figures = {seed: record.metrics for seed, record in by_seed.items()}
        comparisons += [each for result in results for each in compare(result, figures, reranking.count)]
        unjudged += [] if results else seed_figures(by_seed)
        outcomes += measured_here.values()
    measured = [result for _, _, results in rankings for result in results]
    return Reproduction(
        model=name,
        protocol=card.protocol,
        selected_on=data.validation.split if data.validation else "none",
        started_from=weights,
        recipe_changes=_recipe_changes(resolved),
        data_changes=_data_changes(resolved.recipe.training, data.train),
        trainings=tuple(trainings),
        comparisons=tuple(comparisons),
        unjudged=tuple(unjudged),
        records=tuple(outcome.record for outcome in outcomes),
        queries=tuple(outcome.queries for outcome in outcomes),
        left_out=tuple(named(result for result in card.results if result not in measured)),
    )


def _check(seeds: Sequence[int], jobs: int, overrides: Mapping[str, Any], weights: Path | None) -> None:
    """Raise ConfigError or WeightsError where something asked for makes no sense."""
    if started_by_torchrun():
        raise ConfigError("each training here is one process: start without torchrun, and with --jobs for several GPUs")
    if not seeds:
        raise ConfigError("no seed to train with; name at least one, e.g. --seeds 0 1 2")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ConfigError(f"a seed must be a whole number from 0, got {seed!r}")
        if list(seeds).count(seed) > 1:
            raise ConfigError(f"seed {seed} is named more than once; each seed is one training")
    if jobs < 1:
        raise ConfigError(f"the number of jobs must be at least 1, got {jobs}")
    if SEED in overrides:
        raise ConfigError(f"{SEED} is set for each training; name the seeds with --seeds")
    if weights is not None and not weights.is_file():
        raise WeightsError(f"weights {weights} do not exist; check the path")


def _rankings(
    targets: Sequence[Target], resolved: ResolvedModel, rerank: int | None
) -> list[tuple[PersonDataset, Reranking, list[Result]]]:
    """Return every split to measure with each ranking, and the card's figures of both; without any, nothing is judged.

    Args:
        targets: The splits.
        resolved: The model.
        rerank: How many pictures to rank again; None for as many as the card's figures do.
    """
    evaluation = evaluation_settings(resolved.recipe)
    rankings = []
    for target in targets:

        def ranking(count: int | None, rest: str | None, pictures: int = len(target.dataset.pictures)) -> Reranking:
            count = min(evaluation.rerank if count is None else count, pictures)
            return Reranking(count, (rest or evaluation.rerank_rest) if count else FIRST_STAGE)

        found: dict[Reranking, list[Result]] = {} if target.results else {ranking(rerank, None): []}
        for result in target.results:
            found.setdefault(ranking(result.rerank, result.rerank_rest), []).append(result)
        if rerank is not None:
            found = {ranking(rerank, None): found.get(ranking(rerank, None), [])}
        rankings += [(target.dataset, each, results) for each, results in found.items()]
    with_figures = [each for each in rankings if each[2]]
    return with_figures or rankings


def _recipe_changes(resolved: ResolvedModel) -> tuple[str, ...]:
    """Say in words what the overrides change. What has no effect on figures is not counted."""
    changes = []
    for key, value in resolved.overrides.items():
        place: Any = resolved.own_recipe
        for part in key.split("."):
            place = place.get(part) if isinstance(place, Mapping) else None
        if key != f"training.{WITHOUT_EFFECT}" and place != value:
            changes.append(f"{key}: {value!r} instead of {place!r}")
    return tuple(changes)


def _data_changes(training: Mapping[str, Any], train_set: PersonDataset) -> tuple[str, ...]:
    """Say in words how a training split differs from the one that a recipe names."""
    if train_set.name != training["dataset"]:
        return (f"{train_set.name} instead of {training['dataset']}",)
    found = dataset_arguments(train_set)
    if "seed" not in found:  # published, or somebody's table
        return ()
    found = {"train": train_set.identity_count, **found}
    asked = {"seed": 0, "train": 1000, **training.get("dataset_arguments", {})}
    return tuple(
        f"{name}: {found.get(name)} instead of {asked.get(name, 'the usual')}"
        for name in sorted(found.keys() | asked.keys())
        if found.get(name) != asked.get(name)
    )


def _measured(
    plan: TrainingPlan,
    trainings: Iterable[SeedTraining],
    dataset: PersonDataset,
    reranking: Reranking,
    num_workers: int,
    progress: bool,
) -> dict[int, Outcome]:
    """Evaluate every training on a split; return the evaluations by seed."""
    outcomes = {}
    for training in trainings:
        loaded = load_resolved(plan.resolved, training.weights, torch.device(plan.device))
        loaded = replace(loaded, reranking=reranking)
        outcomes[training.seed] = measure(loaded, dataset, [TEXT_TO_IMAGE], num_workers, progress)[0]
    return outcomes
