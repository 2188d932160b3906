"""What is said before an answer is trusted: of the sentence, of the pictures' shapes, and whether anybody is here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

import model_cards
from tipr_zoo.cards.answers import LEVELS, GalleryScores, ShortCaptions
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.presence_curve import chance_of_absent
from tipr_zoo.gallery.presence import presence
from tipr_zoo.gallery.remarks import KINDS, NEGATION, NEVER_SEEN, VAGUE, remarks
from tipr_zoo.gallery.shape_remark import shape_remark
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.shapes import is_of_a_person, picture_size, unlike_persons
from tipr_zoo.vocabulary.vocabulary import vocabulary_of

MODEL = "irra_tiny_synth"
KNOWN = vocabulary_of(["A man in a red t-shirt, a jacket, blue jeans and brown shoes."])
SHORT = tuple(ShortCaptions(words=words, R1=rank_1) for words, rank_1 in ((2, 1.0), (4, 30.0), (8, 50.0), (18, 80.0)))


def kinds(sentence: str) -> list[str]:
    return [remark.kind for remark in remarks(sentence, KNOWN, SHORT)]


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("a man in a red t-shirt and a jacket, blue jeans and brown shoes", []),
        ("a man in a scarlet jaket", [NEVER_SEEN, VAGUE]),
        ("a man without a jacket", [NEGATION, VAGUE]),
        ("a man not in blue", [NEGATION, VAGUE]),
        ("a man", [VAGUE]),
        ("ein Mann", [NEVER_SEEN, VAGUE]),
        ("\u4ed6\u7a7f\u7740\u7ea2\u8272\u5916\u5957", [NEVER_SEEN, VAGUE]),
        ("...", [NEVER_SEEN, VAGUE]),
        ("\U0001f642", [NEVER_SEEN, VAGUE]),
        ("not", [NEVER_SEEN, NEGATION, VAGUE]),
        ("red " * 5000, [VAGUE]),
    ],
)
def test_a_sentence_is_judged(sentence: str, told: list[str]) -> None:
    assert kinds(sentence) == told


def test_never_seen_words_are_named_with_the_nearest_known() -> None:
    (remark,) = remarks("a man in a scarlet jaket with an umbrella", KNOWN)
    assert remark.text == (
        "the weights never saw 'scarlet' (near: red), 'jaket' (near: jacket), 'umbrella' (nothing near it)"
    )
    assert remark.details["near"] == {"scarlet": ["red"], "jaket": ["jacket"], "umbrella": []}


def test_a_sentence_without_a_known_word_means_nothing() -> None:
    (remark,) = remarks("ein Mantel", KNOWN)
    assert "its ranking means nothing" in remark.text


@pytest.mark.parametrize("sentence", ["zq" * 5000, " ".join(f"zq{number}" for number in range(500))])
def test_a_remark_stays_short(sentence: str) -> None:
    (remark,) = remarks(sentence, KNOWN)
    assert len(remark.text) < 600


def test_what_was_not_measured_is_not_told() -> None:
    assert remarks("a scarlet one") == []
    assert [remark.kind for remark in remarks("no hat")] == [NEGATION]


def test_a_sentence_is_vague_only_where_figures_say_so() -> None:
    flat = (ShortCaptions(words=2, R1=60.0), ShortCaptions(words=18, R1=80.0))
    assert remarks("a man", None, flat) == []
    (remark,) = remarks("a man in a red jacket", None, SHORT)
    assert "captions of 4 find the person first in 30 of 100 searches" in remark.text


def scores(size: int, rng: np.random.Generator, searches: int = 4000) -> np.ndarray:
    """The best of so many independent scores, of many searches."""
    return rng.normal(size=(searches, size)).max(axis=1) / 10


def curve(size: int, rng: np.random.Generator) -> GalleryScores:
    quantiles = tuple(float(score) for score in np.quantile(scores(size, rng), LEVELS))
    return GalleryScores(persons=size, pictures=size, auc=0.9, absent=quantiles, present=quantiles)


@pytest.mark.parametrize("size", [10, 50, 200, 800])
def test_the_chance_holds_in_galleries_of_other_sizes(size: int) -> None:
    rng = np.random.default_rng(0)
    measured = [curve(200, rng), curve(50, rng)]
    chances = np.array([chance_of_absent(measured, score, size, size).at_most for score in scores(size, rng)])
    for stated in (0.5, 0.2, 0.1):
        assert (chances <= stated).mean() == pytest.approx(stated, abs=0.04)


def test_a_chance_falls_with_the_score_and_rises_with_the_gallery() -> None:
    measured = [curve(200, np.random.default_rng(0))]
    by_score = [chance_of_absent(measured, score, 200).at_most for score in np.linspace(-1, 1, 50)]
    assert by_score == sorted(by_score, reverse=True)
    assert (by_score[0], by_score[-1]) == (1.0, 0.0)
    by_size = [chance_of_absent(measured, 0.3, size) for size in (1, 10, 100, 200, 1000, 100_000)]
    assert by_size == sorted(by_size)
    assert [least == most for least, most in by_size] == [True, True, True, True, False, False]


@pytest.mark.parametrize("twins", [0.0, 0.5, 1.0])
def test_beyond_what_was_measured_the_true_chance_lies_between_both(twins: float) -> None:
    """Whether everybody's near twin is met more often in a larger gallery or not."""
    rng = np.random.default_rng(0)

    def best(size: int) -> np.ndarray:
        own = rng.normal(size=4000) / 10 + 0.25
        is_met = rng.random(4000) < twins
        return np.where(is_met, np.maximum(own, scores(size, rng)), scores(size, rng))

    quantiles = tuple(float(score) for score in np.quantile(best(200), LEVELS))
    measured = [GalleryScores(persons=200, pictures=200, auc=0.9, absent=quantiles, present=quantiles)]
    chances = np.array([chance_of_absent(measured, score, 3000, 3000) for score in best(3000)])
    for stated in (0.5, 0.2, 0.1):
        least, most = (chances <= stated).mean(axis=0)
        assert most - 0.03 <= stated <= least + 0.03


