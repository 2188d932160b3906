"""Image towers: vision transformers from timm, with every token projected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import timm
import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from tipr_zoo.backbones.class_token_block import class_token_block, takes_class_token_alone
from tipr_zoo.backbones.gradient_checkpointing import run_block
from tipr_zoo.backbones.last_attention import attention_weights, noted_input
from tipr_zoo.backbones.patch_embedding import ConvolutionStem, check_sizes, patch_embedding
from tipr_zoo.backbones.plain_modules import are_plain, kinds_of
from tipr_zoo.backbones.quick_gelu import QuickGELU
from tipr_zoo.backbones.tower_sizes import check_counts, check_heads, checked_size
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class VisionTransformerEncoder(nn.Module):
    """A timm vision transformer whose class and patch tokens are all projected to the embedding size.

    With a CLIP name (``vit_base_patch16_clip_quickgelu_224``) this is CLIP's image tower as IRRA, SEN and FMFA use it:
    LayerNorm and projection act on every token, and the image embedding is token 0.

    The first token is always what timm's model pools: its class token, the mean of its patches, or what its attention
    pooling gives (SigLIP, arXiv 2303.15343). Registers (arXiv 2309.16588) take part inside and are left out after it.

    Args:
        model_name: Name of a vision transformer of timm's. It gives the patch size and the kind of block.
        embedding_size: Size D of the shared embedding space.
        image_size: Height and width of the pictures in pixels.
        stride: Pixels between two patches; None for patches that touch.
        width: Width of the tokens inside the tower; None for the model's own.
        depth: Number of blocks; None for the model's own.
        num_heads: Attention heads of a block; None for the model's own.
        stem: ``"patch"`` for CLIP's one patch convolution, ``"convolution"`` for a chain of small convolutions.

    Raises:
        ConfigError: timm has no such vision transformer, or the sizes do not fit each other.
    """

    def __init__(
        self,
        model_name: str,
        embedding_size: int,
        image_size: Sequence[int] = (384, 128),
        stride: int | None = None,
        width: int | None = None,
        depth: int | None = None,
        num_heads: int | None = None,
        stem: str = "patch",
    ) -> None:
        super().__init__()
        if not timm.is_model(model_name):
            raise ConfigError(f"timm has no model {model_name!r}; see timm.list_models('vit*')")
        if stem not in ("patch", "convolution"):
            raise ConfigError(f"stem must be 'patch' or 'convolution', got {stem!r}")
        architecture: dict[str, Any] = {"embed_dim": width, "depth": depth, "num_heads": num_heads}
        patch_size = _patch_size(model_name)
        check_counts(embedding_size=embedding_size, stride=stride, width=width, depth=depth, num_heads=num_heads)
        if width is not None and num_heads is not None:
            check_heads(width, num_heads)
        self.image_size = checked_size(image_size)
        self.embedding_size = embedding_size
        self.patch_size = patch_size
        self.stride = stride or patch_size
        check_sizes(self.image_size, patch_size, self.stride)
        arguments = {key: value for key, value in architecture.items() if value is not None}
        arguments |= {"img_size": self.image_size, "embed_layer": patch_embedding(stem, self.stride)}
        trunk = _vision_transformer(model_name, num_classes=embedding_size, **arguments)
        self.trunk = cast(Any, trunk)  # one of many classes of timm's
        for block in self.trunk.blocks:
            if isinstance(getattr(getattr(block, "mlp", None), "act", None), timm.layers.QuickGELU):
                block.mlp.act = QuickGELU()
        # timm gives the projection a bias, which CLIP's does not have.
        self.trunk.head = nn.Linear(self.trunk.head.in_features, embedding_size, bias=False)
        nn.init.normal_(self.trunk.head.weight, std=self.trunk.head.in_features**-0.5)
        self.grid_size: tuple[int, int] = tuple(self.trunk.patch_embed.grid_size)
        self._pools_class_token = self.trunk.global_pool == "token" and self.trunk.attn_pool is None
        self._kinds = kinds_of(self)
        self._checkpoints = False

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks, from the first to the last."""
        return list(self.trunk.blocks)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Switch gradient checkpointing of the blocks in training: less memory, and each is computed twice."""
        self._checkpoints = enabled

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: (B, 3, H, W) normalised pictures.

        Returns:
            (B, 1 + N, D) projected tokens, the class token or what is pooled first, the patches row by row.
        """
        if self._again:
            return self._projected(self.trunk.norm(self._run(self.trunk.blocks, self._embedded(images))))
        return self._projected(self.trunk.forward_features(images))

    def encode_class(self, images: Tensor) -> Tensor:
        """Encode pictures into their class tokens alone: what `forward` gives there, for less work.

        Where modules were wrapped, hooked or replaced, and where no class token is pooled, `forward` is run as a whole.

        Args:
            images: (B, 3, H, W) normalised pictures.

        Returns:
            (B, D) projected class tokens.
        """
        trunk = self.trunk
        if not self._may_pass_by():
            return self(images)[:, 0]
        *earlier, last = trunk.blocks
        tokens = self._run(earlier, self._embedded(images))
        first = run_block(class_token_block, last, tokens, again=self._again)
        return trunk.head(trunk.fc_norm(trunk.norm(first))).squeeze(1)

    def encode_with_attention(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode pictures, and tell what the class token attends to in the last block.

        Args:
            images: (B, 3, H, W) normalised pictures.

        Returns:
            What `forward` gives, and (B, N) float, the attention of the class token to each patch as the mean over the
            heads, without gradient. A row sums to 1 with the class token's attention to itself, which is left out.

        Raises:
            ConfigError: The tower pools no class token, or its last block is of a kind whose attention is not known.
        """
        block: Any = self.trunk.blocks[-1]
        if type(block) is not Block or not self._pools_class_token:
            raise ConfigError(
                f"{type(self).__name__}: the attention of {type(block).__name__} is not known; take a tower that pools"
                " a class token, with timm's usual blocks"
            )
        with noted_input(block) as given:
            tokens = self(images)
        with torch.no_grad():
            attention: Any = block.attn
            queries, keys, _ = attention.qkv(block.norm1(given())).chunk(3, dim=2)
            queries, keys = (
                norm(part.unflatten(2, (attention.num_heads, -1))).flatten(2)
                for norm, part in ((attention.q_norm, queries[:, :1]), (attention.k_norm, keys))
            )
            weights = attention_weights(queries[:, 0], keys, attention.num_heads)
        return tokens, weights[:, self.trunk.num_prefix_tokens :]

    def encode_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        """Encode pictures of which only the class token and some patches are seen.

        All patches get their positions. The hidden ones are dropped before the first LayerNorm, so nothing of them is
        seen and nothing is computed for them. (`ConvolutionStem` hides them earlier.)

        Args:
            images: (B, 3, H, W) float, normalised pictures.
            visible: (B, V) int64, the visible patches of each picture, numbered row by row from 0.

        Returns:
            (B, 1 + V, D) projected tokens, the class token first, the patches in the order of ``visible``.
        """
        trunk = self.trunk
        stem = trunk.patch_embed
        embedded = stem.embed_visible(images, visible) if isinstance(stem, ConvolutionStem) else stem(images)
        tokens = trunk._pos_embed(embedded)
        patches = tokens[:, trunk.num_prefix_tokens :]
        seen = patches.gather(1, visible.unsqueeze(2).expand(-1, -1, patches.shape[2]))
        tokens = torch.cat([tokens[:, : trunk.num_prefix_tokens], seen], dim=1)
        tokens = trunk.norm_pre(tokens)
        tokens = self._run(trunk.blocks, tokens) if self._again else trunk.blocks(tokens)
        return self._projected(trunk.norm(tokens))

    @property
    def _again(self) -> bool:
        """Whether blocks are run again in the backward pass."""
        return self._checkpoints and self.training

    def _embedded(self, images: Tensor) -> Tensor:
        """Return what the first block is given: (B, 3, H, W) -> (B, prefix tokens + N, W)."""
        trunk = self.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(images))))

    def _run(self, blocks: Iterable[nn.Module], tokens: Tensor) -> Tensor:
        for block in blocks:
            tokens = run_block(block, tokens, again=self._again)
        return tokens

    def _projected(self, tokens: Tensor) -> Tensor:
        """Pool as timm's model does, and project: (B, prefix tokens + N, W) -> (B, 1 + N, D), what is pooled first."""
        trunk = self.trunk
        if not (self._pools_class_token and trunk.num_prefix_tokens == 1):
            tokens = torch.cat([trunk.pool(tokens).unsqueeze(1), tokens[:, trunk.num_prefix_tokens :]], dim=1)
        return trunk.head(trunk.fc_norm(tokens))

    def _may_pass_by(self) -> bool:
        """Tell whether `encode_class` may leave out what the class token does not need."""
        trunk, last = self.trunk, self.trunk.blocks[-1]
        if not (self._pools_class_token and takes_class_token_alone(last, self._kinds)):
            return False
        return are_plain((self, trunk.blocks, trunk.norm, trunk.fc_norm, trunk.head), self._kinds)


def _vision_transformer(model_name: str, **arguments: Any) -> VisionTransformer:
    """Make one of timm's usual vision transformers; its others place, attend or pool in ways of their own."""
    try:
        trunk = timm.create_model(model_name, **arguments)
    except Exception:
        _check_kind(model_name, _meta_model(model_name))  # another kind may not know these arguments
        raise
    return _check_kind(model_name, trunk)


def _meta_model(model_name: str) -> nn.Module:
    """Make a model of timm's without numbers."""
    with torch.device("meta"):
        return timm.create_model(model_name)


def _check_kind(model_name: str, trunk: nn.Module) -> VisionTransformer:
    """Return the model, if it is of the kind whose tokens are known."""
    if type(trunk) is not VisionTransformer:
        raise ConfigError(
            f"{model_name!r} is timm's {type(trunk).__name__}, no VisionTransformer, and where its tokens stand is not"
            " known; type='TimmEncoder' takes it with its own pooling, without patches"
        )
    return trunk


def _patch_size(model_name: str) -> int:
    """Return the side of a patch in pixels, which timm's vision transformers carry in their names."""
    for part in model_name.split("_"):
        if part.startswith("patch") and part[5:].isdigit():
            return int(part[5:])
    raise ConfigError(
        f"{model_name!r} is no vision transformer of timm's: its name gives no patch size; type='TimmEncoder' takes any"
        " model of timm's with its own pooling, without patches"
    )
