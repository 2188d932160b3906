"""Single answers: the best scores with the person in the gallery and without, and captions that are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tipr_zoo.cards.answers import LEVELS, GalleryScores, MeasuredAnswers
from tipr_zoo.cards.record import make_record, read_record, record_text
from tipr_zoo.command_line import main
from tipr_zoo.errors import DataError, RecordError
from tipr_zoo.evaluation.metrics import cosine_rows
from tipr_zoo.evaluation.presence import area_under_curve, best_scores, calibration

TINY_PRETRAINED = "a_tiny_pretrained_model"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


def random_split(persons: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[int], list[int]]:
    """Embeddings of two captions and one to three pictures of each person, in a mixed order."""
    rng = np.random.default_rng(seed)
    captions = np.repeat(np.arange(persons), 2) * 7 + 3
    pictures = rng.permutation(np.repeat(np.arange(persons), rng.integers(1, 4, persons))) * 7 + 3
    directions = rng.normal(size=(7 * persons + 3, 16))
    sides = [torch.tensor(directions[ids] + rng.normal(size=(len(ids), 16))) for ids in (captions, pictures)]
    return sides[0], sides[1], captions.tolist(), pictures.tolist()


def test_the_best_scores_are_those_of_the_gallery_with_and_without_the_person() -> None:
    captions, pictures, caption_ids, picture_ids = random_split(30, 0)
    whole, *smaller = best_scores(cosine_rows(captions, pictures), caption_ids, picture_ids)
    cosines = torch.nn.functional.normalize(captions) @ torch.nn.functional.normalize(pictures).T
    is_own = torch.tensor(caption_ids)[:, None] == torch.tensor(picture_ids)[None]
    assert whole.present == pytest.approx(cosines.max(1).values.numpy(), abs=1e-5)
    assert whole.absent == pytest.approx(cosines.masked_fill(is_own, -2).max(1).values.numpy(), abs=1e-5)
    assert [each.persons for each in (whole, *smaller)] == [29, 7]
    for each in smaller:
        assert (each.absent <= whole.absent).all()
        assert (each.present <= whole.present).all()
        assert (each.present >= cosines.masked_fill(~is_own, -2).max(1).values.numpy() - 1e-5).all()


def test_the_same_split_gives_the_same_curve() -> None:
    captions, pictures, caption_ids, picture_ids = random_split(30, 1)
    curves = [
        [each.curve() for each in best_scores(cosine_rows(captions, pictures), caption_ids, picture_ids)]
        for _ in range(2)
    ]
    assert curves[0] == curves[1]


def test_a_gallery_of_one_person_has_nobody_left() -> None:
    rows = cosine_rows(np.eye(3), np.eye(3))
    with pytest.raises(DataError, match="one person alone"):
        best_scores(rows, [1, 1, 1], [1, 1, 1])
    assert [each.persons for each in best_scores(rows, [1, 2, 2], [1, 2, 2])] == [1]


def test_the_area_under_the_curve_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    higher, lower = (rng.integers(0, 5, 40).astype(np.float32) for _ in range(2))
    pairs = [(one > other) + (one == other) / 2 for one in higher for other in lower]
    assert area_under_curve(higher, lower) == pytest.approx(np.mean(pairs))


def test_a_curve_holds_on_other_data_of_the_same_kind() -> None:
    curve, measured = (
        best_scores(cosine_rows(split[0], split[1]), split[2], split[3])
        for split in (random_split(400, 2), random_split(400, 3))
    )
    found = calibration([each.curve() for each in curve], measured)
    assert len({each.persons for each in found}) == 4
    for each in found:
        assert each.found == pytest.approx(each.stated, abs=0.06), each


def evaluated(synthpedes: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert main(["eval", TINY_PRETRAINED, "--data", str(synthpedes), *options]) == 0
    return capsys.readouterr()


def test_eval_measures_answers_when_asked(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = json.loads(evaluated(synthpedes, capsys, "--json").out)
    assert "answers" not in plain
    asked = json.loads(evaluated(synthpedes, capsys, "--json", "--presence", "--records", str(tmp_path / "r")).out)
    assert asked["metrics"] == plain["metrics"]
    assert asked["command"] == f"{plain['command']} --presence"
    (gallery,) = asked["answers"]["galleries"]
    assert (gallery["persons"], gallery["pictures"]) == (1, 2)
    assert len(gallery["absent"]) == len(gallery["present"]) == len(LEVELS)
    assert all(absent <= present for absent, present in zip(gallery["absent"], gallery["present"], strict=True))
    lengths = [each["words"] for each in asked["answers"]["short_captions"]]
    assert lengths == sorted(lengths)
    assert asked["answers"]["short_captions"][-1]["R1"] == round(plain["metrics"]["R1"], 2)
    (file,) = (tmp_path / "r").glob("*.json")
    assert json.loads(record_text(read_record(file)))["answers"] == asked["answers"]
    text = evaluated(synthpedes, capsys, "--presence").out
    assert "Is anybody here?" in text
    assert "describing words" in text


def test_both_directions_measure_answers_of_captions_alone(
    tiny_zoo: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads(evaluated(synthpedes, capsys, "--json", "--presence", "--direction", "both").out)
    assert ["answers" in record for record in records] == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--direction", "image-to-text"], "--presence is of captions that search pictures"),
        (["--postprocess", "dual_softmax"], "leave out --postprocess"),
        (["--matrix"], "--presence cannot go with --matrix"),
    ],
)
def test_what_answers_cannot_be_measured_with_is_told(
    tiny_zoo: Path, synthpedes: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", TINY_PRETRAINED, "--data", str(synthpedes), "--presence", *options]) == 2
    assert message in capsys.readouterr().err


def changed(path: str, value: Any) -> dict[str, Any]:
    """The entries of the record of a shipped model, with one of its answers changed."""
    import model_cards

    file = Path(model_cards.__file__).parent / "records" / "irra_tiny_synth_synthpedes_seed0.json"
    values = json.loads(file.read_text())
    place: Any = values
    *way, last = path.split(".")
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[int(last) if last.isdigit() else last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("answers.galleries", []),
        ("answers.galleries.0.auc", 1.5),
        ("answers.galleries.0.absent", [0.5]),
        ("answers.galleries.0.absent.16", -1.0),
        ("answers.galleries.0.absent.3", "0.5"),
        ("answers.galleries.0.persons", 0),
        ("answers.galleries.0.persons", True),
        ("answers.short_captions.0.R1", 101),
        ("answers.short_captions", {"2": 5}),
        ("answers.other", 1),
        ("answers", []),
        ("answers", 5),
    ],
)
def test_answers_that_make_no_sense_are_refused(path: str, value: Any) -> None:
    with pytest.raises(RecordError, match=r"\w"):
        make_record(changed(path, value))


def test_the_answers_of_a_record_are_kept_as_they_are() -> None:
    record = make_record(changed("answers.galleries.0.auc", 0.75))
    assert isinstance(record.answers, MeasuredAnswers)
    assert isinstance(record.answers.galleries[0], GalleryScores)
    assert record.answers.galleries[0].auc == 0.75
    assert make_record(json.loads(record_text(record))) == record
