"""A tiny model with BERT's text tower and tokenizer: trained, evaluated, searched and explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.evaluation.embedding_cache import model_sha256
from tipr_zoo.explaining.explanation import explain
from tipr_zoo.gallery.search import search
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.sentence_ends import end_positions
from tipr_zoo.tokenizers.caption_tokenizer import clean
from tipr_zoo.training.train import train

TINY = "a_tiny_model"
Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture(scope="module")
def vocabulary(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary of the training captions' words, in the order of BERT's."""
    words = sorted({word.strip(".,") for caption in splits[0].captions for word in clean(caption).split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "-", *words]
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(pieces)) + "\n", encoding="utf-8")
    return path


def overrides(vocabulary: Path) -> dict[str, Any]:
    size = len(vocabulary.read_text(encoding="utf-8").splitlines())
    return {
        "model.text_encoder.type": "BertTextEncoder",
        "model.text_encoder.vocabulary_size": size,
        "model.tokenizer.type": "BertTokenizer",
        "model.tokenizer.file": str(vocabulary),
        "model.heads.irr.vocabulary_size": size,
    }


@pytest.fixture(scope="module")
def weights(tiny_zoo: Path, splits: Splits, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    return train(TINY, *splits, folder, overrides=overrides(vocabulary)).weights


def test_it_learns_by_masked_words_and_is_evaluated(
    weights: Path, vocabulary: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (weights.parent / "history.jsonl").read_text().splitlines()]
    assert all(torch.tensor(row["losses"]["irr"] if "losses" in row else 1.0).isfinite() for row in rows)
    options = [f"{key}={value}" for key, value in overrides(vocabulary).items()]
    arguments = [TINY, "--weights", str(weights), "--cfg-options", *options]
    assert main(["eval", *arguments, "--data", str(synthpedes), "--split", "test", "--json"]) == 0
    assert "R1" in capsys.readouterr().out


def test_its_embeddings_do_not_depend_on_the_padding(weights: Path, vocabulary: Path, splits: Splits) -> None:
    model = tipr_zoo.build(TINY, weights=weights, overrides=overrides(vocabulary))
    captions = [*splits[1].captions, "a man", ""]
    with torch.no_grad():
        whole = model.encode_text(model.tokenize(captions))
    torch.testing.assert_close(embed_captions(model, captions, batch_size=3), whole, rtol=1e-5, atol=1e-5)
    assert embed_captions(model, []).shape == (0, 64)


def test_it_searches_and_explains(weights: Path, vocabulary: Path, splits: Splits) -> None:
    model = tipr_zoo.build(TINY, weights=weights, overrides=overrides(vocabulary))
    hits = search(model, splits[1].pictures[0].parent, "a man in a red jacket", top=2)
    assert len(hits) == 2
    explanation = explain(model, open_picture(splits[1].pictures[0]), "a man in a red jacket")
    assert [word.word.text for word in explanation.words] == ["a", "man", "in", "a", "red", "jacket"]
    by_tokens = explain(model, open_picture(splits[1].pictures[0]), "a man in a red jacket", map="tokens")
    assert all(abs(float(word.weights.sum()) - 1) < 1e-5 for word in by_tokens.words)
    with torch.no_grad():
        left_out = model.encode_text(model.tokenize(["a man in a jacket"]))
        picture = model.encode_image(model.preprocess(open_picture(splits[1].pictures[0])).unsqueeze(0))
    score = float(torch.cosine_similarity(left_out, picture))
    assert abs(explanation.score - explanation.words[4].importance - score) < 1e-5


def test_embeddings_that_are_kept_are_those_of_the_vocabulary(weights: Path, vocabulary: Path, tmp_path: Path) -> None:
    lines = vocabulary.read_text(encoding="utf-8").splitlines()
    other = tmp_path / "vocab.txt"
    hashes = set()
    for pieces in (lines, [*lines[:8], *reversed(lines[8:])], lines):
        other.write_text("\n".join(pieces), encoding="utf-8")
        model = tipr_zoo.build(
            TINY, weights=weights, overrides=overrides(vocabulary) | {"model.tokenizer.file": str(other)}
        )
        hashes.add(model_sha256(model, {"tokenizer": str(other)}, "weights"))
    assert len(hashes) == 2


def test_towers_and_tokenizers_of_two_kinds_do_not_fit(tiny_zoo: Path, vocabulary: Path) -> None:
    given = overrides(vocabulary)
    del given["model.text_encoder.type"]
    with pytest.raises(
        ConfigError,
        match=r"CLIPTextEncoder finds the end of 'a man' at token \d, and BertTokenizer \(model\.tokenizer\) ends",
    ):
        tipr_zoo.build(TINY, overrides=given)


def _with_tower(model: DualEncoder, **attributes: Any) -> nn.Module:
    tower = model.text_encoder
    assert isinstance(tower, nn.Module)
    kind = type("OwnTower", (type(tower),), attributes)
    tower.__class__ = kind
    return tower


@pytest.mark.parametrize(
    ("find", "told"),
    [
        (
            lambda ids: ids.argmax(dim=1) + 77,
            "end_positions of OwnTower lies outside of row 0: it says 80, and the row",
        ),
        (lambda ids: -ids.argmax(dim=1), "end_positions of OwnTower lies outside of row 0: it says -3"),
        (
            lambda ids: ids.argmax(),
            r"end_positions of OwnTower must give int64 \(1,\) for ids \(1, 77\), not torch.int64 \(\)",
        ),
        (lambda ids: ids.float().mean(dim=1), r"must give int64 \(1,\) .*, not torch.float32 \(1,\)"),
        (lambda ids: [3], r"must give int64 \(1,\) .*, not list"),
    ],
)
def test_an_end_that_lies_outside_of_the_row_is_told(tiny_model: DualEncoder, find: Any, told: str) -> None:
    tower = _with_tower(tiny_model, end_positions=staticmethod(find))
    with pytest.raises(ConfigError, match=told):
        end_positions(tower, tiny_model.tokenize(["a man"]))
    with pytest.raises(ConfigError, match="end_positions of OwnTower"):
        embed_captions(tiny_model, ["a man"])
    with pytest.raises(ConfigError, match="end_positions of OwnTower"):
        tiny_model.encode_text(tiny_model.tokenize(["a man"]))


def test_another_token_may_be_the_embedding(tiny_model: DualEncoder) -> None:
    ids = tiny_model.tokenize(["a man in red", "a man"])
    with torch.no_grad():
        tokens = tiny_model.text_encoder(ids)
        _with_tower(tiny_model, pooled_positions=staticmethod(lambda ids: ids.argmax(dim=1) - 1))
        expected = torch.stack([tokens[0, int(ids[0].argmax()) - 1], tokens[1, int(ids[1].argmax()) - 1]])
        torch.testing.assert_close(tiny_model.end_tokens(tokens, ids), expected)
        assert tiny_model.neck is not None
        torch.testing.assert_close(tiny_model.encode_text(ids), tiny_model.neck.text(expected))
        torch.testing.assert_close(embed_captions(tiny_model, ["a man in red", "a man"]), tiny_model.encode_text(ids))
