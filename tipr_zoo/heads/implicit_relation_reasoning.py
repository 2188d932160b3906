"""Implicit relation reasoning: masked words are read off the picture (IRRA, arXiv 2303.12501, section 3.2)."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.quick_gelu import QuickGELU
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.heads.cross_modal_transformer import CrossModalTransformer, initialise_like_official
from tipr_zoo.protocols import TwoTowerRetriever
from tipr_zoo.registries import HEADS


@HEADS.register_module()
class ImplicitRelationReasoning(nn.Module):
    """Masked language modelling with the picture: cross-attention, a few transformer blocks, and a word classifier.

    The masked caption is encoded by the retriever's text tower. Its tokens query all image tokens, the class token
    included, without a residual connection. The loss is the cross-entropy over masked positions alone. So only those go
    through the last block and the word classifier; in the last block the others are only attended to.

    Args:
        embedding_size: Size D of the tokens.
        vocabulary_size: Number of token ids.
        depth: Number of transformer blocks (``cmt_depth`` in the official code).

    Raises:
        ConfigError: A size is none, or not a multiple of 64.
    """

    def __init__(self, embedding_size: int, vocabulary_size: int = 49408, depth: int = 4) -> None:
        super().__init__()
        if embedding_size < 64 or embedding_size % 64:
            raise ConfigError(f"embedding_size {embedding_size} is no multiple of 64, one attention head")
        if depth < 1 or vocabulary_size < 1:
            raise ConfigError(f"depth and vocabulary_size must be above 0, got {depth} and {vocabulary_size}")
        width = self.embedding_size = embedding_size
        self.vocabulary_size = vocabulary_size
        self.cross_attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.cross_modal_transformer = CrossModalTransformer(width, depth)
        self.ln_pre_t = nn.LayerNorm(width)
        self.ln_pre_i = nn.LayerNorm(width)
        self.ln_post = nn.LayerNorm(width)
        self.mlm_head = nn.Sequential(
            OrderedDict(
                dense=nn.Linear(width, width),
                gelu=QuickGELU(),
                ln=nn.LayerNorm(width),
                fc=nn.Linear(width, vocabulary_size),
            )
        )
        initialise_like_official(self.cross_modal_transformer, self.cross_attn)
        dense, *_, words = self.mlm_head
        nn.init.normal_(cast(nn.Linear, dense).weight, std=(2 * width) ** -0.5)
        nn.init.normal_(cast(nn.Linear, words).weight, std=width**-0.5 * (2 * depth) ** -0.5)

    def forward(self, features: Features, batch: Batch, retriever: TwoTowerRetriever) -> Tensor:
        """Compute the loss of a batch, a scalar; 0 where nothing is masked.

        Args:
            features: The projected features of the batch; ``image_tokens`` are read.
            batch: Needs ``mlm_ids`` and ``mlm_labels``, both (B, L) int64. Where a label is 0, nothing is predicted.
            retriever: Its text tower encodes the masked captions.
        """
        labels = batch["mlm_labels"]
        text = self.ln_pre_t(retriever.text_encoder(batch["mlm_ids"]))
        image = self.ln_pre_i(features.image_tokens)
        tokens = self.cross_attn(text, image, image, need_weights=False)[0]
        most = int((labels != 0).sum(dim=1).max())
        if not most:  # a mean over nothing is not a number
            return 0.0 * self.ln_post(self.cross_modal_transformer(tokens)).sum()
        # The masked positions of each caption in order, then others, up to the number that the fullest caption has.
        positions = (labels != 0).byte().argsort(dim=1, descending=True, stable=True)[:, :most]
        tokens = self.ln_post(self.cross_modal_transformer(tokens, positions))
        return self.word_loss(tokens, labels.gather(1, positions))

    @staticmethod
    def count_terms(batch: Batch) -> Tensor:
        """Count the masked words that the loss is a mean over. Of a spread batch, each process takes its own rows."""
        return (batch["mlm_labels"] != 0).sum()

    def word_loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Compute the cross-entropy of the word classifier over masked positions; only these go through it.

        Args:
            tokens: (B, M, D) float.
            labels: (B, M) int64 word ids, zero where nothing is masked; not all zero.
        """
        masked = labels != 0
        return F.cross_entropy(self.mlm_head(tokens[masked]), labels[masked])
