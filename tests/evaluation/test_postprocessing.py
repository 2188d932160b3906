"""Post-processing of the first stage: each step against a plain transcription, and what records say of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from tipr_zoo.authoring.card_writing import _check_record
from tipr_zoo.cards.record import DIRECTIONS, IMAGE_TO_TEXT, read_record
from tipr_zoo.command_line import main
from tipr_zoo.comparison.record_comparison import compare_records
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, TiprZooError, UnknownNameError
from tipr_zoo.evaluation import k_reciprocal, query_figures
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures
from tipr_zoo.evaluation.first_stage import FirstStage
from tipr_zoo.evaluation.measuring import evaluate_and_record
from tipr_zoo.evaluation.postprocessing import STEPS, parse_steps, postprocessed
from tipr_zoo.leaderboard.rows import leaderboard_rows
from tipr_zoo.pictures.files import open_picture

TINY = "a_tiny_pretrained_model"

Floats = npt.NDArray[np.floating[Any]]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


# Plain transcriptions, on the unit vectors of queries (Q, D) and gallery (G, D) in float64


def plain_flip(queries: Floats, gallery: Floats, mirrored: Floats) -> Floats:
    mean = gallery + mirrored
    return queries @ (mean / np.linalg.norm(mean, axis=1, keepdims=True)).T


def plain_expansion(queries: Floats, gallery: Floats, count: int, alpha: float) -> Floats:
    rows = []
    for query in queries:
        best = sorted(range(len(gallery)), key=lambda g: -(query @ gallery[g]))[:count]
        expanded = query + sum(max(query @ gallery[g], 0) ** alpha * gallery[g] for g in best)
        rows.append(gallery @ (expanded / np.linalg.norm(expanded)))
    return np.array(rows)


def plain_dual_softmax(queries: Floats, gallery: Floats, scale: float) -> Floats:
    similarity = queries @ gallery.T
    prior = np.exp(scale * similarity)
    return similarity * prior / prior.sum(axis=0)


def plain_k_reciprocal(queries: Floats, gallery: Floats, k1: int, k2: int, weight: float) -> Floats:
    """Sets as sets, and V as a full matrix."""
    everything = np.concatenate([queries, gallery])
    distance = 2 - 2 * everything @ everything.T
    distance /= distance.max(axis=1, keepdims=True)
    total = len(everything)
    ranked = [sorted(range(total), key=lambda g: (g != p, distance[p, g])) for p in range(total)]

    def mutual(p: int, k: int) -> set[int]:
        return {g for g in ranked[p][: k + 1] if p in ranked[g][: k + 1]}

    v = np.zeros((total, total))
    for p in range(total):
        own = mutual(p, k1)
        expanded = set(own)
        for q in own:
            half = mutual(q, round(k1 / 2))
            if 3 * len(half & own) > 2 * len(half):
                expanded |= half
        for g in expanded:
            v[p, g] = np.exp(-distance[p, g])
        v[p] /= v[p].sum()
    v = np.array([v[ranked[p][:k2]].mean(axis=0) for p in range(total)])
    count = len(queries)
    jaccard = np.array(
        [[1 - np.minimum(v[p], v[g]).sum() / np.maximum(v[p], v[g]).sum() for g in range(count, total)]
         for p in range(count)]
    )  # fmt: skip
    return 1 - ((1 - weight) * jaccard + weight * distance[:count, count:])


PLAIN: dict[str, Callable[..., Floats]] = {
    "flip_averaging": plain_flip,
    "query_expansion:count=1,alpha=0": lambda q, g, m: plain_expansion(q, g, 1, 0),
    "query_expansion:count=4,alpha=3": lambda q, g, m: plain_expansion(q, g, 4, 3),
    "query_expansion": lambda q, g, m: plain_expansion(q, g, 5, 0),
    "dual_softmax": lambda q, g, m: plain_dual_softmax(q, g, 100),
    "dual_softmax:scale=2.5": lambda q, g, m: plain_dual_softmax(q, g, 2.5),
    "k_reciprocal:k1=6,k2=3": lambda q, g, m: plain_k_reciprocal(q, g, 6, 3, 0.3),
    "k_reciprocal:k1=1,k2=1,weight=1": lambda q, g, m: plain_k_reciprocal(q, g, 1, 1, 1),
    "k_reciprocal:k1=11,k2=4,weight=0": lambda q, g, m: plain_k_reciprocal(q, g, 11, 4, 0),
    "k_reciprocal": lambda q, g, m: plain_k_reciprocal(q, g, 20, 6, 0.3),
}


def drawn(captions: int, pictures: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings of persons whose captions and pictures are alike, of any length."""
    generator = torch.Generator().manual_seed(seed)
    persons = torch.randn(6, 8, generator=generator)

    def near(count: int) -> torch.Tensor:
        noise = 0.7 * torch.randn(count, 8, generator=generator)
        return 3 * (persons[torch.arange(count) % 6] + noise)

    return near(captions), near(pictures), near(pictures)


