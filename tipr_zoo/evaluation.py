"""Embedding a data set with a model, and measuring how well its captions find its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import DataError
from tipr_zoo.metrics import retrieval_metrics_from_embeddings
from tipr_zoo.pictures import open_picture


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of one split.

    Attributes:
        captions: (Q, D) float32, in the order of the data set's captions.
        pictures: (G, D) float32, in the order of its pictures.
    """

    captions: Tensor
    pictures: Tensor


class _PreprocessedPictures(Dataset["Tensor | DataError"]):
    """Pictures from disk as the image tower takes them, or what is wrong with one.

    An error is handed over and not raised, since one raised in a worker process comes back as a printed traceback.
    """

    def __init__(self, paths: Sequence[Path], preprocess: Callable[..., Tensor]) -> None:
        self.paths, self.preprocess = list(paths), preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | DataError:
        try:
            return self.preprocess(open_picture(self.paths[index]))
        except DataError as error:
            return error


def _stack(pictures: list[Tensor | DataError]) -> tuple[list[bool], Tensor | None, list[DataError]]:
    """Which pictures could be read, these as one batch, and what is wrong with the others."""
    read = [picture for picture in pictures if isinstance(picture, Tensor)]
    errors = [picture for picture in pictures if isinstance(picture, DataError)]
    return [isinstance(picture, Tensor) for picture in pictures], torch.stack(read) if read else None, errors


@torch.inference_mode()
def embed_pictures(
    model: DualEncoder,
    paths: Sequence[Path],
    batch_size: int = 64,
    num_workers: int = 0,
    progress: bool = False,
    on_unreadable: Callable[[DataError], None] | None = None,
) -> Tensor:
    """Embed pictures from disk.

    Args:
        model: In eval mode, on the device where it is to run.
        paths: G picture files.
        batch_size: Pictures a forward pass.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show a progress bar on stderr.
        on_unreadable: Told of each picture that is missing or cannot be read, which is then left out.

    Returns:
        (G, D) float32 on the CPU, not normalised; NaN where a picture was left out.

    Raises:
        DataError: A picture is missing or cannot be read, and there is no `on_unreadable`; or none can be read.
    """
    device = next(model.parameters()).device
    pictures = _PreprocessedPictures(paths, model.preprocess)
    loader = DataLoader(pictures, batch_size=batch_size, num_workers=num_workers, collate_fn=_stack)
    parts, are_read = [], []
    with tqdm(total=len(paths), desc="pictures", unit="picture", disable=not progress) as bar:
        for is_read, batch, errors in loader:
            for error in errors:
                if on_unreadable is None:
                    raise error
                on_unreadable(error)
            if batch is not None:
                parts.append(model.encode_image(batch.to(device)).float().cpu())
            are_read += is_read
            bar.update(len(is_read))
    if not parts:
        raise DataError(f"none of the {len(paths)} pictures can be read, {paths[0]} among them")
    embeddings = torch.cat(parts)
    return embeddings.new_full((len(paths), embeddings.shape[1]), torch.nan).index_put(
        (torch.tensor(are_read).nonzero().squeeze(1),), embeddings
    )


@torch.inference_mode()
def embed_captions(
    model: DualEncoder, captions: Sequence[str], batch_size: int | None = None, progress: bool = False
) -> Tensor:
    """Embed captions.

    Captions are taken in order of length and each batch is cut after its longest one: attention is causal, so
    what follows the end token cannot change an embedding.

    Args:
        model: In eval mode, on the device where it is to run.
        captions: Q texts.
        batch_size: Captions a forward pass; 256 where left out, and 32 on a CPU, where little of a small batch is
            padding and what its tokens are on the way stays in the cache.
        progress: Whether to show a progress bar on stderr.

    Returns:
        (Q, D) float32 on the CPU, not normalised, in the order of `captions`.
    """
    device = next(model.parameters()).device
    batch_size = batch_size or (32 if device.type == "cpu" else 256)
    ids = model.tokenize(captions)
    lengths = ids.argmax(dim=1) + 1
    order = lengths.argsort(stable=True)
    embeddings: Tensor | None = None
    with tqdm(total=len(ids), desc="captions", unit="caption", disable=not progress) as bar:
        for rows in order.split(batch_size):
            part = model.encode_text(ids[rows, : int(lengths[rows].max())].to(device)).float().cpu()
            if embeddings is None:
                embeddings = torch.empty(len(ids), part.shape[1])
            embeddings[rows] = part
            bar.update(len(rows))
    return torch.empty(0) if embeddings is None else embeddings


def embed_dataset(
    model: DualEncoder, dataset: PersonDataset, num_workers: int = 0, progress: bool = False
) -> Embeddings:
    """Embed every caption and every picture of a split."""
    captions = embed_captions(model, dataset.captions, progress=progress)
    return Embeddings(captions, embed_pictures(model, dataset.pictures, num_workers=num_workers, progress=progress))


def evaluate(
    model: DualEncoder, dataset: PersonDataset, num_workers: int = 0, progress: bool = False
) -> dict[str, float]:
    """Text-to-image retrieval figures of a model on a split.

    Every caption is a query, every picture of the split is in the gallery, and pictures of the caption's identity are
    its matches.

    Returns:
        ``R1``, ``R5``, ``R10``, ``mAP`` and ``mINP`` in percent.
    """
    was_training = model.training
    model.eval()
    try:
        embeddings = embed_dataset(model, dataset, num_workers, progress)
    finally:
        model.train(was_training)
    return retrieval_metrics_from_embeddings(
        embeddings.captions, embeddings.pictures, dataset.caption_ids, dataset.picture_ids
    )
