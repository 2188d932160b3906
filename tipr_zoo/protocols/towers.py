"""What towers, necks and tokenizers have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from tipr_zoo.protocols.promises import SeesSubmodules
from tipr_zoo.tokenizers.caption_words import CaptionWord


@runtime_checkable
class ImageTower(Protocol, metaclass=SeesSubmodules):
    """What every image tower has. Where it has ``encode_class(images)``, that gives the (B, D) class tokens alone."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that it takes."""

    def __call__(self, images: Tensor) -> Tensor:
        """Encode pictures: (B, 3, H, W) float -> (B, 1 + N, D) tokens, the class token first."""


@runtime_checkable
class PatchImageTower(ImageTower, Protocol):
    """An image tower whose N tokens after the class token are those of patches: what ``explain`` needs."""

    @property
    def grid_size(self) -> tuple[int, int]:
        """Rows and columns of patches; their product is N, and the tokens go row by row."""

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""

    @property
    def stride(self) -> int:
        """Pixels from a patch to the next. It is smaller than `patch_size` where patches overlap."""


@runtime_checkable
class AttendingImageTower(PatchImageTower, Protocol):
    """An image tower that tells what its class token attends to: what RDE's token selection needs."""

    @property
    def embedding_size(self) -> int:
        """Size D of its tokens."""

    def encode_with_attention(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode pictures: (B, 3, H, W) float -> (B, 1 + N, D) tokens, and (B, N) attention of the last block."""


@runtime_checkable
class MaskableImageTower(PatchImageTower, Protocol):
    """An image tower that can leave out patches: what SEN's restoration needs."""

    @property
    def embedding_size(self) -> int:
        """Size D of its tokens."""

    def encode_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        """Encode pictures of which only some patches are seen; nothing of the others enters the tokens.

        Args:
            images: (B, 3, H, W) float.
            visible: (B, V) int64, the visible patches of each picture, numbered row by row from 0.

        Returns:
            (B, 1 + V, D), the class token first, the patches in the order of `visible`.
        """


@runtime_checkable
class TextTower(Protocol, metaclass=SeesSubmodules):
    """What every text tower has.

    It may say more of itself. ``end_positions(ids)`` finds the last token of each sentence, (B,) int64, and
    ``pooled_positions(ids)`` the one that is its embedding; without them both are the first of the largest ids, CLIP's
    end token. ``is_causal = False`` says that tokens see what follows them; the tower must then mask padding, and say
    so by ``masks_padding = True``. ``encode_end(ids)`` gives the (B, D) tokens that are the embeddings alone.
    """

    def __call__(self, ids: Tensor) -> Tensor:
        """Encode captions: (B, L) int64 token ids -> (B, L, D) tokens.

        The ids are zero after the end token. L may be less than the context.
        """


@runtime_checkable
class AttendingTextTower(TextTower, Protocol):
    """A text tower that tells what its end token attends to: what RDE's token selection needs."""

    def encode_with_attention(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Encode captions: (B, L) int64 -> (B, L, D) tokens, and (B, L) attention of the last block."""


@runtime_checkable
class Neck(Protocol, metaclass=SeesSubmodules):
    """What both embeddings go through before they are compared."""

    @property
    def image(self) -> Callable[[Tensor], Tensor]:
        """Maps the (B, D) class tokens of pictures alone."""

    @property
    def text(self) -> Callable[[Tensor], Tensor]:
        """Maps the (B, D) end tokens of captions alone."""

    def __call__(self, image_embedding: Tensor, text_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Map both (B, D) embeddings of one batch to (B, D) each."""


@runtime_checkable
class Tokenizer(Protocol, metaclass=SeesSubmodules):
    """What turns captions into token ids; `tipr_zoo.tokenizers.caption_tokenizer.CaptionTokenizer` has all of it.

    It may have ``word_ids``, the ids that masked language modelling may put in a word's place: a range, or (W,) int64.
    Without it, they are all from 1 up to the mask token's.
    """

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""

    @property
    def mask_id(self) -> int:
        """Id of the mask token of masked language modelling."""

    @property
    def context_length(self) -> int:
        """Length L of a row."""

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        """Turn one caption or B of them into (B, L) int64 ids, zero after the end token."""

    def words(self, caption: str) -> list[CaptionWord]:
        """List the words of a caption, with the columns of its row of ids that they are made of."""