def read_all(stage: FirstStage) -> Floats:
    rows = stage.rows()
    found = np.empty((rows.queries, rows.gallery), rows.dtype)
    for row in range(rows.queries):  # one at a time, as whoever ranks may ask
        rows.read(row, row + 1, found[row : row + 1])
    return found


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("word", PLAIN)
def test_a_step_is_its_plain_transcription(
    word: str, seed: int, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_figures.SimilarityRows, "that_fit_a_chunk", lambda self: 3)
    monkeypatch.setattr(k_reciprocal, "_CHUNK", 100)
    captions, pictures, mirrored = drawn(14, 17, seed)
    stage = postprocessed(FirstStage(captions, pictures, lambda: mirrored, direction), parse_steps([word]))
    c, p, m = (F.normalize(each.double(), dim=1).numpy() for each in (captions, pictures, mirrored))
    if word == "flip_averaging" and direction == IMAGE_TO_TEXT:
        expected = plain_flip(c, p, m).T
    else:
        sides = (c, p) if direction != IMAGE_TO_TEXT else (p, c)
        expected = PLAIN[word](*sides, m)
    found = read_all(stage)
    np.testing.assert_allclose(found, expected, atol=2e-6, rtol=1e-3)
    assert np.abs(found).max() <= 2, "which ranking again relies on"
    plain = read_all(FirstStage(captions, pictures, lambda: mirrored, direction))
    assert not np.allclose(found, plain) or "weight=1" in word


def test_steps_are_done_in_their_order() -> None:
    captions, pictures, mirrored = drawn(14, 17, 0)
    words = ["flip_averaging", "query_expansion:count=2", "dual_softmax"]
    found = read_all(postprocessed(FirstStage(captions, pictures, lambda: mirrored), parse_steps(words)))
    unit = [F.normalize(each.double(), dim=1).numpy() for each in (captions, pictures, mirrored)]
    gallery = unit[1] + unit[2]
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    similarity = plain_expansion(unit[0], gallery, 2, 0)
    prior = np.exp(100 * similarity)
    np.testing.assert_allclose(found, similarity * prior / prior.sum(axis=0), atol=2e-6, rtol=1e-3)


def test_a_transductive_step_says_so_and_no_other() -> None:
    """What a query finds depends on other queries or other gallery items, exactly where the step says it may."""
    captions, pictures, mirrored = drawn(40, 40, 3)
    for name, step in STEPS.items():
        whole = read_all(postprocessed(FirstStage(captions, pictures, lambda: mirrored), parse_steps([name])))
        half = FirstStage(captions[:25], pictures[:25], lambda: mirrored[:25])
        part = read_all(postprocessed(half, parse_steps([name])))
        assert np.allclose(part, whole[:25, :25], atol=1e-6) is not step.IS_TRANSDUCTIVE, name