def test_presence_in_words() -> None:
    measured = [curve(200, np.random.default_rng(0))]
    fifth = measured[0].absent[LEVELS.index(0.8)]
    remark = presence(measured, fifth, 200, measured_on="SynthPEDES seed 0")
    assert remark.text == (
        f"the best score, {fifth:.3f}, is as good as in 1 of 5 searches for somebody who is not here (measured on"
        " SynthPEDES seed 0)"
    )
    assert remark.details["chance"] == pytest.approx(0.2)
    beyond = presence(measured, fifth, 20_000)
    assert "is as good as in 1 of 5 searches to nearly every search for somebody" in beyond.text
    assert "in galleries of 200 pictures alone, and this one has 20,000" in beyond.text
    assert beyond.details["least_chance"] == pytest.approx(0.2)
    assert remark.kind in KINDS


@pytest.mark.parametrize(("score", "pictures"), [(float("nan"), 5), (float("inf"), 5), (0.5, 0), (0.5, -1)])
def test_a_score_that_cannot_be_judged_is_told(score: float, pictures: int) -> None:
    with pytest.raises(ConfigError, match="cannot be judged"):
        presence([curve(50, np.random.default_rng(0))], score, pictures)
    with pytest.raises(ConfigError, match="by 0 measured galleries"):
        presence([], 0.5)


@pytest.mark.parametrize(
    ("size", "right"),
    [((48, 128), True), ((100, 125), True), ((100, 120), False), ((640, 480), False), ((10, 51), False)],
)
def test_shapes(size: tuple[int, int], right: bool) -> None:
    assert is_of_a_person(*size) is right


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_size_is_read_upright_and_without_decoding(tmp_path: Path, suffix: str) -> None:
    picture = Image.new("RGB", (90, 30))
    picture.save(tmp_path / f"plain.{suffix}")
    assert picture_size(tmp_path / f"plain.{suffix}") == (90, 30)
    turned = picture.getexif()
    turned[0x0112] = 6
    picture.save(tmp_path / f"turned.{suffix}", exif=turned)
    assert picture_size(tmp_path / f"turned.{suffix}") == open_picture(tmp_path / f"turned.{suffix}").size == (30, 90)
    content = (tmp_path / f"plain.{suffix}").read_bytes()
    for name, damaged in {"empty": b"", "text": b"no picture", "cut": content[:10]}.items():
        (tmp_path / name).write_bytes(damaged)
        assert picture_size(tmp_path / name) is None
    assert picture_size(tmp_path / "missing") is None


