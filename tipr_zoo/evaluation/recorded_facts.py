"""What an evaluation record says besides its figures: model, data, how it ranks, the command that repeats it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from tipr_zoo.cards.record import FIRST_STAGE, IMAGE_TO_TEXT, TEXT_TO_IMAGE, TIED
from tipr_zoo.datasets import recognise_dataset
from tipr_zoo.datasets.arguments import dataset_arguments
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TiprZooError
from tipr_zoo.evaluation.loaded_model import LoadedModel
from tipr_zoo.evaluation.reranked_rows import Reranked
from tipr_zoo.machine.code_version import code_version
from tipr_zoo.machine.devices import describe_device
from tipr_zoo.terminal.published_paths import published_path, published_text, without_folders
from tipr_zoo.terminal.suggested_command import suggested_command

PROTOCOLS = {
    TEXT_TO_IMAGE: (
        "every caption of the split is a query, every picture of the split is in the gallery, pictures of the caption's"
        " identity are matches; cosine similarity; a non-match tied with a match ranks before it"
    ),
    IMAGE_TO_TEXT: (
        "every picture of the split is a query, every caption of the split is in the gallery, captions of the picture's"
        " identity are matches; cosine similarity; a non-match tied with a match ranks before it"
    ),
}
"""How it is measured, by direction."""

RERANKED = {
    FIRST_STAGE: "the best {count} pictures of each caption are ranked again by the score of the pair, the others keep"
    " the order of their cosines below these",
    TIED: "the best {count} pictures of each caption are ranked again by the score of the pair, the others share one"
    " score below these",
}
"""What is said besides of pictures that are ranked again, by the order of the others."""

TRANSDUCTIVE = "transductive: this looks at other queries, or at other items of the gallery"
"""What is said besides of such post-processing."""

NOT_RERANKED = "the first stage alone, without the score of pairs"
"""What is said besides where captions are ranked, and pictures of the same evaluation are ranked again."""


def facts_of_ranking(loaded: LoadedModel, reranked: Reranked | None, direction: str) -> dict[str, Any]:
    """Collect the entries of an evaluation record that say how it ranks.

    Args:
        loaded: The model that was measured.
        reranked: What was ranked again; None where nothing was.
        direction: One of `tipr_zoo.cards.record.DIRECTIONS`.
    """
    parts = getattr(loaded.model, "parts", None)
    is_joined = loaded.part is None and isinstance(parts, Mapping) and len(parts) > 1
    facts: dict[str, Any] = {"vectors": len(parts) if is_joined and parts else 1}
    words = [PROTOCOLS[direction]]
    if steps := loaded.postprocess:
        facts |= {
            "postprocess": tuple(step.text() for step in steps),
            "transductive": any(step.IS_TRANSDUCTIVE for step in steps),
        }
        words.append(f"the first stage is post-processed by {' then '.join(facts['postprocess'])}")
        words += [TRANSDUCTIVE] * facts["transductive"]
    if reranked is not None:
        facts |= {"rerank": reranked.candidates.shape[1], "rerank_rest": reranked.rest}
        words.append(RERANKED[reranked.rest].format(count=facts["rerank"]))
    elif loaded.reranking.count:
        words.append(NOT_RERANKED)
    return facts | {"protocol": "; ".join(words)}


def facts_of_model(loaded: LoadedModel) -> dict[str, Any]:
    """Collect the entries of an evaluation record that do not depend on the data.

    Args:
        loaded: The model that was measured.
    """
    return {
        "model": loaded.name,
        "overrides": _published(json.loads(json.dumps(loaded.overrides, default=repr))),
        "weights_sha256": loaded.weights_sha256,
        "training_seed": loaded.training_seed,
        "selected_on": loaded.selected_on,
        "weights_of": loaded.weights_of,
        "part": loaded.part,
        "tipr_zoo_version": code_version(),
        "seed": None,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "device": describe_device(loaded.device),
    }


def facts_of_dataset(dataset: PersonDataset) -> dict[str, Any]:
    """Collect the entries of an evaluation record that depend on the split alone.

    Args:
        dataset: The split.
    """
    return {
        "dataset": dataset.name,
        "split": dataset.split,
        "dataset_arguments": dataset_arguments(dataset),
        "identities": dataset.identity_count,
        "dataset_sha256": dataset.sha256,
    }


def command_again(loaded: LoadedModel, dataset: PersonDataset, direction: str, reranked: Reranked | None) -> str:
    """Return the command line that measures the same again. It leaves out where the data and other files lie.

    Args:
        loaded: The model that was measured.
        dataset: The split.
        direction: One of `tipr_zoo.cards.record.DIRECTIONS`.
        reranked: What was ranked again; None where nothing was.
    """
    words = ["tipr-zoo", "eval", loaded.name, "--data", "DIR"]
    if not _is_recognised(dataset):
        words += ["--dataset", dataset.name]
    words += ["--split", dataset.split]
    if loaded.weights is not None:
        words += ["--weights", published_path(loaded.weights)]
    if direction != TEXT_TO_IMAGE:
        words += ["--direction", direction]
    if loaded.part is not None:
        words += ["--part", loaded.part]
    words += _reranking_words(loaded, direction, reranked)
    if loaded.postprocess:
        words += ["--postprocess", *(step.text() for step in loaded.postprocess)]
    if loaded.overrides:
        words += ["--cfg-options", *(f"{key}={value!r}" for key, value in loaded.overrides.items())]
    return without_folders(suggested_command(*words))


def _reranking_words(loaded: LoadedModel, direction: str, reranked: Reranked | None) -> list[str]:
    """Return the options that rank as many pictures again; none where the recipe says the same by itself."""
    if reranked is not None:
        rest = [] if reranked.rest == loaded.own_reranking.rest == FIRST_STAGE else ["--rerank-rest", reranked.rest]
        return ["--rerank", str(reranked.candidates.shape[1]), *rest]
    by_itself = loaded.own_reranking.count and direction == TEXT_TO_IMAGE and loaded.part is None
    return ["--rerank", "0"] if by_itself else []


def _published(value: Any) -> Any:
    """Return a value of a recipe in which no text says where on this machine a file lies."""
    if isinstance(value, dict):
        return {key: _published(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_published(entry) for entry in value]
    return published_text(value) if isinstance(value, str) else value


def _is_recognised(dataset: PersonDataset) -> bool:
    """Tell whether the data set's folder alone says which data set it is."""
    try:
        return recognise_dataset(dataset.root) is type(dataset)
    except TiprZooError:
        return False
