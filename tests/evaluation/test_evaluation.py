"""Evaluation: every caption is compared with every picture, and a record says how the figures were obtained."""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import tipr_zoo
from tipr_zoo.cards.record import METRICS, read_record
from tipr_zoo.cards.record_files import queries_file
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.hits_picture import hits_rows
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.evaluation.embedding import (
    embed_captions,
    embed_dataset,
    embed_pictures,
    embed_readable_pictures,
    evaluate,
)
from tipr_zoo.evaluation.loaded_model import load_model
from tipr_zoo.evaluation.measuring import evaluate_and_record, measure
from tipr_zoo.evaluation.split_embeddings import Embeddings, directed_metrics
from tipr_zoo.machine.devices import choose_device, describe_device
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.weights.tensors import read_weights, write_weights

TINY_PRETRAINED = "a_tiny_pretrained_model"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


CAPTIONS = [
    "a man",
    "a woman in a long red coat with a yellow bag over her left shoulder",
    "",
    "blue jeans " * 60,
    "boy",
]


@pytest.mark.parametrize("batch_size", [1, 2, 256])
def test_captions_come_back_in_their_order_whatever_the_batches(tiny_model: DualEncoder, batch_size: int) -> None:
    with torch.inference_mode():
        expected = torch.cat([tiny_model.encode_text(tiny_model.tokenize(caption)) for caption in CAPTIONS])
    torch.testing.assert_close(embed_captions(tiny_model, CAPTIONS, batch_size=batch_size), expected)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (3, 0), (3, 1)])
