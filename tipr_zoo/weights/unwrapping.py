"""What people's programs put around tensors and before their names, taken away in any nesting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tipr_zoo.errors import WeightsError
from tipr_zoo.terminal.log import logger

_ENTRIES = (
    *("model", "state_dict", "model_state_dict", "net", "network", "module", "weights", "params"),
    *("ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "params_ema"),
)
"""Entries that hold a model's tensors, in the order in which they are looked for: averaged weights come last."""

_WRAPPERS = (
    *("module", "_forward_module", "model", "net", "network", "clip", "clip_model"),
    *("ema", "ema_model", "model_ema", "retriever"),
)
"""Attributes that hold a whole model; each is taken away where it stands before every name."""

_TRANSPARENT = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Attributes that PyTorch adds to any module that is compiled, spread or checkpointed."""

NO_WEIGHTS = ("attn_mask", "position_ids", "n_averaged")
"""Last parts of the names of buffers that hold no weights: a mask, the numbers 0, 1, 2, ..., and a counter."""

_OF_CLIP = ("logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size")
"""Single numbers of CLIP that may stand outside of what holds the rest."""

_DEEPEST = 16


def unwrap(
    content: Mapping[Any, Any], is_tensor: Callable[[Any], bool], place: str
) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """Find the tensors in what a file holds. Where there are those of two models, one log line says which are read.

    Args:
        content: Nested entries.
        is_tensor: Tells whether a value is a tensor.
        place: What messages call it.

    Returns:
        The innermost entry with tensors, and the names that lead to it.
    """
    way: list[str] = []
    while len(way) < _DEEPEST:
        inner = [name for name in _ENTRIES if _holds_tensors(content.get(name), is_tensor)]
        if not inner and not any(map(is_tensor, content.values())):
            # An entry of another name, where no other could be meant. The state of an optimiser goes by number.
            others = [name for name, value in content.items() if _holds_tensors(value, is_tensor)]
            inner = others if len(others) == 1 else []
            if not others:
                inner = [name for name in _ENTRIES[:2] if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        way.append(str(inner[0]))
        if len(inner) > 1:
            logger.warning("%s: of its entries %s the first is read", place, ", ".join(map(str, inner)))
        content = content[inner[0]]
    return content, tuple(way)


def _holds_tensors(value: object, is_tensor: Callable[[Any], bool]) -> bool:
    """Tell whether a value is a dict with names that holds tensors, perhaps a few such dicts deeper."""
    level, seen = [value], set[int]()
    for _ in range(_DEEPEST):
        dicts = {id(each): each for each in level if id(each) not in seen and isinstance(each, Mapping)}
        seen |= dicts.keys()
        level = [inner for each in dicts.values() if _has_names(each) for inner in each.values()]
        if any(map(is_tensor, level)):
            return True
    return False


def _has_names(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) for name in value)


def plain_names(names: Iterable[str], place: str) -> dict[str, str]:
    """Return each tensor's name without what wrappers put before it or into it. What holds no weight is left out.

    Args:
        names: The names in a file.
        place: What messages call it.

    Raises:
        WeightsError: Two tensors would have one name.
    """
    plain = {name: name for name in names}
    while True:
        before = plain
        plain = {name: _without_parts(short) for name, short in plain.items()}
        for wrapper in _WRAPPERS:
            plain = _stripped(plain, wrapper + ".")
        if plain == before:
            break
    plain = _text_tower_stripped(plain)
    seen: dict[str, str] = {}
    for name, short in plain.items():
        if short in seen:
            longer, shorter = sorted((name, seen[short]), key=len, reverse=True)
            wrapper = longer.removesuffix(shorter) or longer
            raise WeightsError(f"{place} has parameters twice, with and without {wrapper!r} before their names")
        seen[short] = name
    return plain


def is_no_weight(name: str) -> bool:
    """Tell whether a buffer of this name holds no weights."""
    return name.rpartition(".")[2] in NO_WEIGHTS


def _without_parts(name: str) -> str:
    if not any(part in name for part in _TRANSPARENT):
        return name
    return ".".join(part for part in name.split(".") if part not in _TRANSPARENT)


def _stripped(plain: dict[str, str], prefix: str) -> dict[str, str]:
    """Take a prefix away where every name has it. ``module.`` goes from those that have it, whatever others have."""
    shorts = [short for short in plain.values() if not is_no_weight(short) and short not in _OF_CLIP]
    if prefix != "module." and not (shorts and all(short.startswith(prefix) for short in shorts)):
        return plain
    return {name: short.removeprefix(prefix) for name, short in plain.items()}


def _text_tower_stripped(plain: dict[str, str]) -> dict[str, str]:
    """Take ``text.`` away, under which open_clip keeps the text tower of its newer models."""
    if not any(short.startswith(("text.token_embedding.", "text.transformer.resblocks.")) for short in plain.values()):
        return plain
    return {name: short.removeprefix("text.") for name, short in plain.items()}