def test_equal_pictures_and_one_neighbour_are_no_trouble() -> None:
    same = torch.ones(4, 8)
    steps = ("k_reciprocal:k1=3,k2=2", "query_expansion:count=4", "query_expansion:count=4,alpha=300")
    for word in (*steps, "dual_softmax", "flip_averaging"):
        found = read_all(postprocessed(FirstStage(same, same, lambda: same), parse_steps([word])))
        assert np.isfinite(found).all(), word
        assert np.ptp(found) < 1e-5, word


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (
            ["k_reciprocl"],
            UnknownNameError,
            "of post-processing 'k_reciprocl'; did you mean 'k_reciprocal'?",
        ),
        (
            [""],
            UnknownNameError,
            "of post-processing ''; known: dual_softmax, flip_averaging, k_reciprocal",
        ),
        (["k_reciprocal:k3=1"], UnknownNameError, "unknown setting of k_reciprocal 'k3'; known: k1, k2, weight"),
        (["k_reciprocal:k1=0"], ConfigError, "k_reciprocal: 'k1' must be a whole number from 1, got 0"),
        (["k_reciprocal:k1=2.5"], ConfigError, "k_reciprocal: 'k1' must be a whole number from 1, got 2.5"),
        (["k_reciprocal:k1=True"], ConfigError, "k_reciprocal: 'k1' must be a whole number from 1, got True"),
        (["k_reciprocal:k1=ten"], ConfigError, "k_reciprocal: 'k1' must be a whole number from 1, got 'ten'"),
        (["k_reciprocal:weight=1.1"], ConfigError, "k_reciprocal: 'weight' must be a number from 0 to 1, got 1.1"),
        (["k_reciprocal:weight=nan"], ConfigError, "k_reciprocal: 'weight' must be a number from 0 to 1, got 'nan'"),
        (
            ["k_reciprocal:k1"],
            ConfigError,
            "settings of k_reciprocal are written KEY=VALUE, with commas",
        ),
        (
            ["k_reciprocal:k1=1,k1=2"],
            ConfigError,
            "'k1' is given twice, as 1 and 2; leave out one of them",
        ),
        (["query_expansion:count=0"], ConfigError, "query_expansion: 'count' must be a whole number from 1, got 0"),
        (["query_expansion:alpha=-1"], ConfigError, "query_expansion: 'alpha' must be a number from 0 to 300, got -1"),
        (["query_expansion:alpha=1e300"], ConfigError, "query_expansion: 'alpha' must be a number from 0 to 300, got"),
        (["flip_averaging", "flip_averaging"], ConfigError, "put flip_averaging first, once"),
        (["query_expansion", "flip_averaging"], ConfigError, "and query_expansion before it has changed them; put"),
        (["dual_softmax:scale=0"], ConfigError, "dual_softmax: 'scale' must be a number above 0, at most 300, got 0"),
        (["dual_softmax:scale=1e9"], ConfigError, "dual_softmax: 'scale' must be a number above 0, at most 300, got"),
        (["flip_averaging:on=True"], UnknownNameError, "unknown setting of flip_averaging 'on'"),
        (["dual_softmax", "k_reciprocal"], ConfigError, "k_reciprocal works on embeddings, and dual_softmax before it"),
        (["k_reciprocal", "query_expansion"], ConfigError, "put query_expansion first, or leave out one of them"),
        (
            ["query_expansion:count=5"],
            ConfigError,
            "count=5 needs 5 gallery items, and there are 4",
        ),
        (["k_reciprocal:k1=12"], ConfigError, "k1=12 needs 13 captions and pictures, and there are 12"),
        (
            ["k_reciprocal:k1=3,k2=5"],
            ConfigError,
            "k2=5 needs 5 neighbours, k1 and the item itself, and there are 4",
        ),
    ],
)
def test_what_makes_no_sense_is_told(
    tiny_zoo: Path, test_split: PersonDataset, words: list[str], error: type[TiprZooError], says: str
) -> None:
    with pytest.raises(error) as raised:
        evaluate_and_record(TINY, test_split, device=torch.device("cpu"), postprocess=words)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def evaluated(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> Any:
    assert main(["eval", TINY, "--data", str(data), "--device", "cpu", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


STEPS_OF_A_RECORD = ["flip_averaging", "query_expansion:count=2,alpha=1", "dual_softmax"]


def test_a_record_says_it_and_its_command_measures_it_again(
    tiny_zoo: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = evaluated(capsys, synthpedes, "--postprocess", *STEPS_OF_A_RECORD)
    full = ["flip_averaging", "query_expansion:count=2,alpha=1.0", "dual_softmax:scale=100.0"]
    assert (record["postprocess"], record["transductive"]) == (full, True)
    assert "transductive: this looks at other queries, or at other items of the gallery" in record["protocol"]
    words = shlex.split(record["command"].replace("DIR", shlex.quote(str(synthpedes))))
    assert main([*words[1:], "--device", "cpu", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {key for key in record if record[key] != again[key]} <= {"from_cache", "duration_seconds", "date"}
    alone = evaluated(capsys, synthpedes, "--postprocess", "flip_averaging")
    assert (alone["postprocess"], alone["transductive"]) == (["flip_averaging"], False)
    assert "transductive" not in alone["protocol"]


def test_flipped_pictures_are_those_of_mirror_images_and_are_kept(
    tiny_model: DualEncoder, test_split: PersonDataset, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with torch.inference_mode():
        pixels = torch.stack([tiny_model.preprocess(open_picture(path)).flip(-1) for path in test_split.pictures])
        expected = tiny_model.encode_image(pixels)
    found = embed_pictures(tiny_model, test_split.pictures, mirrored=True)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, embed_pictures(tiny_model, test_split.pictures))
    figures = [evaluated(capsys, synthpedes, "--postprocess", "flip_averaging", *words)["metrics"]
               for words in ([], [], ["--no-cache"])]  # fmt: skip
    assert figures[0] == figures[1] == figures[2]


def test_figures_and_both_directions_are_those_of_the_changed_similarities(
    tiny_model: DualEncoder, test_split: PersonDataset, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tipr_zoo

    forth, back = evaluated(capsys, synthpedes, "--direction", "both", "--postprocess", "k_reciprocal:k1=4,k2=2")
    sides = embed_captions(tiny_model, test_split.captions), embed_pictures(tiny_model, test_split.pictures)
    captions, pictures = (F.normalize(side.double(), dim=1).numpy() for side in sides)
    ids = test_split.caption_ids, test_split.picture_ids
    expected = tipr_zoo.retrieval_metrics(plain_k_reciprocal(captions, pictures, 4, 2, 0.3), *ids)
    assert forth["metrics"] == pytest.approx(expected, abs=1e-3)
    expected = tipr_zoo.retrieval_metrics(plain_k_reciprocal(pictures, captions, 4, 2, 0.3), *ids[::-1])
    assert back["metrics"] == pytest.approx(expected, abs=1e-3)


def test_such_rows_are_kept_apart_and_are_no_figures_of_a_card(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "records"
    for words in ([], ["--postprocess", "dual_softmax"], ["--postprocess", "dual_softmax:scale=10"]):
        evaluated(capsys, synthpedes, "--records", str(folder), *words)
    files = sorted(folder.glob("*.json"))
    assert len(files) == 3
    rows = [row for row in leaderboard_rows(records=folder) if row.model == TINY]
    assert sorted(row.postprocess or () for row in rows) == [
        (), ("dual_softmax:scale=10.0",), ("dual_softmax:scale=100.0",)
    ]  # fmt: skip
    assert main(["leaderboard", "--records", str(folder), "--dataset", "SynthPEDES"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "post-processed by dual_softmax:scale=10.0, transductive" in text
    plain = next(file for file in files if read_record(file).postprocess is None)
    changed = next(file for file in files if file != plain)
    (comparison,) = compare_records(plain, changed)
    assert comparison.second.transductive
    with pytest.raises(ConfigError, match="a card's figures are the model's own; leave out the record"):
        _check_record(read_record(changed))


def test_a_matrix_is_post_processed(tiny_zoo: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--matrix", TINY, "--data", str(synthpedes), "--device", "cpu", "--json", "--postprocess"]
    assert main([*words, "flip_averaging"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["cells"][0]["records"][0]["postprocess"] == ["flip_averaging"]
    assert main([*words, "flip"]) == 2
    assert "unknown step of post-processing 'flip'" in capsys.readouterr().err
