"""Text-guided image restoration, from SEN (arXiv 2307.09059)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.distributed import rand_rows
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.features import Batch, Features
from tipr_zoo.grey import grey
from tipr_zoo.heads.cross_modal_transformer import CrossModalTransformer, initialise_like_official, take_tokens
from tipr_zoo.protocols import ImageTower, MaskableImageTower, TwoTowerRetriever, missing_names
from tipr_zoo.registries import HEADS
from tipr_zoo_sen.patch_masking import mask_patches, place_visible
from tipr_zoo_sen.sine_cosine_positions import sine_cosine_positions


@HEADS.register_module()
class TextGuidedRestoration(nn.Module):
    """Restoration of the hidden patches of a grey picture, in colour and with the help of the caption.

    The retriever's image tower encodes only the visible patches of the grey picture. A decoder puts a mask token in
    place of each hidden patch. Every token queries the caption's tokens, without a residual connection. Then the
    decoder predicts the normalised colours of each patch.

    The parameters have the names of the published code. That code has seven norms and three cross-attentions. Only
    those that its forward pass uses exist here.

    Args:
        embedding_size: Size D of the tokens.
        image_size: Height and width of the pictures in pixels. Both are multiples of ``patch_size``.
        patch_size: Side P of a patch in pixels. Patches must touch. Overlapping patches cannot be restored.
        depth: Number of transformer blocks (``cmt_depth`` in the official code).
        hidden_share: Share of the tokens that are hidden.

    Raises:
        ConfigError: The sizes do not fit together, or the share leaves nothing to see or nothing to restore.
    """

    needs_patch_tokens = False
    needs_of_image_tower = ("grid_size", "patch_size", "stride", "embedding_size", "encode_visible")

    positions: Tensor

    def __init__(
        self,
        embedding_size: int,
        image_size: Sequence[int] = (384, 128),
        patch_size: int = 16,
        depth: int = 4,
        hidden_share: float = 0.7,
    ) -> None:
        super().__init__()
        width = self.embedding_size = embedding_size
        if width < 64 or width % 64:
            raise ConfigError(
                f"embedding_size {width} of TextGuidedRestoration is no multiple of 64, one attention head"
            )
        self.patch_size = patch_size
        self.hidden_share = hidden_share
        self.grid_size = _grid_size(image_size, patch_size)
        _check_share(hidden_share, self.grid_size)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.norm_1 = nn.LayerNorm(width)
        self.decoder_embed = nn.Linear(width, width)
        self.norm_4 = nn.LayerNorm(width)
        self.norm_2 = nn.LayerNorm(width)
        self.cross_attn_Text = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.norm_6 = nn.LayerNorm(width)
        self.cross_modal_transformer_mae = CrossModalTransformer(width, depth)
        self.norm_7 = nn.LayerNorm(width)
        self.decoder_pred = nn.Linear(width, 3 * patch_size**2)
        self.register_buffer("positions", sine_cosine_positions(*self.grid_size, width), persistent=False)
        initialise_like_official(self.cross_modal_transformer_mae, self.cross_attn_Text)

    def forward(self, features: Features, batch: Batch, retriever: TwoTowerRetriever) -> Tensor:
        """Return the loss of a batch, a scalar.

        Args:
            features: The features of the batch. The text tokens (B, L, D) are used.
            batch: Needs ``images``, (B, 3, H, W) float. ``mask_noise``, (B, 1 + N) in [0, 1), says which patches are
                hidden (see `mask_patches`). It is drawn where the batch has none.
            retriever: The retriever of this head. Its image tower encodes the visible patches.

        Raises:
            ConfigError: The retriever's image tower has another grid of patches, another embedding size or overlapping
                patches, or lacks a name of `tipr_zoo.protocols.MaskableImageTower`.
            DataError: ``mask_noise`` is no float tensor, has another shape, or has NaN in it.
        """
        images = batch["images"]
        tower = self._checked_tower(retriever.image_encoder)
        masking = mask_patches(self._noise(batch), self.hidden_share)
        visible_tokens = tower.encode_visible(grey(images), masking.visible)
        # The published code encodes the caption a second time for the decoder. The tokens are the same.
        predicted = self.restore(visible_tokens, masking.restore, features.text_tokens, masking.counted)
        return F.mse_loss(predicted, take_tokens(patchify(images, self.patch_size), masking.counted))

    @staticmethod
    def count_terms(batch: Batch) -> int:
        """Return the number of pictures in the mean of the loss. Each of several processes counts its own."""
        return len(batch["images"])

    def restore(
        self, visible_tokens: Tensor, restore: Tensor, text_tokens: Tensor, wanted: Tensor | None = None
    ) -> Tensor:
        """Predict patches.

        Args:
            visible_tokens: (B, K, D) projected tokens of the image tower, the class token first.
            restore: (B, N) int64; see `tipr_zoo_sen.patch_masking.PatchMasking`.
            text_tokens: (B, L, D) tokens of the captions.
            wanted: (B, M) int64, the patches to predict. None for all. In the last block, the others are only attended
                to.

        Returns:
            (B, N, 3 P^2), see `patchify`. With ``wanted``, (B, M, 3 P^2) in its order.
        """
        tokens = place_visible(self.decoder_embed(self.norm_1(visible_tokens)), self.mask_token, restore)
        text = self.norm_2(text_tokens)
        tokens = self.cross_attn_Text(self.norm_4(tokens + self.positions), text, text, need_weights=False)[0]
        tokens = self.cross_modal_transformer_mae(self.norm_6(tokens), None if wanted is None else 1 + wanted)
        return self.decoder_pred(self.norm_7(tokens if wanted is not None else tokens[:, 1:]))

    def restore_pictures(
        self, images: Tensor, caption_ids: Tensor, retriever: TwoTowerRetriever, mask_noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hide patches and restore them, to be looked at. ``tipr-zoo restore`` draws the result.

        Args:
            images: (B, 3, H, W) normalised pictures.
            caption_ids: (B, L) int64 token ids.
            retriever: The retriever of this head.
            mask_noise: (B, 1 + N) in [0, 1); see `mask_patches`.

        Returns:
            (B, 3, H, W), all patches as they were predicted, in normalised colours; and (B, N) bool, the patches that
            were hidden. The loss does not depend on the prediction of visible patches.

        Raises:
            ConfigError: The retriever's image tower does not fit, as in `forward`.
            DataError: ``mask_noise`` does not fit, as in `forward`.
        """
        tower = self._checked_tower(retriever.image_encoder)
        masking = mask_patches(self._checked_noise(mask_noise, len(images)), self.hidden_share)
        visible_tokens = tower.encode_visible(grey(images), masking.visible)
        predicted = self.restore(visible_tokens, masking.restore, retriever.text_encoder(caption_ids))
        return unpatchify(predicted, self.grid_size), masking.restore >= masking.visible.shape[1]

    def _noise(self, batch: Batch) -> Tensor:
        """Return ``mask_noise`` of the batch, or draw some."""
        images = batch["images"]
        if "mask_noise" in batch:
            return self._checked_noise(batch["mask_noise"], len(images))
        return rand_rows(len(images), len(self.positions), device=images.device)

    def _checked_noise(self, noise: Tensor, count: int) -> Tensor:
        """Return the noise. Raise unless it has a number for every token of every picture."""
        shape = (count, len(self.positions))
        if not isinstance(noise, Tensor) or not noise.is_floating_point():
            kind = noise.dtype if isinstance(noise, Tensor) else type(noise).__name__
            raise DataError(f"'mask_noise' must be a tensor of floating-point numbers, got {kind}")
        if noise.shape != shape:
            raise DataError(f"'mask_noise' has shape {tuple(noise.shape)}; this model needs {shape}")
        if noise.isnan().any():
            raise DataError("'mask_noise' has NaN in it; it needs numbers in [0, 1)")
        return noise

    def _checked_tower(self, image_encoder: ImageTower) -> MaskableImageTower:
        """Return the image tower. Raise unless its patches are those to restore."""
        if not isinstance(image_encoder, MaskableImageTower):
            missing = ", ".join(missing_names(image_encoder, MaskableImageTower))
            raise ConfigError(f"{type(image_encoder).__name__} lacks {missing}, which TextGuidedRestoration needs")
        own, width = self.norm_1.normalized_shape[0], image_encoder.embedding_size
        if width != own:
            raise ConfigError(f"embedding_size of TextGuidedRestoration is {own}, that of the image encoder {width}")
        found = (tuple(image_encoder.grid_size), image_encoder.patch_size, image_encoder.stride)
        if found != (self.grid_size, self.patch_size, self.patch_size):
            raise ConfigError(
                f"TextGuidedRestoration restores {self.grid_size} touching patches of {self.patch_size} pixels, but the"
                f" image encoder has {found[0]} of {found[1]} pixels, {found[2]} apart; give both the same image_size"
                " and a stride equal to the patch size"
            )
        return image_encoder


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut (B, 3, H, W) pictures into (B, N, 3 P^2) patches, row by row. The channels of a pixel stay together."""
    count, channels, height, width = images.shape
    rows, columns = height // patch_size, width // patch_size
    patches = images.reshape(count, channels, rows, patch_size, columns, patch_size).permute(0, 2, 4, 3, 5, 1)
    return patches.reshape(count, rows * columns, patch_size**2 * channels)


def unpatchify(patches: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Join (B, N, 3 P^2) patches to (B, 3, H, W) pictures. This is the inverse of `patchify`."""
    rows, columns = grid_size
    side = math.isqrt(patches.shape[2] // 3)
    pictures = patches.reshape(len(patches), rows, columns, side, side, 3).permute(0, 5, 1, 3, 2, 4)
    return pictures.reshape(len(patches), 3, rows * side, columns * side)


def _grid_size(image_size: Sequence[int], patch_size: int) -> tuple[int, int]:
    """Return the rows and columns of touching patches."""
    height, width = image_size
    if height % patch_size or width % patch_size:
        raise ConfigError(f"image_size {height} x {width} of TextGuidedRestoration is no multiple of {patch_size}")
    return height // patch_size, width // patch_size


def _check_share(hidden_share: float, grid_size: tuple[int, int]) -> None:
    """Raise unless at least the class token is visible, and at least one patch is hidden and counts."""
    if isinstance(hidden_share, bool) or not isinstance(hidden_share, (int, float)) or not 0 < hidden_share < 1:
        raise ConfigError(f"hidden_share of TextGuidedRestoration must be between 0 and 1, got {hidden_share!r}")
    tokens = 1 + grid_size[0] * grid_size[1]
    if not 1 <= int(tokens * (1 - hidden_share)) < tokens - 1:
        raise ConfigError(
            f"hidden_share {hidden_share} of TextGuidedRestoration leaves {int(tokens * (1 - hidden_share))} of"
            f" {tokens} tokens visible; it must leave at least 1 and hide at least 2"
        )
