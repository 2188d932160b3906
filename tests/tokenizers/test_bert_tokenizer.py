"""BERT's tokenizer against transformers' own, and what it refuses."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
import transformers

from tipr_zoo.errors import ConfigError
from tipr_zoo.tokenizers import BertTokenizer
from tipr_zoo.training.pairs.caption_masking import mask_caption

PIECES = "[PAD] [unused0] [UNK] [CLS] [SEP] [MASK] a man woman in the red jack ##et ##s ! , - t shirt cafe [unused1] 5"
CAPTIONS = [
    "A man in the red jackets!",
    "a  woman, in café T-shirt",
    "",
    "zebra man",
    "[SEP] man [MASK]",
    "!!!",
    "men 55",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES.split()) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("caption", CAPTIONS)
def test_ids_are_those_of_transformers(file: Path, caption: str) -> None:
    reference = transformers.BertTokenizer(str(file), do_lower_case=True)
    expected = reference.convert_tokens_to_ids(reference.tokenize(caption.lower(), split_special_tokens=True))
    row = BertTokenizer(str(file), context_length=24)(caption)[0].tolist()
    assert row == [3, *expected, 4] + [0] * (24 - 2 - len(expected))


def test_it_tells_its_ids(file: Path) -> None:
    tokenizer = BertTokenizer(str(file))
    assert (tokenizer.padding_id, tokenizer.start_id, tokenizer.end_id, tokenizer.mask_id) == (0, 3, 4, 5)
    assert tokenizer.vocabulary_size == len(PIECES.split())
    assert tokenizer.word_ids.tolist() == [*range(6, 21), 22]
    assert pickle.loads(pickle.dumps(tokenizer))("a man").equal(tokenizer("a man"))


def test_words_have_the_columns_of_their_pieces(file: Path) -> None:
    words = BertTokenizer(str(file)).words("A man in café jackets")
    assert [(word.text, list(word.tokens)) for word in words] == [
        *(("a", [1]), ("man", [2]), ("in", [3]), ("café", [4]), ("jackets", [5, 6, 7])),
    ]


def test_masking_puts_words_alone_in_a_words_place(file: Path) -> None:
    tokenizer = BertTokenizer(str(file), context_length=12)
    ids = tokenizer("a man in the red jacket")[0]
    ends = lambda rows: (rows != 0).sum(dim=1) - 1  # noqa: E731
    generator = torch.Generator().manual_seed(0)
    seen: set[int] = set()
    for _ in range(400):
        masked, labels = mask_caption(ids, tokenizer, generator, probability=1.0, find_ends=ends)
        assert labels.tolist() == [0, *ids[1:8].tolist(), 0, 0, 0, 0]
        assert masked[8:].tolist() == [4, 0, 0, 0]
        seen.update(masked[1:8].tolist())
    assert seen == {tokenizer.mask_id, *tokenizer.word_ids.tolist()}


def test_a_name_is_found_in_the_cache_folder(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "vocabularies").mkdir(parents=True)
    file.rename(tmp_path / "home" / "vocabularies" / "bert.txt")
    assert BertTokenizer("bert.txt").vocabulary_size == len(PIECES.split())
    with pytest.raises(
        ConfigError, match=r"vocabulary other\.txt or .*/vocabularies/other\.txt is missing; name BERT's"
    ):
        BertTokenizer("other.txt")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\nman\n", r"has no \[PAD\], so it is no WordPiece vocabulary"),
        (b"[UNK]\n[PAD]\n[CLS]\n[SEP]\n[MASK]\n", r"has \[PAD\] in line 2; padding is the first line"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n", "has the piece 'a' twice"),
        (b"\x80\xff", "is no text in UTF-8"),
        (b"", r"has no \[PAD\]"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        BertTokenizer(str(tmp_path / "vocab.txt"))


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        BertTokenizer(str(tmp_path))
    with pytest.raises(ConfigError, match=r"must be the path of a vocab\.txt, got None"):
        BertTokenizer(None)  # type: ignore[arg-type]
