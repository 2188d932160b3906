"""Whether a map tells where a score comes from: hiding what it names must cost more than hiding another part."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tipr_zoo.evaluation.model_place import place_of
from tipr_zoo.explaining.explanation import Explanation
from tipr_zoo.explaining.occlusion import WINDOW, hide, hiding_grid
from tipr_zoo.explaining.pair_scores import COSINE, caption_scores
from tipr_zoo.protocols import Retriever


@torch.inference_mode()
def share_beaten(model: Retriever, picture: Image.Image, explanation: Explanation, score: str = COSINE) -> float:
    """Hide the part of a picture that a map names, and every other part as large; return the share that costs less.

    Half of them do by chance. The parts are the windows of `falls_by_occlusion` within the picture. What is hidden is
    blurred here, not in the mean colour: a map is to tell of the picture and not of what it was made with.

    Args:
        model: The retriever that was explained, in eval mode.
        picture: The picture.
        explanation: What `tipr_zoo.explaining.explanation.explain` made of it. By occlusion, the map of the whole
            caption is judged; by tokens, the sum of the words' maps, by their importance.
        score: What was explained.
    """
    device, dtype = place_of(model)
    image = model.preprocess(picture).to(device, dtype)
    grid = hiding_grid(model.image_size, explanation.grid.patch_size)
    rows, columns = grid.grid_size
    places = list(product(range(rows - WINDOW + 1), range(columns - WINDOW + 1)))
    blurred = _blurred(image, WINDOW * grid.patch_size)
    pictures = torch.stack([image, *(hide(image, grid, *place, fill=blurred) for place in places)])
    scores = caption_scores(model, model.tokenize([explanation.caption]).to(device), score)(pictures)[:, 0].cpu()
    falls = scores[0] - scores[1:]
    map = _map_of_caption(explanation)
    named = torch.stack([map[row : row + WINDOW, column : column + WINDOW].sum() for row, column in places]).argmax()
    others = torch.cat([falls[:named], falls[named + 1 :]])
    return float((falls[named] > others).float().mean())


def _map_of_caption(explanation: Explanation) -> Tensor:
    """Return the map of all words together."""
    if explanation.weights is not None:
        return explanation.weights
    return torch.stack([word.weights * max(word.importance, 0) for word in explanation.words]).sum(dim=0)


def _blurred(image: Tensor, side: int) -> Tensor:
    """Return a (3, H, W) picture in which squares run into each other."""
    height, width = image.shape[1:]
    coarse = F.adaptive_avg_pool2d(image[None], (max(1, height // side), max(1, width // side)))
    return F.interpolate(coarse, (height, width), mode="bilinear")[0]