def test_pictures_come_back_in_their_order_whatever_the_batches(
    tiny_model: DualEncoder, test_split: PersonDataset, batch_size: int, workers: int
) -> None:
    paths = test_split.pictures[::-1]
    with torch.inference_mode():
        pixels = [tiny_model.preprocess(open_picture(path)).unsqueeze(0) for path in paths]
        expected = torch.cat([tiny_model.encode_image(picture) for picture in pixels])
    torch.testing.assert_close(embed_pictures(tiny_model, paths, batch_size, workers), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named_on_one_line(
    tiny_model: DualEncoder, test_split: PersonDataset, tmp_path: Path, workers: int
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(test_split.pictures[0].read_bytes()[:300])
    with pytest.raises(DataError) as raised:
        embed_pictures(tiny_model, [test_split.pictures[0], broken], num_workers=workers)
    assert str(raised.value).startswith(f"{broken} is truncated or damaged")
    assert "\n" not in str(raised.value)


def test_what_is_read_is_told_by_a_mask_and_not_by_what_the_model_gives(
    tiny_model: DualEncoder, test_split: PersonDataset, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"")
    paths = [tmp_path / "broken.jpg", *test_split.pictures, tmp_path / "missing.jpg"]
    told: list[DataError] = []
    found = embed_readable_pictures(tiny_model, paths, batch_size=2, on_unreadable=told.append)
    assert found.is_read.tolist() == [False, *[True] * len(test_split.pictures), False]
    torch.testing.assert_close(found.embeddings, embed_pictures(tiny_model, test_split.pictures))
    assert [str(error).split(" ")[0] for error in told] == [str(paths[0]), "no"]

    damaged = copy.deepcopy(tiny_model)
    with torch.no_grad():
        next(damaged.image_encoder.parameters()).fill_(torch.nan)
    found = embed_readable_pictures(damaged, paths, on_unreadable=told.append)
    assert found.is_read.sum() == len(test_split.pictures)
    assert found.embeddings.isnan().all()


def test_nothing_is_embedded_as_no_rows(tiny_model: DualEncoder) -> None:
    size = embed_captions(tiny_model, CAPTIONS).shape[1]
    assert embed_captions(tiny_model, []).shape == embed_pictures(tiny_model, []).shape == (0, size)
    assert tiny_model.encode_text(tiny_model.tokenize(CAPTIONS)[:0]).shape == (0, size)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_pictures_get_the_precision_of_the_model(
    tiny_model: DualEncoder, test_split: PersonDataset, dtype: torch.dtype
) -> None:
    expected = embed_pictures(tiny_model, test_split.pictures)
    embeddings = embed_pictures(copy.deepcopy(tiny_model).to(dtype), test_split.pictures)
    assert embeddings.dtype == torch.float32
    assert F.cosine_similarity(embeddings, expected).min() > 0.99


def test_figures_are_those_of_every_caption_against_every_picture(
    tiny_model: DualEncoder, test_split: PersonDataset
) -> None:
    with torch.inference_mode():
        captions = tiny_model.encode_text(tiny_model.tokenize(test_split.captions))
        pixels = torch.stack([tiny_model.preprocess(open_picture(path)) for path in test_split.pictures])
        pictures = tiny_model.encode_image(pixels)
    similarity = F.normalize(captions, dim=-1) @ F.normalize(pictures, dim=-1).t()
    expected = tipr_zoo.retrieval_metrics(similarity.numpy(), test_split.caption_ids, test_split.picture_ids)
    assert evaluate(tiny_model, test_split) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_leaves_the_model_in_its_mode(
    tiny_model: DualEncoder, test_split: PersonDataset, training: bool
) -> None:
    expected = evaluate(tiny_model, test_split)
    tiny_model.train(training)
    assert evaluate(tiny_model, test_split) == expected
    assert all(module.training == training for module in tiny_model.modules())


def figures_by_definition(
    similarity: npt.NDArray[np.float64], query_ids: list[int], gallery_ids: list[int]
) -> dict[str, float]:
    """R-k, mAP and mINP in percent, query by query, from the sorted gallery."""
    columns: dict[str, list[float]] = {name: [] for name in METRICS}
    for scores, identity in zip(similarity, query_ids, strict=True):
        is_match = np.array([gallery_ids[index] == identity for index in np.argsort(-scores)])
        ranks = np.flatnonzero(is_match) + 1
        for k in (1, 5, 10):
            columns[f"R{k}"].append(float(is_match[:k].any()))
        columns["mAP"].append(float(np.mean([is_match[:rank].mean() for rank in ranks])))
        columns["mINP"].append(len(ranks) / ranks[-1])
    return {name: 100 * float(np.mean(values)) for name, values in columns.items()}


@pytest.mark.parametrize("seed", range(5))
def test_both_directions_are_as_defined(seed: int) -> None:
    random = np.random.default_rng(seed)
    picture_ids = random.integers(0, 8, 30).tolist()
    of_picture = [*range(30), *random.integers(0, 30, 40)]  # some pictures have one caption, some have several
    data: Any = SimpleNamespace(picture_ids=picture_ids, caption_ids=[picture_ids[index] for index in of_picture])
    pictures, captions = random.normal(size=(30, 6)), random.normal(size=(70, 6))
    embeddings = Embeddings(torch.tensor(captions), torch.tensor(pictures))
    captions, pictures = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (captions, pictures))
    cosine = captions @ pictures.T
    there = figures_by_definition(cosine, data.caption_ids, data.picture_ids)
    back = figures_by_definition(cosine.T, data.picture_ids, data.caption_ids)
    assert directed_metrics(embeddings, data) == pytest.approx(there)
    assert directed_metrics(embeddings, data, "image-to-text") == pytest.approx(back)
    assert there != pytest.approx(back)


def test_embeddings_keep_the_order_of_the_data_set(tiny_model: DualEncoder, test_split: PersonDataset) -> None:
    embeddings = embed_dataset(tiny_model, test_split)
    assert (tuple(embeddings.captions.shape), tuple(embeddings.pictures.shape)) == ((8, 64), (4, 64))
    torch.testing.assert_close(embeddings.captions[5:6], embed_captions(tiny_model, test_split.captions[5:6]))


class TestRecord:
    def test_hits_are_taken_through_the_split_as_they_are(self, tiny_zoo: Path, test_split: PersonDataset) -> None:
        outcome = evaluate_and_record(TINY_PRETRAINED, test_split, device=torch.device("cpu"))
        rows = hits_rows(outcome, 2, top=3)
        assert [row.sentence for row in rows] == [test_split.captions[2], test_split.captions[6]]
        for row, identity in zip(rows, (test_split.caption_ids[2], test_split.caption_ids[6]), strict=True):
            scores = [hit.score for hit in row.hits]
            assert scores == sorted(scores, reverse=True)
            assert len(row.hits) == 3
            for hit in row.hits:
                shown = test_split.picture_ids[test_split.pictures.index(hit.picture)]
                assert hit.is_right == (shown == identity)
        assert len(hits_rows(outcome, 100)) == len(test_split.captions)
        with pytest.raises(ConfigError, match="must be at least 1, got 0"):
            hits_rows(outcome, 0)

    def test_both_directions_embed_once(
        self, tiny_zoo: Path, test_split: PersonDataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        encode_image = DualEncoder.encode_image

        def counting(model: DualEncoder, images: torch.Tensor) -> torch.Tensor:
            sizes.append(len(images))
            return encode_image(model, images)

        monkeypatch.setattr(DualEncoder, "encode_image", counting)
        outcomes = measure(load_model(TINY_PRETRAINED, None, torch.device("cpu")), test_split)
        assert sum(sizes) == len(test_split.pictures)
        there, back = (outcome.record for outcome in outcomes)
        assert (there.direction, there.queries, there.gallery) == ("text-to-image", 8, 4)
        assert (back.direction, back.queries, back.gallery) == ("image-to-text", 4, 8)
        assert there.protocol != back.protocol

    @pytest.mark.parametrize(
        "change", [{}, {"seed": "7", "selected_on": "test"}, {"selected_on": "none"}, {"seed": "x", "selected_on": "x"}]
    )
    def test_how_the_weights_were_trained_is_read_from_their_header(
        self,
        tiny_zoo: Path,
        synthpedes: Path,
        tmp_path: Path,
        change: dict[str, str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        weights = tmp_path / "mine.safetensors"
        write_weights(read_weights(tiny_zoo / "tiny.safetensors"), weights, change)
        words = ["eval", "a_tiny_model", "--weights", str(weights), "--data", str(synthpedes), "--device", "cpu"]
        assert main([*words, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["training_seed"] == (7 if "seed" in change and change["seed"] == "7" else None)
        assert record["selected_on"] == {"test": "test", "none": "none"}.get(change.get("selected_on", ""))
        for format in "text", "markdown":
            assert main([*words, "--format", format]) == 0
            text = capsys.readouterr().out
            assert ("a_tiny_model †" in text) == (record["selected_on"] == "test")
            assert ("† the epoch of these weights was chosen on the test" in text) == (record["selected_on"] == "test")

    def test_of_shipped_weights_without_a_header_the_card_s_record_tells_it(self) -> None:
        loaded = load_model("irra_tiny_synth", None, torch.device("cpu"))
        assert (loaded.trained_on, loaded.training_seed, loaded.selected_on) == ("SynthPEDES", 0, "val")

    @pytest.mark.parametrize(
        "more",
        [
            [],
            ["--split", "val", "--direction", "image-to-text"],
            ["--split", "all"],
            ["--weights", "{folder}/my weights.safetensors"],
            ["--cfg-options", "model.mean=(0.5, 0.5, 0.5)", "training.dataset=it's mine", "model.heads.irr=None"],
        ],
        ids=lambda more: more[0] if more else "",
    )
    def test_the_recorded_command_measures_the_same_again(
        self,
        tiny_zoo: Path,
        synthpedes: Path,
        tmp_path: Path,
        more: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        shutil.copy(tiny_zoo / "tiny.safetensors", tmp_path / "my weights.safetensors")
        more = [word.format(folder=tmp_path) for word in more]
        weights = [] if "--weights" in more else ["--weights", str(tiny_zoo / "tiny.safetensors")]

        def record_of(words: list[str]) -> dict[str, Any]:
            assert main([*words, "--device", "cpu", "--json"]) == 0
            return json.loads(capsys.readouterr().out)

        first = record_of(["eval", "a_tiny_model", "--data", str(synthpedes), *weights, *more])
        program, *words = shlex.split(first["command"])
        assert (program, words[:4]) == ("tipr-zoo", ["eval", "a_tiny_model", "--data", "DIR"])
        monkeypatch.chdir(tmp_path if "--weights" in more else tiny_zoo)  # it says no folders of this machine
        again = record_of(["eval", "a_tiny_model", "--data", str(synthpedes), *words[4:]])
        assert again["from_cache"] == ["captions", "pictures"]
        passing = ("duration_seconds", "from_cache")
        assert {k: v for k, v in first.items() if k not in passing} == {
            k: v for k, v in again.items() if k not in passing
        }

    def test_changed_entries_of_the_recipe_count_and_are_recorded(
        self, tiny_zoo: Path, test_split: PersonDataset
    ) -> None:
        plain, changed = (
            evaluate_and_record(TINY_PRETRAINED, test_split, device=torch.device("cpu"), overrides=overrides)
            for overrides in ({}, {"model.mean": (0.0, 0.0, 0.0)})
        )
        assert (plain.record.overrides, changed.record.overrides) == ({}, {"model.mean": [0.0, 0.0, 0.0]})
        assert not torch.equal(plain.embeddings.pictures, changed.embeddings.pictures)

    def test_the_command_writes_a_record_and_a_picture_and_prints_clean_json(
        self, tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        picture, records = tmp_path / "hits.png", tmp_path / "records"
        words = ["eval", TINY_PRETRAINED, "--data", str(synthpedes), "--device", "cpu", "--json"]
        assert main([*words, "--records", str(records), "--picture", str(picture), "--captions", "2"]) == 0
        printed = capsys.readouterr()
        (file,) = records.glob("*.json")
        assert queries_file(file).is_file()
        record = read_record(file)
        assert json.loads(printed.out) == json.loads(file.read_text())
        assert f"record: {file}" in printed.err
        assert f"drawn: {picture}" in printed.err
        assert Image.open(picture).size[0] > 300
        assert tuple(record.metrics) == METRICS
        assert (record.model, record.dataset, record.split) == (TINY_PRETRAINED, "SynthPEDES", "test")
        assert (record.queries, record.gallery, record.identities) == (8, 4, 2)
        assert record.dataset_arguments == {"seed": 0, "test": 2, "pictures": 2}
        annotations = (synthpedes / "reid_raw.json").read_bytes()
        assert record.dataset_sha256 == hashlib.sha256(annotations).hexdigest()
        card = tipr_zoo.load_card(TINY_PRETRAINED)
        assert card.weights is not None
        assert record.weights_sha256 == card.weights.sha256
        assert record.command == f"tipr-zoo eval {TINY_PRETRAINED} --data DIR --split test"

    def test_the_command_prints_a_table(
        self, tiny_zoo: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["eval", "a_tiny_model", "--weights", str(tiny_zoo / "tiny.safetensors"), "--data", str(synthpedes)]
        assert main([*words, "--split", "val", "--device", "cpu"]) == 0
        first, header, _, row = capsys.readouterr().out.splitlines()
        assert first.startswith("a_tiny_model on SynthPEDES val: 8 captions, 4 pictures, 2 identities")
        assert tuple(header.split()) == METRICS
        assert all(0 <= float(cell) <= 100 for cell in row.split())

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["a_tiny_model", "--data", "{data}"], "no weights of a_tiny_model are published"),
            ([TINY_PRETRAINED, "--data", "{data}/nowhere"], "nowhere"),
            ([TINY_PRETRAINED, "--data", "{data}", "--split", "tset"], "unknown split 'tset'; did you mean 'test'"),
            ([TINY_PRETRAINED, "--data", "{data}", "--dataset", "SynthPEDS"], "did you mean 'SynthPEDES'"),
            ([TINY_PRETRAINED, "--data", "{data}", "--picture", "hits.txt"], "a picture's file name ends in .png"),
            ([TINY_PRETRAINED, "--data", "{data}", "--picture", "none/hits.png"], "the folder none does not exist"),
            ([TINY_PRETRAINED, "--data", "{data}", "--captions", "0"], "--captions must be at least 1, got 0"),
            ([TINY_PRETRAINED, TINY_PRETRAINED, "--data", "{data}"], "are measured together with --matrix"),
            ([TINY_PRETRAINED, "--data", "{data}", "{data}"], "are measured together with --matrix"),
            ([TINY_PRETRAINED, "--data", "{data}", "--metric", "R1"], "--metric is for --matrix"),
            ([TINY_PRETRAINED, "--data", "{data}", "--cfg-options", "mean"], "--cfg-options takes KEY=VALUE"),
            ([TINY_PRETRAINED, "--data", "{data}", "--direction", "text"], "unknown value of --direction 'text'"),
            (
                [TINY_PRETRAINED, "--data", "{data}", "--picture", "h.png", "--direction", "image-to-text"],
                "--picture shows what captions find",
            ),
            ([TINY_PRETRAINED, "--data", "{data}", "--workers", "-1"], "--workers must be at least 0, got -1"),
            ([TINY_PRETRAINED, "--data", "{data}", "--weights", "w.pth"], "weights w.pth do not exist"),
            ([TINY_PRETRAINED, "--data", "{data}", "--device", "tpuu"], "device 'tpuu' cannot be used here"),
        ],
        ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
    )
    def test_a_mistake_is_one_line(
        self,
        tiny_zoo: Path,
        synthpedes: Path,
        words: list[str],
        message: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(["eval", *(word.format(data=synthpedes) for word in words)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert message in printed.err.splitlines()[-1]
        assert printed.err.splitlines()[-1].startswith("error: ")

    def test_a_broken_picture_of_the_split_is_named(
        self, tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(synthpedes, tmp_path / "data")
        broken = open_dataset(str(tmp_path / "data"), split="test").pictures[1]
        broken.write_bytes(b"")
        assert main(["eval", TINY_PRETRAINED, "--data", str(tmp_path / "data"), "--workers", "1"]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {broken} is empty (0 bytes)")


def test_a_device_is_described_in_words() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert describe_device(torch.device("cpu")).startswith("cpu (")
