"""One evaluation of a model of the zoo, with the record that lets anybody repeat it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from tipr_zoo import __version__
from tipr_zoo.building import build
from tipr_zoo.card_index import load_card
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.devices import describe_device
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.evaluation import Embeddings, embed_dataset
from tipr_zoo.hits_picture import HitsRow, PictureHit
from tipr_zoo.metrics import retrieval_metrics_from_embeddings
from tipr_zoo.records import DIRECTION, Record
from tipr_zoo.weights import fetch_weights, file_sha256

PROTOCOL = (
    "every caption of the split is a query, every picture of the split is in the gallery, pictures of the caption's"
    " identity are matches; cosine similarity; a non-match tied with a match ranks before it"
)


@dataclass(frozen=True)
class Outcome:
    """An evaluation: its record, and the embeddings behind it."""

    record: Record
    dataset: PersonDataset
    embeddings: Embeddings

    def hits_rows(self, count: int, top: int = 5) -> list[HitsRow]:
        """The best hits of some captions, taken at equal distances through the split, good or bad as they are.

        Args:
            count: Number of captions.
            top: Pictures a caption.

        Raises:
            ConfigError: `count` is below 1.
        """
        if count < 1:
            raise ConfigError(f"the number of captions must be at least 1, got {count}")
        total = len(self.dataset.captions)
        count = min(count, total)
        queries = [(2 * index + 1) * total // (2 * count) for index in range(count)]
        pictures = F.normalize(self.embeddings.pictures, dim=-1)
        rows = []
        for query in queries:
            scores = pictures @ F.normalize(self.embeddings.captions[query], dim=-1)
            best = scores.argsort(descending=True, stable=True)[:top].tolist()
            identity = self.dataset.caption_ids[query]
            hits = [
                PictureHit(self.dataset.pictures[i], float(scores[i]), self.dataset.picture_ids[i] == identity)
                for i in best
            ]
            rows.append(HitsRow(self.dataset.captions[query], hits))
        return rows


def evaluate_and_record(
    name: str,
    dataset: PersonDataset,
    *,
    weights: Path | None = None,
    device: torch.device,
    num_workers: int = 0,
    progress: bool = False,
) -> Outcome:
    """Evaluate a model on a split.

    Args:
        name: The model's name.
        dataset: The split.
        weights: Weights to use instead of the card's.
        device: Where to run.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.

    Raises:
        WeightsError: There are no weights, or they are damaged or do not fit.
        DataError: A picture is missing or cannot be read.
    """
    card, arguments = load_card(name), _dataset_arguments(dataset)
    model = build(name, pretrained=weights is None, weights=weights, device=device)
    file = weights or fetch_weights(card)
    started = time.perf_counter()
    embeddings = embed_dataset(model, dataset, num_workers, progress)
    metrics = retrieval_metrics_from_embeddings(
        embeddings.captions, embeddings.pictures, dataset.caption_ids, dataset.picture_ids
    )
    own_weights = f" --weights {weights}" if weights else ""
    record = Record(
        model=name,
        dataset=dataset.name,
        split=dataset.split,
        dataset_arguments=arguments,
        direction=DIRECTION,
        metrics={key: round(value, 4) for key, value in metrics.items()},
        queries=len(dataset.captions),
        gallery=len(dataset.pictures),
        identities=dataset.identity_count,
        weights_sha256=file_sha256(file),
        dataset_sha256=file_sha256(dataset.annotation_file),
        tipr_zoo_version=__version__,
        command=f"tipr-zoo eval {name} --data DIR --split {dataset.split}{own_weights}",
        seed=None,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        duration_seconds=round(time.perf_counter() - started, 2),
        device=describe_device(device),
        protocol=PROTOCOL,
    )
    return Outcome(record, dataset, embeddings)


def _dataset_arguments(dataset: PersonDataset) -> dict[str, Any]:
    """What identifies a drawn data set beside its name: its seed, and its sizes where they are not the usual ones.

    Raises:
        DataError: The file that tells them is broken.
    """
    file = dataset.annotation_file.parent / "synthpedes.json"
    if not file.is_file():
        return {}
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        seed, counts = int(about["seed"]), about["counts"]
        sizes = {name: int(counts[name]) for name in (dataset.split, "pictures")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: is broken ({type(error).__name__}: {error}); draw the data set anew") from error
    usual = {"train": 1000, "val": 100, "test": 200, "pictures": 4}
    return {"seed": seed} | {name: size for name, size in sizes.items() if size != usual[name]}
