"""What is learned of single words: which was masked (MLM), and which was replaced (m-RTD)."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.registries import HEADS
from tipr_zoo_rasa.bert_initialisation import begin_like_bert
from tipr_zoo_rasa.fusion_features import needed
from tipr_zoo_rasa.precision import in_full
from tipr_zoo_rasa.soft_label_ratio import soft_label_ratio

IGNORED = -100
"""The label of a token that is not judged."""


@HEADS.register_module()
class MomentumMaskedWords(nn.Module):
    """Predicts masked words from the other words and the picture (MLM), with the momentum copy's opinion beside them.

    What decodes a token is the word embedding of the text tower, as in BERT.

    In the published code (ALBEF's) the soft labels meet predictions that are normalised over the places of the caption,
    padding among them, and not over the words. That is kept as ``"places"``; ``"words"`` is what the papers write.

    Args:
        width: Width of the fused tokens.
        vocabulary_size: Number of token ids.
        soft_over: ``"places"`` or ``"words"``: over what predictions are normalised where soft labels judge them.

    Raises:
        ConfigError: `soft_over` is something else.
    """

    needs_patch_tokens = False
    needs_of_step = ("masked",)

    def __init__(self, width: int = 768, vocabulary_size: int = 30522, soft_over: str = "places") -> None:
        super().__init__()
        if soft_over not in ("places", "words"):
            raise ConfigError(f"soft_over of MomentumMaskedWords must be 'places' or 'words', got {soft_over!r}")
        self.width, self.vocabulary_size, self.soft_over = width, vocabulary_size, soft_over
        # not at the top: transformers takes longer to import than a search takes, which needs no head
        from transformers import BertConfig
        from transformers.models.bert.modeling_bert import BertPredictionHeadTransform

        self.transform = cast(Any, BertPredictionHeadTransform)(BertConfig(hidden_size=width))
        begin_like_bert(self.transform, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def setup(self, retriever: Any) -> None:
        """Add the momentum copy to the model."""
        retriever.add_momentum()

    def logits(self, tokens: Tensor, text_encoder: Any) -> Tensor:
        """Say how likely each word is: (..., W) fused tokens -> (..., V)."""
        words = text_encoder.trunk.embeddings.word_embeddings.weight
        return in_full(F.linear(self.transform(tokens), words, self.bias))

    def count_terms(self, batch: Batch) -> Tensor:
        """Return the number of masked words, over which the mean is taken."""
        return (batch["mlm_labels"] > 0).sum()

    def forward(self, features: Features, batch: Batch, retriever: Any) -> Tensor:
        """Compute the loss.

        Args:
            features: From `RaSa.features`.
            batch: Has ``mlm_labels``, (B, L) int64: the word that was there, 0 or less where none is predicted.
            retriever: Has the word embedding, and the momentum copy.

        Returns:
            Scalar; 0 where no word is masked.
        """
        tokens, teaching = needed(features, "masked_tokens", self), needed(features, "momentum_masked_tokens", self)
        labels = batch["mlm_labels"][:, : tokens.shape[1]]
        masked = labels > 0
        logits, softened = self._predictions(tokens, masked, retriever.text_encoder)
        if not len(logits):
            return logits.sum() + 0 * tokens.sum()
        with torch.no_grad():
            teacher = retriever.momentum
            soft = teacher.masked_words.logits(teaching[masked], teacher.text_encoder).softmax(1)
        hard = F.cross_entropy(logits, labels[masked], reduction="none")
        softer = -(soft * softened).sum(1)
        ratio = soft_label_ratio(batch, retriever)
        if ratio.ndim:
            ratio = ratio.unsqueeze(1).expand(labels.shape)[masked]
        return ((1 - ratio) * hard + ratio * softer).mean()

    def _predictions(self, tokens: Tensor, masked: Tensor, text_encoder: Any) -> tuple[Tensor, Tensor]:
        """Return the logits of M masked words, (M, V), and their logarithms as the soft labels judge them."""
        if self.soft_over == "words":
            logits = self.logits(tokens[masked], text_encoder)
            return logits, logits.log_softmax(1)
        everywhere = self.logits(tokens, text_encoder)
        logits = everywhere[masked]
        return logits, logits - everywhere.logsumexp(1)[masked.nonzero()[:, 0]]


@HEADS.register_module()
class ReplacedTokenDetection(nn.Module):
    """Tells which tokens of a caption the momentum copy has replaced (m-RTD).

    Its mean goes over the tokens that are judged, which only the draws tell. So it sees the batch of all processes.

    Args:
        width: Width of the fused tokens.
    """

    needs_patch_tokens = False
    needs_of_step = ("replaced",)

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.width = width
        self.detection = nn.Linear(width, 2)

    def setup(self, retriever: Any) -> None:
        """Add the momentum copy to the model."""
        retriever.add_momentum()

    def forward(self, features: Features, batch: Batch, retriever: Any) -> Tensor:
        """Compute the cross-entropy over all judged tokens, a scalar.

        Args:
            features: From `RaSa.features`.
            batch: Has no effect.
            retriever: Has no effect.
        """
        tokens, labels = needed(features, "replaced_tokens", self), needed(features, "replaced_labels", self)
        return F.cross_entropy(in_full(self.detection(tokens)).flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
