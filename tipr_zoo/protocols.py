"""What components rely on of each other, as protocols: a component has these names, and need not inherit anything.

Each is runtime-checkable: ``isinstance(tower, PatchImageTower)`` says whether a tower has all that is promised there.
`missing_names` says what it lacks. docs/plugin_contract.md says which registry holds which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.tokenizers.caption_words import CaptionWord

_CALLED_BY_PYTHON = ("__call__", "__iter__", "__len__")
"""The special methods that protocols promise. Classes have many others of their own accord."""


class _SeesSubmodules(type(Protocol)):  # type: ignore[misc]  # typing has no public name for it
    """A metaclass for protocols whose check also sees a module's submodules.

    Python 3.12 and newer look for attributes without ``__getattr__``, by which PyTorch gives submodules.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        if not getattr(cls, "_is_protocol", False):  # somebody's own class that inherits from a protocol
            return bool(super().__instancecheck__(instance))
        return not missing_names(instance, cls)


@runtime_checkable
class ImageTower(Protocol, metaclass=_SeesSubmodules):
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
class TextTower(Protocol, metaclass=_SeesSubmodules):
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
class Neck(Protocol, metaclass=_SeesSubmodules):
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
class Tokenizer(Protocol, metaclass=_SeesSubmodules):
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


@runtime_checkable
class Retriever(Protocol, metaclass=_SeesSubmodules):
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
class Loss(Protocol, metaclass=_SeesSubmodules):
    """An objective without parameters."""

    def __call__(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar."""


@runtime_checkable
class Head(Protocol, metaclass=_SeesSubmodules):
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
class PairSampler(Protocol, metaclass=_SeesSubmodules):
    """The order of the pairs of an epoch. It should depend on a seed and the epoch alone.

    A class that is registered in `tipr_zoo.registries.SAMPLERS` is constructed with those of the following arguments
    that its constructor names. They are ``identities`` and ``lengths``, both (C,) int64 (see
    `tipr_zoo.training.pairs.pairs.TrainingPairs`), ``seed``, ``batch_size`` and ``by_length``. Further arguments are
    the recipe's.
    """

    def set_epoch(self, epoch: int) -> None:
        """Note the number of the next epoch; MMEngine calls this before each epoch."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the (epoch, index) keys of `tipr_zoo.training.pairs.pairs.TrainingPairs`."""

    def __len__(self) -> int:
        """Return the number of keys of the current epoch."""


@runtime_checkable
class CaptionAugmentation(Protocol, metaclass=_SeesSubmodules):
    """Random changes to one caption.

    What is registered in `tipr_zoo.registries.CAPTION_AUGMENTATIONS` is constructed with ``captions``, every caption of
    the training split. So what takes time can be done once. Further arguments are the recipe's.
    """

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return the caption to learn from in place of number `index`; every draw comes from `generator`."""


@runtime_checkable
class DataSet(Protocol, metaclass=_SeesSubmodules):
    """One split of a data set, as training and evaluation read it.

    `tipr_zoo.datasets.person_dataset.PersonDataset` has all of it, and a registered data set inherits from that.
    """

    @property
    def name(self) -> str:
        """The data set's name."""

    @property
    def split(self) -> str:
        """The split's name."""

    @property
    def sha256(self) -> str:
        """What tells these annotations from others, as 64 hexadecimal digits."""

    @property
    def pictures(self) -> list[Path]:
        """Absolute path of each picture."""

    @property
    def picture_ids(self) -> list[int]:
        """Identity in each picture, as annotated."""

    @property
    def labels(self) -> list[int]:
        """Identity in each picture, renumbered from 0 without gaps."""

    @property
    def identity_count(self) -> int:
        """How many different people the split shows."""

    @property
    def captions(self) -> list[str]:
        """Every caption, picture by picture."""

    @property
    def caption_picture_indices(self) -> list[int]:
        """Index into `pictures` of the picture that each caption describes."""

    @property
    def caption_ids(self) -> list[int]:
        """Identity that each caption describes, as annotated."""


@runtime_checkable
class CheckpointReader(Protocol, metaclass=_SeesSubmodules):
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


def promised_names(protocol: type) -> tuple[str, ...]:
    """List what a protocol promises, e.g. ``("image_size", "__call__")``; inherited names come first."""
    names: dict[str, None] = {}
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False) and base is not Protocol:
            own = [*inspect.get_annotations(base), *vars(base)]
            names.update(dict.fromkeys(name for name in own if name[0] != "_" or name in _CALLED_BY_PYTHON))
    return tuple(names)


def missing_names(component: object, protocol: type) -> list[str]:
    """List what a component lacks of a protocol; nothing where it has all of it.

    Args:
        component: An instance. What is None there is missing, and so is what it only inherits from a protocol. A module
            without ``forward`` lacks ``__call__``, which would run it.
        protocol: One of this module's.
    """
    missing = [
        name
        for name in promised_names(protocol)
        if getattr(component, name, None) is None or _is_only_promised(type(component), name)
    ]
    if "__call__" in promised_names(protocol) and isinstance(component, nn.Module) and not _runs(component):
        missing.append("forward")
    return missing


def _is_only_promised(component: type, name: str) -> bool:
    """Tell whether a class has a name only from a protocol that it inherits from, where it gives nothing.

    What is to return nothing, such as ``set_epoch``, may be inherited.
    """
    definer = next((base for base in component.__mro__ if name in vars(base)), None)
    if definer is None or not getattr(definer, "_is_protocol", False):
        return False
    return getattr(vars(definer)[name], "__annotations__", {}).get("return") not in ("None", None, type(None))


def _runs(module: nn.Module) -> bool:
    """Tell whether a call of a module does something: by a ``forward`` of its class or its own, or without one."""
    forward = module.forward
    is_unwritten = forward is None or getattr(forward, "__func__", None) is nn.Module.forward
    return not is_unwritten or type(module).__call__ is not nn.Module.__call__
