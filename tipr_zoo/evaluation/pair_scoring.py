"""The scores of captions with their candidate pictures, picture by picture.

The pictures are gone through one after the other, each with all captions that have it among their candidates. So a
picture is read once, and of a `TokenPairScorer` its tokens exist once and only while its captions are scored. What is
kept are the captions' tokens, without padding. Where these need more than `PairBatches.caption_bytes`, the captions are
done in blocks that fit, and the pictures are gone through once for each block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tipr_zoo.distributed import gather_objects, process_count, process_rank
from tipr_zoo.errors import TiprZooError, WeightsError
from tipr_zoo.evaluation.caption_tokens import CaptionTokens, caption_lengths, encode_captions
from tipr_zoo.evaluation.model_place import place_of
from tipr_zoo.evaluation.preprocessed_pictures import stacked
from tipr_zoo.machine.processes import check_shared_memory
from tipr_zoo.models.kept_promises import scored, tokenized, tokens_of
from tipr_zoo.protocols import PairScorer, TokenPairScorer
from tipr_zoo.sentence_ends import end_positions
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.progress_bar import ProgressBar

MEBIBYTE = 2**20


@dataclass(frozen=True)
class PairBatches:
    """How much is computed, and held, at once.

    Attributes:
        pictures: Pictures that are read and encoded together.
        captions: Captions that are scored with a picture in one call; of a model with `score_pairs` alone, pairs.
        caption_bytes: The most that the captions' tokens may need.
    """

    pictures: int
    captions: int
    caption_bytes: int = 2048 * MEBIBYTE

    @classmethod
    def on(cls, device: torch.device) -> PairBatches:
        """Return what suits a device: small batches on a CPU, whose values stay in its cache."""
        return cls(pictures=8, captions=64) if device.type == "cpu" else cls(pictures=32, captions=256)


@dataclass(frozen=True)
class PairScoring:
    """Captions and pictures whose pairs are to be scored.

    Attributes:
        model: In eval mode, on the device where it is to run.
        captions: Q texts.
        pictures: G pictures as the model takes them, (3, H, W) float32 each, or what is wrong with one; see
            `tipr_zoo.evaluation.preprocessed_pictures.PreprocessedPictures`. Their files are named in messages, where
            it has ``paths``.
        candidates: (Q, K) int64, the pictures to score with each caption.
        batches: How much is computed at once; None for what suits the device.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to say how much is held, and to show a progress bar, on stderr.
    """

    model: PairScorer
    captions: Sequence[str]
    pictures: Dataset[Tensor | TiprZooError] | Sequence[Tensor]
    candidates: npt.NDArray[np.int64]
    batches: PairBatches | None = None
    num_workers: int = 0
    progress: bool = False


@torch.inference_mode()
def score_candidates(scoring: PairScoring) -> npt.NDArray[np.float32]:
    """Score every caption with each of its candidates. Of several processes each scores the pairs of some pictures.

    The batches are the same however many processes there are, and so are the scores.

    Returns:
        (Q, K) float32, finite.

    Raises:
        ConfigError: The model raises, or gives something else than one number for each pair.
        WeightsError: A score is not finite.
        DataError: A picture is missing or cannot be read.
    """
    model, candidates = scoring.model, scoring.candidates
    device, _ = place_of(model)
    batches = scoring.batches or PairBatches.on(device)
    ids = tokenized(model.tokenize, scoring.captions, type(model).__name__)
    own: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
    problems: list[TiprZooError] = []
    with ProgressBar(total=candidates.size, desc="pairs", unit="pair", disable=not scoring.progress) as bar:
        for rows, score in _blocks(scoring, ids.to(device), batches):
            for batch in _picture_batches(scoring, rows, batches):
                if batch.problem is not None:
                    problems.append(batch.problem)
                    break
                scores = score(batch).cpu().numpy()
                _check_finite(scores, batch, scoring)
                own.append((batch.places, scores))
                bar.update(min(process_count() * len(scores), candidates.size - bar.n))
            if problems:
                break
        # Where all processes have got here, none waits for another that has stopped.
        for problem in (problem for of_process in gather_objects(problems) for problem in of_process):
            raise problem
        bar.update(candidates.size - bar.n)
    found = np.full(candidates.size, np.nan, np.float32)
    for places, scores in (part for of_process in gather_objects(own) for part in of_process):
        found[places] = scores
    return found.reshape(candidates.shape)


@dataclass(frozen=True)
class _PictureBatch:
    """Some pictures with all pairs that they are in.

    Attributes:
        images: (B, 3, H, W), where the model lives.
        picture: (n,) int64, which of them each pair has; ascending.
        caption: (n,) int64, the caption of each pair; those of one picture by length.
        places: (n,) int64, where the score of each pair goes.
        names: What the pictures are called.
        problem: What is wrong with one of the pictures; nothing of the rest holds then.
    """

    images: Tensor
    picture: Tensor
    caption: Tensor
    places: npt.NDArray[np.int64]
    names: list[str]
    problem: TiprZooError | None = None


class _ByTokens:
    """Scores pairs by tokens of captions and pictures that were computed once."""

    def __init__(self, model: TokenPairScorer, captions: CaptionTokens, batches: PairBatches) -> None:
        self.model, self.captions, self.batches = model, captions, batches

    def __call__(self, batch: _PictureBatch) -> Tensor:
        """Score all pairs of a batch: (n,) float32."""
        tokens = tokens_of(self.model.encode_picture_tokens, batch.images, self.model)
        counts = batch.picture.bincount(minlength=len(tokens)).tolist()
        parts = []
        for own, captions in zip(tokens, batch.caption.split(counts), strict=True):
            for rows in captions.split(self.batches.captions):
                parts.append(scored(self.model.score_captions, (*self.captions.padded(rows), own), self.model))
        return torch.cat(parts)


class _ByPairs:
    """Scores pairs of ids and pictures as they are."""

    def __init__(self, model: PairScorer, ids: Tensor, lengths: Tensor, batches: PairBatches) -> None:
        self.model, self.ids, self.lengths, self.batches = model, ids, lengths, batches
        self.can_cut = getattr(model, "takes_cut_captions", False)

    def __call__(self, batch: _PictureBatch) -> Tensor:
        """Score all pairs of a batch: (n,) float32."""
        order = self.lengths[batch.caption].argsort(stable=True)
        scores = torch.empty(len(order), device=batch.images.device)
        for pairs in order.split(self.batches.captions):
            rows = batch.caption[pairs]
            longest = int(self.lengths[rows].max()) if self.can_cut else None
            given = (self.ids[rows, :longest], batch.images[batch.picture[pairs]])
            scores[pairs] = scored(self.model.score_pairs, given, self.model)
        return scores


def _blocks(
    scoring: PairScoring, ids: Tensor, batches: PairBatches
) -> Iterator[tuple[npt.NDArray[np.int64], _ByTokens | _ByPairs]]:
    """Yield blocks of captions, by their rows in order of length, with what scores them; say how much is held."""
    model, count = scoring.model, scoring.candidates.size
    if not isinstance(model, TokenPairScorer):
        lengths = end_positions(getattr(model, "text_encoder", None), ids) + 1
        _tell(scoring, f"{count:,} pairs, {min(batches.captions, count)} at a time")
        yield lengths.argsort(stable=True).cpu().numpy(), _ByPairs(model, ids, lengths, batches)
        return
    lengths = caption_lengths(ids)
    order = lengths.argsort(stable=True)
    per_token, per_picture = _token_bytes(model, ids[order[-1:], : int(lengths.max())])
    blocks = _cut(lengths[order], max(1, batches.caption_bytes // per_token))
    largest = max(int(lengths[order[block]].sum()) for block in blocks) * per_token
    held = f"{largest / MEBIBYTE:,.0f} MiB of caption tokens and {batches.pictures * per_picture / MEBIBYTE:,.0f} MiB"
    times = f" in {len(blocks)} blocks of captions, each of which reads the pictures" * (len(blocks) > 1)
    _tell(scoring, f"{count:,} pairs{times}; it holds {held} of those of {batches.pictures} pictures")
    for block in blocks:
        rows = order[block]
        captions = encode_captions(model, ids[rows], lengths[rows], batches.captions)
        yield rows.cpu().numpy(), _ByTokens(model, captions, batches)
        del captions


def _token_bytes(model: TokenPairScorer, ids: Tensor) -> tuple[int, int]:
    """Return the bytes of a caption's token and of a picture's tokens; tried on the longest caption and a blank."""
    device, dtype = place_of(model)
    caption = tokens_of(model.encode_caption_tokens, ids, model)
    picture = tokens_of(
        model.encode_picture_tokens, torch.zeros(1, 3, *model.image_size, device=device, dtype=dtype), model
    )
    return caption.shape[2] * caption.element_size(), picture[0].numel() * picture.element_size()


def _cut(lengths: Tensor, most: int) -> list[slice]:
    """Cut captions, by their ascending lengths, into blocks of so many tokens at most; of one caption at least."""
    blocks, start, total = [], 0, 0
    for row, length in enumerate(lengths.tolist()):
        if row > start and total + length > most:
            blocks.append(slice(start, row))
            start, total = row, 0
        total += length
    return [*blocks, slice(start, len(lengths))]


def _picture_batches(
    scoring: PairScoring, rows: npt.NDArray[np.int64], batches: PairBatches
) -> Iterator[_PictureBatch]:
    """Yield this process's share of the pictures that some captions have among their candidates, with these pairs."""
    device, dtype = place_of(scoring.model)
    is_by_tokens, width = isinstance(scoring.model, TokenPairScorer), scoring.candidates.shape[1]
    flat = scoring.candidates[rows].reshape(-1)
    order = flat.argsort(kind="stable")  # the captions of a picture stay in order of length
    pictures, starts = np.unique(flat[order], return_index=True)
    bounds = np.append(starts, len(order))
    own = [slice(start, start + batches.pictures) for start in range(0, len(pictures), batches.pictures)]
    own = own[process_rank() :: process_count()]
    if scoring.num_workers:
        check_shared_memory()
    loader = DataLoader(
        scoring.pictures,  # type: ignore[arg-type]  # a sequence will do
        batch_sampler=[pictures[batch].tolist() for batch in own],
        num_workers=scoring.num_workers,
        collate_fn=stacked,
    )
    paths = getattr(scoring.pictures, "paths", None)
    for batch, (_, images, errors) in zip(own, loader, strict=True):
        numbers = pictures[batch]
        pairs = order[bounds[batch.start] : bounds[batch.start + len(numbers)]]
        if errors or images is None:
            images = torch.empty(0)
        captions = pairs // width
        yield _PictureBatch(
            images=images.to(device, dtype),
            picture=torch.from_numpy(np.searchsorted(numbers, flat[pairs])).to(device),
            # The tokens of a block's captions are numbered in its order, ids in that of all captions.
            caption=torch.from_numpy(captions if is_by_tokens else rows[captions]).to(device),
            places=rows[captions] * width + pairs % width,
            names=[str(paths[number]) if paths else f"picture {number}" for number in numbers],
            problem=errors[0] if errors else None,
        )


def _check_finite(scores: npt.NDArray[np.float32], batch: _PictureBatch, scoring: PairScoring) -> None:
    """Raise WeightsError where a score is not finite."""
    wrong = np.flatnonzero(~np.isfinite(scores))
    if not len(wrong):
        return
    pair = int(wrong[0])
    caption = scoring.captions[int(batch.places[pair]) // scoring.candidates.shape[1]]
    shown = caption if len(caption) <= 60 else f"{caption[:57]}..."
    raise WeightsError(
        f"{type(scoring.model).__name__} scores {batch.names[int(batch.picture[pair])]} with {shown!r} as"
        f" {scores[pair]}, which is not finite; its weights are damaged: load others"
    )


def _tell(scoring: PairScoring, text: str) -> None:
    if scoring.progress and process_rank() == 0:
        logger.warning("re-ranking %d pictures a caption: %s", scoring.candidates.shape[1], text)
