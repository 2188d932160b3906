"""What retrievers, their losses and heads, and the readers of their official checkpoints have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from PIL import Image
from torch import Tensor

from tipr_zoo.features import Batch, Features
from tipr_zoo.protocols.promises import SeesSubmodules
from tipr_zoo.protocols.towers import ImageTower, TextTower, Tokenizer


@runtime_checkable
class Retriever(Protocol, metaclass=SeesSubmodules):
    """What the zoo needs of a model that ranks pictures by a sentence. The score is the cosine of two embeddings."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that it takes."""

    @property
    def tokenize(self) -> Tokenizer:
        """The tokenizer that turns captions into token ids."""

    def preprocess(self, picture: Image.Image) -> Tensor:
        """Turn a picture of any size and mode into (3, H, W) float32."""

    def encode_image(self, images: Tensor) -> Tensor:
        """Embed pictures: (B, 3, H, W) float -> (B, D)."""

    def encode_text(self, ids: Tensor) -> Tensor:
        """Embed captions: (B, L) int64 -> (B, D)."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Compute every objective by its key, weighted: scalars."""


@runtime_checkable
class TwoTowerRetriever(Retriever, Protocol):
    """A retriever with a tower for each modality, as `tipr_zoo.dual_encoder.DualEncoder` is. Heads are handed one.

    A head may run either tower again on something else than the batch.
    """

    @property
    def image_encoder(self) -> ImageTower:
        """The image tower."""

    @property
    def text_encoder(self) -> TextTower:
        """The text tower."""


@runtime_checkable
class PairScorer(Retriever, Protocol):
    """A retriever that can also score a caption and a picture together: what ranking in two stages needs.

    The cosine finds the best pictures of each caption, and the score of the pairs ranks these again.
    """

    def score_pairs(self, ids: Tensor, images: Tensor) -> Tensor:
        """Score pairs, each of one caption and one picture.

        Args:
            ids: (n, L) int64 token ids.
            images: (n, 3, H, W) float pictures.

        Returns:
            (n,) float, higher is better.
        """


@runtime_checkable
class TokenPairScorer(PairScorer, Protocol):
    """A `PairScorer` whose work on each caption and on each picture alone can be done once.

    It gives what `score_pairs` gives. Captions come without padding where they are alone, and with as much as the
    longest of a batch needs; ids of padding are 0, and so are its tokens. The scores must not depend on it.
    """

    def encode_picture_tokens(self, images: Tensor) -> Tensor:
        """Encode pictures: (B, 3, H, W) float -> (B, T, W) float."""

    def encode_caption_tokens(self, ids: Tensor) -> Tensor:
        """Encode captions: (B, L) int64 -> (B, L, D) float."""

    def score_captions(self, ids: Tensor, caption_tokens: Tensor, picture_tokens: Tensor) -> Tensor:
        """Score captions with one picture, so that the picture's keys and values are computed once.

        Args:
            ids: (n, L) int64 token ids.
            caption_tokens: (n, L, D) float, of `encode_caption_tokens`.
            picture_tokens: (T, W) float, of `encode_picture_tokens`.

        Returns:
            (n,) float, higher is better.
        """


@runtime_checkable
class Loss(Protocol, metaclass=SeesSubmodules):
    """An objective without parameters."""

    def __call__(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar."""


@runtime_checkable
class Head(Protocol, metaclass=SeesSubmodules):
    """An objective with parameters."""

    def __call__(self, features: Features, batch: Batch, retriever: TwoTowerRetriever) -> Tensor:
        """Compute the loss of a batch, a scalar."""


@runtime_checkable
class RestoringHead(Head, Protocol):
    """A head that can restore hidden patches of a picture from a caption: what ``restore`` needs."""

    def restore_pictures(
        self, images: Tensor, caption_ids: Tensor, retriever: TwoTowerRetriever, mask_noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hide patches and restore them.

        Args:
            images: (B, 3, H, W) normalised pictures.
            caption_ids: (B, L) int64.
            retriever: The model that this is a head of.
            mask_noise: (B, 1 + N) in [0, 1), which decides what is hidden.

        Returns:
            (B, 3, H, W), every patch as it was predicted, in normalised colours; and (B, N) bool, which were hidden.
        """


@runtime_checkable
class CheckpointReader(Protocol, metaclass=SeesSubmodules):
    """What knows the checkpoints of a method's official code, in which CLIP's towers stand behind ``base_model.``.

    A class is registered in `tipr_zoo.registries.CHECKPOINTS` under the method's name, such as ``"sen"``, and is
    constructed without arguments. `tipr_zoo.checkpoint_readers` has IRRA's, from which others may inherit.
    """

    @property
    def title(self) -> str:
        """The method's name as people write it, e.g. ``"SEN"``."""

    @property
    def model(self) -> str:
        """A model of the zoo whose recipe has the method's class, losses and heads, e.g. ``"sen_vitb16_cuhk"``."""

    @property
    def rules(self) -> Sequence[tuple[str, str]]:
        """What becomes of the names that are no tower's.

        Each rule is a regular expression for a whole official name, and the name in the zoo's model, in which ``\\1``
        is the first group. The first that fits counts. Heads begin with ``heads.KEY.``; other parts of a model have the
        names that its class gives them. Counters of batch normalisations may be left out.
        """

    @property
    def unused(self) -> Sequence[str]:
        """Regular expressions for whole official names that no forward pass needs. They are told and left out."""

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has the method's names.

        Several readers may recognise one checkpoint, where methods share their names. A checkpoint of towers alone is
        no method's, so a reader that recognises an empty collection is not asked further.

        Args:
            names: The official names that are no tower's.
        """

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the sizes of heads and other parts off the tensors.

        Args:
            tensors: All tensors by official name. Any of them may be missing, or of another shape than is expected.
            model: The ``model`` entry of the recipe. Its towers have the checkpoint's sizes already.

        Returns:
            Entries of ``model`` to change, e.g. ``{"selected_size": 1024, "heads": {"irr": {"depth": 4}}}``. A text in
            the place of a head's entries says why the head cannot be filled.

        Raises:
            WeightsError: A tensor makes no sense.
        """
