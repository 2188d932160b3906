"""Why a picture fits a caption: the words that matter, and the patches that each word is most similar to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.explaining.patch_grid import PatchGrid, patch_grid
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.protocols import TwoTowerRetriever, missing_names
from tipr_zoo.token_patch_map import token_patch_map
from tipr_zoo.tokenizers.caption_tokenizer import clean
from tipr_zoo.tokenizers.caption_words import CaptionWord


@dataclass(frozen=True, eq=False)
class ExplainedWord:
    """One word of the caption.

    Attributes:
        word: The word and its place in the caption.
        importance: How much the score, a cosine, falls when the word is left out. Below 0 where it rises.
        weights: (rows, columns) float32, the weights of the patches. Their sum is 1. They are the mean over the word's
            pieces of their rows in `tipr_zoo.token_patch_map.token_patch_map`.
    """

    word: CaptionWord
    importance: float
    weights: Tensor


@dataclass(frozen=True, eq=False)
class Explanation:
    """A picture and a caption, word by word.

    Attributes:
        caption: The caption as the model reads it: cleaned and in lower case.
        score: Cosine of the picture's and the caption's embeddings, in [-1, 1].
        read: Number of the caption's characters before the first word that was cut off. All, where none was.
        words: Every word that the model reads, in the order of the caption.
        grid: Where the patches lie in the picture.
    """

    caption: str
    score: float
    read: int
    words: Sequence[ExplainedWord]
    grid: PatchGrid

    def most_important(self, count: int) -> list[ExplainedWord]:
        """Return the words that matter most, the greatest fall of the score first.

        Words with an equal fall keep the caption's order.

        Args:
            count: Number of words. Where the caption has fewer, all of them.

        Raises:
            ConfigError: `count` is below 1.
        """
        if count < 1:
            raise ConfigError(f"the number of words must be at least 1, got {count}")
        return sorted(self.words, key=lambda word: -word.importance)[:count]


@torch.inference_mode()
def explain(model: DualEncoder | BuiltModel, picture: Image.Image, caption: str) -> Explanation:
    """Explain the score of a picture and a caption.

    The importance of a word is the fall of the score when this word alone is left out. For this, its pieces are taken
    out of the row of ids. What follows moves up, and the caption is encoded again. This needs only the two towers.
    Words that say the same replace each other, so each of them may have a low importance.

    The map of a word is the one that FMFA's explicit fine-grained alignment sums up (`token_patch_map`). It can be
    computed for any dual encoder, trained with that loss or not. It compares single tokens with single patches, before
    any neck. The score comes from the two embeddings. So the score need not depend on a patch with a large weight.

    Args:
        model: A retriever in eval mode, on the device where it is to run.
        picture: A picture of any size and mode.
        caption: A sentence. What exceeds the context is cut, with the tokenizer's warning. It is not explained.

    Returns:
        The explanation, its tensors on the CPU.

    Raises:
        ConfigError: The caption is empty or has no word, the model has no two towers, or the image tower does not say
            where its patches lie.
        WeightsError: The model embeds the picture or the caption as something else than finite numbers.
    """
    _check_explainable(model)
    all_words = model.tokenize.words(caption)
    words = _read_words(all_words, caption)
    grid = patch_grid(model.image_encoder)
    device = next(model.parameters()).device
    ids, images = model.tokenize([caption]).to(device), model.preprocess(picture).unsqueeze(0).to(device)
    image_tokens, text_tokens = model.tokens({"images": images, "caption_ids": ids})
    weights = token_patch_map(text_tokens[0].float(), _patch_tokens(image_tokens[0], grid).float())
    embeddings = model.encode_text(torch.cat([ids, _each_left_out(ids[0], words)]))
    scores = F.cosine_similarity(embeddings.float(), model.encode_image(images).float()).tolist()
    if not all(map(math.isfinite, scores)) or not bool(weights.isfinite().all()):
        raise WeightsError(
            "the model embeds the picture or the caption as numbers that are not finite; its weights are damaged: load"
            " others"
        )
    weights = weights.unflatten(1, grid.grid_size).cpu()
    explained = [
        ExplainedWord(word, scores[0] - score, weights[list(word.tokens)].mean(dim=0))
        for word, score in zip(words, scores[1:], strict=True)
    ]
    cleaned = getattr(model.tokenize, "cleaned", clean)(caption)  # as its `words` counts characters
    read = min((word.start for word in all_words if not word.tokens), default=len(cleaned))
    return Explanation(cleaned, scores[0], read, explained, grid)


def _check_explainable(model: object) -> None:
    """Raise ConfigError where a model is a retriever in which words and patches have no tokens to compare."""
    missing = missing_names(model, TwoTowerRetriever)
    missing += [] if hasattr(model, "tokens") else ["tokens"]
    missing += [] if hasattr(getattr(model, "tokenize", None), "words") else ["tokenize.words"]
    if missing:
        raise ConfigError(
            f"{type(model).__name__} cannot be explained: it lacks {', '.join(missing)}, by which words and patches are"
            " compared; explain another model"
        )


def _read_words(words: Sequence[CaptionWord], caption: str) -> list[CaptionWord]:
    """Return the words of a caption that the model reads. There must be at least one."""
    advice = "describe the person, e.g. 'a man in a red jacket'"
    if not clean(caption):
        raise ConfigError(f"the caption is empty; {advice}")
    read = [word for word in words if word.tokens]
    if not read:
        raise ConfigError(f"the caption has no word that the model reads; {advice}")
    return read


def _patch_tokens(image_tokens: Tensor, grid: PatchGrid) -> Tensor:
    """Return the (N, D) patch tokens among (1 + N, D) image tokens."""
    rows, columns = grid.grid_size
    if len(image_tokens) != 1 + rows * columns:
        raise ConfigError(
            f"the image tower gives {len(image_tokens)} tokens, but a class token and {rows} x {columns} patches are "
            f"{1 + rows * columns}; its grid_size must be that of its tokens"
        )
    return image_tokens[1:]


def _each_left_out(ids: Tensor, words: Sequence[CaptionWord]) -> Tensor:
    """Turn (L,) ids into (words, L) ids. Row i lacks the pieces of word i and is filled up with zeros."""
    rows = ids.new_zeros(len(words), len(ids))
    for row, word in zip(rows, words, strict=True):
        kept = torch.cat([ids[: word.tokens.start], ids[word.tokens.stop :]])
        row[: len(kept)] = kept
    return rows
