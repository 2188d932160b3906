"""Image towers: any model of timm's, with its own pooling and without patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tipr_zoo.backbones.patch_embedding import check_sizes
from tipr_zoo.backbones.tower_sizes import check_counts, checked_size
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class TimmEncoder(nn.Module):
    """A model of timm's whose pooled features are projected to the embedding size: ConvNeXt, Swin, EVA, ...

    Its one token is what the model itself pools, as for ``timm.create_model(model_name, num_classes=0)``. It gives no
    patches. So a model with an objective that needs them is not built with it.

    Args:
        model_name: Name of a model of timm's.
        embedding_size: Size D of the shared embedding space.
        image_size: Height and width of the pictures in pixels.

    Attributes:
        has_patch_tokens: False, which says that there are no tokens besides the first.

    Raises:
        ConfigError: timm has no such model, or it does not take pictures of this size.
    """

    has_patch_tokens = False

    def __init__(self, model_name: str, embedding_size: int, image_size: Sequence[int] = (384, 128)) -> None:
        super().__init__()
        if not timm.is_model(model_name):
            raise ConfigError(f"timm has no model {model_name!r}; see timm.list_models()")
        check_counts(embedding_size=embedding_size)
        self.image_size = checked_size(image_size)
        self.embedding_size = embedding_size
        settings = timm.get_pretrained_cfg(model_name)
        sized: dict[str, Any] = (
            {"img_size": self.image_size} if settings is not None and settings.fixed_input_size else {}
        )
        self.trunk = cast(Any, timm.create_model(model_name, num_classes=0, **sized))
        for module in self.trunk.modules():
            if hasattr(module, "qkv_bias_separate"):  # EVA, BEiT and Swin 2 pass their qkv layer by without it
                module.qkv_bias_separate = True
        side = getattr(getattr(self.trunk, "patch_embed", None), "patch_size", None)
        if side is not None:
            side = int(side if isinstance(side, int) else side[0])
            check_sizes(self.image_size, side, side)
        self.head = nn.Linear(self._feature_size(model_name), embedding_size, bias=False)
        nn.init.normal_(self.head.weight, std=self.head.in_features**-0.5)

    @property
    def blocks(self) -> list[nn.Module]:
        """The model's blocks or stages, from the first to the last; none where it names them in its own way."""
        for name in ("blocks", "stages", "layers"):
            if isinstance(parts := getattr(self.trunk, name, None), (nn.Sequential, nn.ModuleList)):
                return list(parts)
        parts = [getattr(self.trunk, f"layer{number}", None) for number in range(1, 5)]
        return [part for part in parts if isinstance(part, nn.Module)]

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Switch timm's gradient checkpointing in training: less memory, and blocks are computed twice.

        Raises:
            ConfigError: timm's model has none, or has batch normalisations, which would learn from each batch twice.
        """
        norm = next((name for name, each in self.trunk.named_modules() if isinstance(each, _BatchNorm)), None)
        if enabled and norm is not None:
            raise ConfigError(
                f"timm's {type(self.trunk).__name__} has batch normalisations ({norm}), which would learn from each"
                " batch twice; leave out training.gradient_checkpointing"
            )
        try:
            self.trunk.set_grad_checkpointing(enabled)
        except (AttributeError, AssertionError) as error:
            raise ConfigError(
                f"timm's {type(self.trunk).__name__} has no gradient checkpointing; leave out"
                " training.gradient_checkpointing"
            ) from error

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: (B, 3, H, W) normalised pictures.

        Returns:
            (B, 1, D), what timm's model pools, projected.
        """
        return self.head(self.trunk(images)).unsqueeze(1)

    def _feature_size(self, model_name: str) -> int:
        """Find out by one picture how many features are pooled; timm's models do not all say it."""
        was_training, self.trunk = self.trunk.training, self.trunk.eval()
        parameter = next(self.trunk.parameters())
        try:
            with torch.no_grad():
                features = self.trunk(
                    torch.zeros(1, 3, *self.image_size, dtype=parameter.dtype, device=parameter.device)
                )
        except Exception as error:  # whatever a model of timm's thinks of the size
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            height, width = self.image_size
            raise ConfigError(
                f"timm's {model_name!r} takes no pictures of {height} x {width} pixels: {reason}"
            ) from error
        finally:
            self.trunk.train(was_training)
        if features.ndim != 2:
            raise ConfigError(f"timm's {model_name!r} pools nothing: it gives {tuple(features.shape)} for one picture")
        return int(features.shape[1])
