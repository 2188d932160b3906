"""Trying the promises of an image tower."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.protocols import ImageTower, MaskableImageTower, PatchImageTower, missing_names
from tipr_zoo.testing.tower_check import check_tokens
from tipr_zoo.testing.trial import Trial, alike_every_time, expect, expect_same

PICTURES = 3


def check_image_tower(tower: nn.Module) -> None:
    """Try every promise of an image tower on random pictures: shapes, eval mode, patches, autocast, saving.

    Args:
        tower: The tower. It is not changed. If it has ``encode_class``, or is a `tipr_zoo.protocols.PatchImageTower` or
            a `tipr_zoo.protocols.MaskableImageTower`, that is tried, too.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"image tower {type(tower).__name__}")
    with trial.promise("is a module with image_size"):
        missing = missing_names(tower, ImageTower)
        expect(not missing, f"it lacks {', '.join(missing)}")
        expect(isinstance(tower, nn.Module), "it is no torch.nn.Module")
        size: Any = tower.image_size
        is_size = (
            isinstance(size, (tuple, list))
            and len(size) == 2
            and all(isinstance(side, int) and side > 0 for side in size)
        )
        expect(is_size, f"image_size must be (height, width) in pixels, got {size!r}")
    with alike_every_time():
        _check(trial, deepcopy(tower).eval(), torch.randn(PICTURES, 3, *size))


def _check(trial: Trial, tower: Any, images: Tensor) -> None:
    tokens = check_tokens(trial, tower, images)
    with torch.no_grad():
        if hasattr(tower, "encode_class"):
            with trial.promise("gives by encode_class the first of all tokens"):
                expect_same(tower.encode_class(images), tokens[:, 0], "the class tokens")
        if hasattr(tower, "embedding_size"):
            with trial.promise("gives tokens of its embedding_size"):
                expect(tokens.shape[2] == tower.embedding_size, f"{tower.embedding_size} it is, not {tokens.shape[2]}")
        if isinstance(tower, PatchImageTower):
            with trial.promise("gives a class token and those of its grid_size"):
                expected = 1 + math.prod(tower.grid_size)
                expect(tokens.shape[1] == expected, f"{expected} they would be, and {tokens.shape[1]} they are")
    if isinstance(tower, MaskableImageTower):
        with trial.promise("encodes visible patches by encode_visible in their order, and sees no pixel of the others"):
            _check_visible(tower, images, tokens)


def _check_visible(tower: MaskableImageTower, images: Tensor, tokens: Tensor) -> None:
    """Check that all patches in another order give the whole picture's tokens, and hidden ones get no gradient."""
    patches = tokens.shape[1] - 1
    order = torch.stack([torch.randperm(patches) for _ in range(len(images))])
    with torch.no_grad():
        found = tower.encode_visible(images, order)
    expected = tokens[:, 1:].gather(1, order.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
    expect_same(found, torch.cat([tokens[:, :1], expected], dim=1), "the tokens of all patches and of the picture")
    images, visible = images.clone().requires_grad_(), order[:, : max(patches // 3, 1)]
    seen = tower.encode_visible(images, visible)
    expect(seen.shape[:2] == (len(images), 1 + visible.shape[1]), f"the tokens have shape {tuple(seen.shape)}")
    (gradient,) = torch.autograd.grad(seen.square().sum(), images)
    hidden = torch.ones(images.shape[0], *images.shape[2:], dtype=torch.bool)
    for row, numbers in enumerate(visible.tolist()):
        for number in numbers:
            top, left = (place * tower.stride for place in divmod(number, tower.grid_size[1]))
            hidden[row, top : top + tower.patch_size, left : left + tower.patch_size] = False
    expect(not bool(gradient.abs().sum(dim=1)[hidden].any()), "pixels of hidden patches change the tokens")
