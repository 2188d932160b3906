"""Further wordings of captions, such as back-translations: one for each caption, or told where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tipr_zoo.datasets import PersonDataset, check_dataset, open_dataset
from tipr_zoo.errors import DataError
from tipr_zoo.registries import CAPTION_AUGMENTATIONS
from tipr_zoo.training.train import train

Change = Callable[[int, dict[str, Any]], object]


@pytest.fixture
def changed(synthpedes: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """SynthPEDES with records of the training split that a function has changed, by their number in it."""

    def change(how: Change) -> Path:
        records = json.loads((synthpedes / "reid_raw.json").read_text())
        for number, record in enumerate(record for record in records if record["split"] == "train"):
            how(number, record)
        folder = tmp_path / "changed"
        folder.mkdir()
        (folder / "reid_raw.json").write_text(json.dumps(records))
        (folder / "synthpedes.json").write_bytes((synthpedes / "synthpedes.json").read_bytes())
        (folder / "imgs").symlink_to(synthpedes / "imgs")
        return folder

    return change


def translated(number: int, record: dict[str, Any]) -> None:
    """Every other record has back-translations."""
    if number % 2 == 0:
        record["captions_bt"] = [f"Translated: {caption}" for caption in record["captions"]]


def test_there_is_a_wording_for_each_caption_or_none(changed: Callable[[Change], Path]) -> None:
    data = open_dataset(changed(translated), split="train")
    (wordings,) = (data.further_captions[key] for key in data.further_captions)
    assert list(data.further_captions) == ["captions_bt"]
    assert len(wordings) == len(data.captions)
    for index, (caption, wording) in enumerate(zip(data.captions, wordings, strict=True)):
        number = data.caption_picture_indices[index]
        assert wording == (None if number % 2 else f"Translated: {caption}")


def test_most_data_sets_have_none(synthpedes: Path, changed: Callable[[Change], Path]) -> None:
    assert open_dataset(synthpedes, split="train").further_captions == {}
    empty = changed(lambda number, record: record.update(captions_bt=[] if number else None))
    assert open_dataset(empty, split="train").further_captions == {}


def test_captions_are_what_they_are_without(synthpedes: Path, changed: Callable[[Change], Path]) -> None:
    assert open_dataset(changed(translated), split="train").captions == open_dataset(synthpedes, split="train").captions


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["One alone."] * 3, "has 3 texts for "),
        ("One text.", "has 1 texts for "),
        (5, "has 1 texts for "),
        ({"a": "b"}, "has 1 texts for "),
        (["Right."] * 0 + [""], "has 1 texts for "),
    ],
    ids=str,
)
def test_another_number_than_of_captions_is_told(changed: Callable[[Change], Path], value: Any, told: str) -> None:
    def change(number: int, record: dict[str, Any]) -> None:
        record["captions"] = record["captions"][:1] * 2
        if number == 1:
            record["captions_bt"] = value

    folder = changed(change)
    data = open_dataset(folder, split="train")  # what nothing asks for does no harm
    with pytest.raises(
        DataError, match=rf"record \d+ .*its 'captions_bt' {told}2 captions; write one for each, or leave it out"
    ):
        _ = data.further_captions


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["Right.", ""], "one of its 'captions_bt' is empty"),
        (["Right.", 5], "one of its 'captions_bt' is a JSON number"),
        (["Right.", "..."], "one of its 'captions_bt' is '...', without a letter"),
        (["Right.", "['a man', 'a bag']"], "one of its 'captions_bt' is a list"),
        (["Right.", ["a", "b"]], "one of its 'captions_bt' is a JSON"),
        (["Right.", "\ud83d alone"], "one of its 'captions_bt' has the escape"),
    ],
    ids=str,
)
def test_what_is_no_wording_is_told(changed: Callable[[Change], Path], value: Any, told: str) -> None:
    def change(number: int, record: dict[str, Any]) -> None:
        record["captions"] = record["captions"][:1] * 2
        record["captions_bt"] = value

    data = open_dataset(changed(change), split="train")
    with pytest.raises(DataError) as raised:
        _ = data.further_captions
    assert told in str(raised.value)
    assert "reid_raw.json, record " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_check_of_a_data_set_notes_them(changed: Callable[[Change], Path]) -> None:
    (note,) = [note for note in check_dataset(changed(translated)).notes if note.kind == "further captions"]
    assert note.message.endswith("6 records have further captions (captions_bt), for an augmentation that asks")


class Noting:
    """A caption augmentation that asks for the further wordings."""

    given: Mapping[str, Sequence[str | None]]
    captions: Sequence[str]

    def __init__(self, captions: Sequence[str], further_captions: Mapping[str, Sequence[str | None]]) -> None:
        type(self).given, type(self).captions = further_captions, captions
        self.own = captions

    def __call__(self, index: int, generator: torch.Generator) -> str:
        return self.own[index]


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> None:
    CAPTION_AUGMENTATIONS.names()
    monkeypatch.setattr(CAPTION_AUGMENTATIONS, "_module_dict", dict(CAPTION_AUGMENTATIONS._module_dict))
    monkeypatch.setattr(CAPTION_AUGMENTATIONS, "_places", dict(CAPTION_AUGMENTATIONS._places))
    CAPTION_AUGMENTATIONS.register_module()(Noting)


def test_an_augmentation_gets_them_in_the_order_of_its_captions(
    noting: None, tiny_zoo: Path, changed: Callable[[Change], Path], tmp_path: Path
) -> None:
    def all_translated(number: int, record: dict[str, Any]) -> None:
        translated(0, record)

    data: PersonDataset = open_dataset(changed(all_translated), split="train")
    overrides = {"training.caption_augmentation": {"type": "Noting"}, "training.max_epochs": 1}
    overrides["training.noise.rate"] = 0.5  # captions are exchanged, and their wordings with them
    train("a_tiny_model", data, None, tmp_path / "work", overrides=overrides)
    assert Noting.given["captions_bt"] == [f"Translated: {caption}" for caption in Noting.captions]
    assert list(Noting.captions) != data.captions


def test_what_is_wrong_with_them_is_told_before_the_training(
    noting: None, tiny_zoo: Path, changed: Callable[[Change], Path], tmp_path: Path
) -> None:
    data = open_dataset(changed(lambda number, record: record.update(captions_bt=["One."] * 9)), split="train")
    with pytest.raises(DataError, match="'captions_bt' has 9 texts for"):
        train(
            "a_tiny_model",
            data,
            None,
            tmp_path / "asking",
            overrides={"training.caption_augmentation": {"type": "Noting"}},
        )
    train("a_tiny_model", data, None, tmp_path / "not_asking", overrides={"training.max_epochs": 1})
