"""Why a picture fits a caption: the words that matter, and where in the picture each of them is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.evaluation.model_place import place_of
from tipr_zoo.explaining.occlusion import falls_by_occlusion, hiding_grid
from tipr_zoo.explaining.pair_scores import COSINE, SCORES, caption_scores
from tipr_zoo.explaining.patch_grid import PatchGrid, patch_grid
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.protocols import Retriever, TwoTowerRetriever, missing_names
from tipr_zoo.token_patch_map import token_patch_map
from tipr_zoo.tokenizers.caption_tokenizer import clean
from tipr_zoo.tokenizers.caption_words import CaptionWord
from tipr_zoo.vocabulary.function_words import FUNCTION_WORDS

OCCLUSION, TOKENS = "occlusion", "tokens"
MAPS = (OCCLUSION, TOKENS)
"""How the map of a word is made."""
_NOTHING = 0.05
"""A word whose absence changes the score by less than this share of the greatest change carries nothing."""


@dataclass(frozen=True, eq=False)
class ExplainedWord:
    """One word of the caption.

    Attributes:
        word: The word and its place in the caption.
        importance: How much the score falls when the word is left out. Below 0 where it rises.
        weights: (rows, columns) float32. By occlusion: how much less the word adds to the score when a square of the
            picture is hidden; below 0 where it adds more. By tokens: the weights of the patches, whose sum is 1.
        carries_nothing: Whether it is a word of grammar alone, such as "the", or its absence hardly changes the score.
    """

    word: CaptionWord
    importance: float
    weights: Tensor
    carries_nothing: bool = False


@dataclass(frozen=True, eq=False)
class Explanation:
    """A picture and a caption, word by word.

    Attributes:
        caption: The caption as the model reads it: cleaned and in lower case.
        score: The score of the picture and the caption: the cosine of their embeddings, in [-1, 1], or what a
            re-ranker gives the pair.
        read: Number of the caption's characters before the first word that was cut off. All, where none was.
        words: Every word that the model reads, in the order of the caption.
        grid: Where the squares or patches of the maps lie in the picture.
        map: One of `MAPS`.
        weights: (rows, columns) float32, how much the score falls when a square is hidden; None by tokens.
    """

    caption: str
    score: float
    read: int
    words: Sequence[ExplainedWord]
    grid: PatchGrid
    map: str = TOKENS
    weights: Tensor | None = None

    def most_important(self, count: int) -> list[ExplainedWord]:
        """Return the words that matter most, the greatest fall of the score first, without those that carry nothing.

        Words with an equal fall keep the caption's order. Where every word carries nothing, all of them count.

        Args:
            count: Number of words. Where the caption has fewer, all of them.

        Raises:
            ConfigError: `count` is below 1.
        """
        if count < 1:
            raise ConfigError(f"the number of words must be at least 1, got {count}")
        telling = [word for word in self.words if not word.carries_nothing] or self.words
        return sorted(telling, key=lambda word: -word.importance)[:count]

    def left_out(self) -> list[ExplainedWord]:
        """Return the words that carry nothing and that `most_important` leaves out, in the order of the caption."""
        carry_nothing = [word for word in self.words if word.carries_nothing]
        return carry_nothing if len(carry_nothing) < len(self.words) else []


@torch.inference_mode()
def explain(
    model: Retriever | BuiltModel,
    picture: Image.Image,
    caption: str,
    *,
    map: str = OCCLUSION,
    score: str = COSINE,
    progress: bool = False,
) -> Explanation:
    """Explain the score of a picture and a caption.

    The importance of a word is the fall of the score when this word alone is left out. For this, its pieces are taken
    out of the row of ids. What follows moves up, and the caption is encoded again. Words that say the same replace each
    other, so each of them may have a low importance.

    The map of a word says where in the picture its importance comes from. By occlusion, each square of the picture is
    hidden in turn, and the map is the fall of the word's importance: with s(x, c) the score, x' the picture without the
    square and c' the caption without the word, (s(x, c) - s(x, c')) - (s(x', c) - s(x', c')). It needs nothing of the
    model but its embeddings. By tokens, it is the map that FMFA's explicit fine-grained alignment sums up
    (`token_patch_map`), of a dual encoder with patches. That compares single tokens with single patches, before any
    neck. The score comes from the two embeddings, so it need not depend on a patch with a large weight.

    Args:
        model: A retriever in eval mode, on the device where it is to run.
        picture: A picture of any size and mode.
        caption: A sentence. What exceeds the context is cut, with the tokenizer's warning. It is not explained.
        map: ``"occlusion"`` or ``"tokens"``.
        score: ``"cosine"``, or ``"pairs"`` for the score by which a re-ranker orders what the cosine found.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The explanation, its tensors on the CPU.

    Raises:
        ConfigError: The caption is empty or has no word; the model cannot say which words it reads, or is no re-ranker
            and is asked for `score` of pairs; or a map by tokens is asked of a model without two towers, or whose image
            tower does not say where its patches lie.
        UnknownNameError: There is no such map or score.
        WeightsError: The model embeds the picture or the caption as something else than finite numbers.
    """
    if map not in MAPS:
        raise unknown_name("map", map, MAPS)
    if score not in SCORES:
        raise unknown_name("score", score, SCORES)
    _check_explainable(model, map)
    all_words = model.tokenize.words(caption)
    words = _read_words(all_words, caption)
    device, dtype = place_of(model)
    ids = model.tokenize([caption]).to(device)
    image = model.preprocess(picture).to(device, dtype)
    scores = caption_scores(model, torch.cat([ids, _each_left_out(ids[0], words)]), score)
    weights = None
    if map == OCCLUSION:
        grid = hiding_grid(model.image_size, getattr(getattr(model, "image_encoder", None), "patch_size", None))
        found, falls = falls_by_occlusion(scores, image, grid, progress)
        weights, maps = falls[0], falls[0] - falls[1:]
    else:
        towers = cast(DualEncoder, model)
        grid = patch_grid(towers.image_encoder)
        found = scores(image.unsqueeze(0)).cpu()[0]
        maps = _maps_by_tokens(towers, image, ids, words, grid)
    if not bool(found.isfinite().all()) or not bool(maps.isfinite().all()):
        raise WeightsError(
            "the model embeds the picture or the caption as numbers that are not finite; its weights are damaged: load"
            " others"
        )
    cleaned = getattr(model.tokenize, "cleaned", clean)(caption)  # as its `words` counts characters
    read = min((word.start for word in all_words if not word.tokens), default=len(cleaned))
    explained = _explained(words, found, maps)
    return Explanation(cleaned, float(found[0]), read, explained, grid, map, weights)


def _explained(words: Sequence[CaptionWord], scores: Tensor, maps: Tensor) -> list[ExplainedWord]:
    """Return each word with its importance and its map. The first score is the whole caption's."""
    importances = (scores[0] - scores[1:]).tolist()
    least = _NOTHING * max(map(abs, importances))
    return [
        ExplainedWord(word, importance, weights, word.text in FUNCTION_WORDS or abs(importance) < least)
        for word, importance, weights in zip(words, importances, maps, strict=True)
    ]


def _maps_by_tokens(
    model: DualEncoder, image: Tensor, ids: Tensor, words: Sequence[CaptionWord], grid: PatchGrid
) -> Tensor:
    """Return the map of each word from the tokens of both towers, (words, rows, columns)."""
    image_tokens, text_tokens = model.tokens({"images": image.unsqueeze(0), "caption_ids": ids})
    weights = token_patch_map(text_tokens[0].float(), _patch_tokens(image_tokens[0], grid).float())
    return torch.stack([weights[list(word.tokens)].mean(dim=0) for word in words]).unflatten(1, grid.grid_size).cpu()


def _check_explainable(model: object, map: str) -> None:
    """Raise ConfigError where a model cannot say which words it reads, or has no tokens of words and patches."""
    missing = [] if hasattr(getattr(model, "tokenize", None), "words") else ["tokenize.words"]
    if map == TOKENS:
        missing = missing_names(model, TwoTowerRetriever) + ([] if hasattr(model, "tokens") else ["tokens"]) + missing
    if missing:
        advice = (
            "; --map occlusion needs none of that" if missing[-1] != "tokenize.words" else "; explain another model"
        )
        raise ConfigError(
            f"{type(model).__name__} cannot be explained: it lacks {', '.join(missing)}, by which words and patches are"
            f" compared{advice}"
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
