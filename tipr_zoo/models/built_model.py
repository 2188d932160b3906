"""The type of what `tipr_zoo.build` gives, for type checkers: a module that keeps `tipr_zoo.protocols.Retriever`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from typing import Any

    from PIL import Image
    from torch import Tensor

    from tipr_zoo.features import Batch
    from tipr_zoo.protocols import Tokenizer

    class BuiltModel(nn.Module):
        """A module that is a retriever: a `DualEncoder`, or the class that a recipe's ``model.type`` names.

        What else such a class has is not known, so any other attribute may be asked for. ``isinstance`` with
        `DualEncoder` says more.
        """

        image_size: tuple[int, int]
        tokenize: Tokenizer

        def preprocess(self, picture: Image.Image) -> Tensor:
            """See `tipr_zoo.protocols.Retriever`."""

        def encode_image(self, images: Tensor) -> Tensor:
            """See `tipr_zoo.protocols.Retriever`."""

        def encode_text(self, ids: Tensor) -> Tensor:
            """See `tipr_zoo.protocols.Retriever`."""

        def loss(self, batch: Batch) -> dict[str, Tensor]:
            """See `tipr_zoo.protocols.Retriever`."""

        def __getattr__(self, name: str) -> Any: ...

else:
    BuiltModel = nn.Module
