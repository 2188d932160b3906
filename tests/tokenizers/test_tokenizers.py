"""Tokenizers: start, pieces, end, zeros; over-long captions are cut with a word, and any text can be written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers import CaptionTokenizer, SmallTokenizer
from tipr_zoo.tokenizers.small import train_small_tokenizer

CONFIGS = {"clip": {"type": "CLIPTokenizer"}, "small": {"type": "SmallTokenizer", "file": "synthpedes.json"}}


@pytest.fixture(scope="module", params=CONFIGS)
def tokenizer(request: pytest.FixtureRequest) -> CaptionTokenizer:
    return TOKENIZERS.build(CONFIGS[request.param])


@pytest.fixture(scope="module")
def small() -> SmallTokenizer:
    return TOKENIZERS.build(CONFIGS["small"])


@pytest.fixture(scope="module")
def clip() -> CaptionTokenizer:
    return TOKENIZERS.build(CONFIGS["clip"])


def pieces(tokenizer: CaptionTokenizer, caption: str) -> list[int]:
    """The ids between the start and the end token."""
    row = tokenizer(caption)[0].tolist()
    return row[1 : row.index(tokenizer.end_id)]


def test_the_end_token_is_the_largest_id_and_comes_last_before_the_zeros(tokenizer: CaptionTokenizer) -> None:
    assert tokenizer.mask_id < tokenizer.start_id < tokenizer.end_id == tokenizer.vocabulary_size - 1
    ids = tokenizer(["A man in a red jacket.", "a woman"])
    assert (tuple(ids.shape), ids.dtype) == ((2, 77), torch.int64)
    assert ids[:, 0].tolist() == [tokenizer.start_id] * 2
    for row, end in zip(ids, ids.argmax(dim=1), strict=True):
        assert row[end] == tokenizer.end_id
        assert row[:end].min() > 0
        assert row[end + 1 :].sum() == 0


@pytest.mark.parametrize("caption", ["", "   ", "\n\t"])
def test_an_empty_caption_is_start_and_end(tokenizer: CaptionTokenizer, caption: str) -> None:
    assert tokenizer(caption)[0, :3].tolist() == [tokenizer.start_id, tokenizer.end_id, 0]


def test_no_captions_give_no_rows(tokenizer: CaptionTokenizer) -> None:
    assert tuple(tokenizer([]).shape) == (0, 77)


def test_a_caption_of_500_words_is_cut_with_one_warning_and_still_ends(
    tokenizer: CaptionTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    captions = ["red " * 500, "a man", "blue " * 500]
    with caplog.at_level(logging.WARNING, logger="tipr_zoo"):
        ids = tokenizer(captions)
    assert [record.getMessage() for record in caplog.records] == ["2 of 3 captions exceed 75 tokens and were cut"]
    assert ids[0, -1] == tokenizer.end_id
    assert ids[0, 0] == tokenizer.start_id
    assert ids[0].count_nonzero() == 77
    assert ids[1].count_nonzero() == tokenizer("a man").count_nonzero()


def test_a_caption_that_just_fits_is_not_cut(tokenizer: CaptionTokenizer, caplog: pytest.LogCaptureFixture) -> None:
    assert len(pieces(tokenizer, "a " * 75)) == 75
    assert not caplog.records


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A Man In RED", "a man in red"),
        ("a  man\n in\tred ", "a man in red"),
        ("a man &amp; a dog", "a man & a dog"),
        ("a man &amp;amp; a dog", "a man & a dog"),
        ("the man\u00e2\u20ac\u2122s hat", "the man's hat"),  # UTF-8 that was read as Windows-1252
    ],
)
def test_case_white_space_entities_and_broken_encoding_are_mended(
    tokenizer: CaptionTokenizer, one: str, other: str
) -> None:
    assert torch.equal(tokenizer(one), tokenizer(other))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('A man (tall), in a "red" coat.', "a man tall , in a red coat"),
        ("#1: a man; a dog!!!", "1 a man a dog"),
        ("...", ""),
    ],
)
def test_characters_that_are_removed_count_as_blanks(name: str, one: str, other: str) -> None:
    removing, plain = TOKENIZERS.build({**CONFIGS[name], "removed": '.!"()*#:;~'}), TOKENIZERS.build(CONFIGS[name])
    assert torch.equal(removing(one), plain(other))
    assert not torch.equal(plain(one), plain(other))
    assert removing.cleaned(one) == other
    words = removing.words(one)
    assert [word.text for word in words] == [other[word.start : word.end] for word in words]
    assert [word.text for word in words] == [word.text for word in plain.words(other)]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shorter_context_is_kept_to(name: str) -> None:
    tokenizer = TOKENIZERS.build({**CONFIGS[name], "context_length": 5})
    ids = tokenizer("one two three four five six")
    assert tuple(ids.shape) == (1, 5)
    assert ids[0, -1] == tokenizer.end_id
    with pytest.raises(ConfigError, match="context_length must be at least 3, got 2"):
        TOKENIZERS.build({**CONFIGS[name], "context_length": 2})


class TestCLIP:
    def test_has_clips_ids(self, clip: CaptionTokenizer) -> None:
        assert (clip.mask_id, clip.start_id, clip.end_id) == (49405, 49406, 49407)
        assert clip("a photo of a cat")[0, :7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]

    def test_the_word_that_made_room_for_the_mask_is_cut_in_two(self, clip: CaptionTokenizer) -> None:
        ids = pieces(clip, "jekyll")
        assert len(ids) == 2
        assert clip.mask_id not in ids

    def test_spelled_special_tokens_are_those_tokens(self, clip: CaptionTokenizer) -> None:
        assert pieces(clip, "<|startoftext|>") == [clip.start_id]
        assert pieces(clip, "a <|mask|> man")[1] == clip.mask_id


class TestSmall:
    @pytest.mark.parametrize(
        "caption",
        [
            "a man in a red jacket",
            "zyzzyva, qwerty & 42 !?",
            "eine frau mit gr\u00fcner tasche",
            "\u7a7f\u7ea2\u8272\u5916\u5957\u7684\u7537\u4eba",
            "smile \U0001f600",
            "<|padding|> <|endoftext|> <|mask|>",
        ],
    )
    def test_any_text_can_be_read_back_from_its_pieces(self, small: SmallTokenizer, caption: str) -> None:
        ids = pieces(small, caption)
        assert small.pieces.decode(ids, skip_special_tokens=False).strip() == caption
        assert min(ids) > 0
        assert max(ids) < small.mask_id

    def test_is_learned_from_captions_and_saved(self, tmp_path: Path) -> None:
        captions = ["a red jacket", "a red hat", "blue jeans"] * 20
        file = tmp_path / "mine.json"
        train_small_tokenizer(captions, vocabulary_size=280).save(str(file))
        tokenizer = TOKENIZERS.build({"type": "SmallTokenizer", "file": str(file)})
        assert tokenizer.vocabulary_size <= 280
        assert len(pieces(tokenizer, "red red")) == 2
        assert tokenizer.pieces.decode(pieces(tokenizer, "a red fox")).strip() == "a red fox"

    def test_a_missing_file_is_told(self) -> None:
        with pytest.raises(ConfigError, match=r"tokenizer file .*none\.json is missing"):
            TOKENIZERS.build({"type": "SmallTokenizer", "file": "none.json"})

    def test_a_broken_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "broken.json").write_text("{")
        with pytest.raises(ConfigError, match=r"tokenizer file .*broken\.json cannot be read"):
            TOKENIZERS.build({"type": "SmallTokenizer", "file": str(tmp_path / "broken.json")})