def test_pictures_of_another_shape_are_counted_and_named(tmp_path: Path) -> None:
    for index in range(8):
        Image.new("RGB", (90, 30) if index < 7 else (30, 90)).save(tmp_path / f"{index}.png")
    files = sorted(tmp_path.glob("*.png"))
    remark = shape_remark(unlike_persons(files), len(files))
    assert remark is not None
    assert remark.text.startswith("7 of 8 pictures are not 1.25 to 5 times as high as wide")
    assert remark.text.endswith(f"{files[4]} and 2 more")
    assert shape_remark([], 8) is None


@pytest.fixture
def folder(test_split: PersonDataset, tmp_path: Path) -> Path:
    """The pictures of two people, and one that is no picture of a person."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for picture in test_split.pictures:
        shutil.copy(picture, folder)
    Image.new("RGB", (300, 200), "red").save(folder / "wide.png")
    return folder


def test_search_tells_on_stderr_and_leaves_its_json_as_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "a lady in a scarlet blouse without a hat"
    assert main(["search", MODEL, str(folder), sentence, "--json", "--top", "2"]) == 0
    printed = capsys.readouterr()
    hits = json.loads(printed.out)
    assert [hit["rank"] for hit in hits] == [1, 2]
    notes = [line for line in printed.err.splitlines() if line.startswith("note: ")]
    assert [any(word in note for note in notes) for word in ("'scarlet' (near: red", "'without a hat'", "vague")] == [
        True,
        True,
        True,
    ]
    assert any("1 of 5 pictures is not" in note for note in notes)
    assert any("for somebody who is not here (measured on SynthPEDES seed 0" in note for note in notes)

    assert main(["search", MODEL, str(folder), sentence, "--json", "--remarks", "--top", "2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["hits"] == hits
    assert [remark["kind"] for remark in answer["remarks"]] == list(KINDS)


def test_a_full_sentence_of_known_words_is_told_nothing_but_presence(
    folder: Path, test_split: PersonDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "wide.png").unlink()
    assert main(["search", MODEL, str(folder), test_split.captions[0], "--json", "--remarks"]) == 0
    assert [remark["kind"] for remark in json.loads(capsys.readouterr().out)["remarks"]] == ["presence"]


def test_remarks_without_json_are_a_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", MODEL, str(folder), "a man", "--remarks"]) == 2
    assert "--remarks is for --json" in capsys.readouterr().err


def presence_notes(weights: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a search with weights of one's own says of its best score."""
    assert main(["search", MODEL, str(folder), "a man in a red jacket", "--weights", str(weights), "--json"]) == 0
    return [line for line in capsys.readouterr().err.splitlines() if "the best score" in line]


def test_search_with_weights_of_ones_own_says_what_was_measured_with_them(
    folder: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    weights = tmp_path / "mine.safetensors"
    tensors = load_file(Path(model_cards.__file__).parent / "weights" / f"{MODEL}.safetensors")
    save_file({name: value * (1.001 if value.is_floating_point() else 1) for name, value in tensors.items()}, weights)
    (note,) = presence_notes(weights, folder, capsys)
    assert "was not measured with these weights" in note
    assert f"tipr-zoo eval {MODEL} --weights {weights} --data DIR --presence measures it" in note

    command = ["eval", MODEL, "--weights", str(weights), "--data", str(synthpedes), "--presence"]
    assert main([*command, "--cfg-options", "training.max_epochs=1"]) == 0
    assert "for searches" not in capsys.readouterr().err  # the recipe was changed
    assert main(command) == 0
    (kept,) = (tmp_path / "home" / "answers").iterdir()
    assert f"for searches with these weights: {kept}" in capsys.readouterr().err
    (note,) = presence_notes(weights, folder, capsys)
    assert "for somebody who is not here (measured on SynthPEDES seed" in note

    kept.write_text("{}")
    (note,) = presence_notes(weights, folder, capsys)
    assert "was not measured with these weights" in note
