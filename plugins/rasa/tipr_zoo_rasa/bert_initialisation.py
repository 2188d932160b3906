"""How BERT's layers begin: as BERT-base does, and narrower ones with as much variance in what they give."""

from __future__ import annotations

import torch
from torch import nn

_STD, _WIDTH = 0.02, 768
"""Of BERT-base."""


@torch.no_grad()
def begin_like_bert(part: nn.Module, width: int) -> None:
    """Draw the weights of linear layers and embeddings. With BERT's 0.02, narrow layers would hardly add anything.

    Args:
        part: Layers of BERT; changed in place.
        width: Width of the tokens.
    """
    std = _STD * (_WIDTH / width) ** 0.5
    for module in part.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.normal_(std=std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx].zero_()
