"""A method's reader of official checkpoints, checked before it is asked: what a plugin registers may be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from torch import Tensor

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import PluginError, TiprZooError, WeightsError, error_line
from tipr_zoo.models.recipe import DEFAULT_MODEL, MODEL_FIELDS
from tipr_zoo.models.recipe_values import check_values
from tipr_zoo.plugins.accepted_arguments import accepted_arguments
from tipr_zoo.protocols import CheckpointReader, missing_names
from tipr_zoo.registries import CHECKPOINTS, HEADS, MODELS
from tipr_zoo.weights.official_names import TOWERS, zoo_names

T = TypeVar("T")


@dataclass(frozen=True)
class MethodReader:
    """The reader of one method.

    Attributes:
        method: The name that it is registered under.
        title: The method's name as people write it.
        model: The model of the zoo whose recipe is the method's.
        rules: Patterns of official names, and the zoo's names.
        unused: Patterns of official names that no forward pass needs.
        place: What messages call it.
        reader: What the plugin registered.
    """

    method: str
    title: str
    model: str
    rules: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    place: str
    reader: CheckpointReader

    def recognises(self, names: Iterable[str]) -> bool:
        """Tell whether a checkpoint has the method's names.

        Args:
            names: All official names. The reader is asked for those that are no tower's.

        Raises:
            PluginError: It raised, or claims checkpoints in which there is nothing of any method.
        """
        own = frozenset(name for name in names if not name.startswith(TOWERS))
        if self._asked(lambda: self.reader.recognises(frozenset())):
            raise PluginError(f"{self.place} claims every checkpoint, also one of towers alone, which is no method's")
        return bool(own) and bool(self._asked(lambda: self.reader.recognises(own)))

    @property
    def has_own_towers(self) -> bool:
        """Whether the towers are none of CLIP's, so that the reader names and measures them itself."""
        return hasattr(self.reader, "zoo_names")

    @property
    def has_training_state(self) -> bool:
        """Whether the method's checkpoints may hold something that only a training needs."""
        return hasattr(self.reader, "training_names")

    def training_places(self, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        """Return where a training keeps what it alone needs: the zoo's name by the official one.

        Raises:
            PluginError: The reader raised something.
        """
        if not self.has_training_state:
            return {}
        return dict(self._asked(lambda: cast(Any, self.reader).training_names(dict(tensors))))

    def fitted(self, tensors: Mapping[str, Tensor], model: Any) -> tuple[dict[str, Tensor], list[str]]:
        """Return the tensors as they fit a model that starts from them, and in words what was done for that.

        Raises:
            WeightsError: They cannot be fitted.
            PluginError: The reader raised something else.
        """
        if not hasattr(self.reader, "fitted"):
            return dict(tensors), []
        fitted, told = self._asked(lambda: cast(Any, self.reader).fitted(dict(tensors), model))
        return dict(fitted), list(told)

    def places(self, tensors: Mapping[str, Tensor], place: str = "the checkpoint") -> dict[str, str]:
        """Return where the tensors go that are no tower of CLIP's: the zoo's name by the official one.

        Args:
            tensors: By official name.
            place: What messages call the checkpoint.

        Raises:
            PluginError: Two of them would go to one place.
            WeightsError: The reader says that it is another method's.
        """
        names: Iterable[str] = tensors
        places: dict[str, str] = {}
        owners: dict[str, str] = {}
        if self.has_own_towers:
            try:
                named = dict(self._asked(lambda: cast(Any, self.reader).zoo_names(dict(tensors))))
            except WeightsError as error:
                raise WeightsError(f"{place}: {error}") from error
            for name, zoo in named.items():
                if (other := owners.setdefault(zoo, name)) != name:
                    raise PluginError(f"{self.place} has one place, {zoo}, for two tensors, {other} and {name}")
            return named
        for name in names:
            found = [] if name.startswith(TOWERS) else zoo_names(name, self.rules)
            if not found:
                continue
            if (other := owners.setdefault(found[0], name)) != name:
                raise PluginError(f"{self.place} has one place, {found[0]}, for two tensors, {other} and {name}")
            places[name] = found[0]
        return places

    def is_unused(self, name: str) -> bool:
        """Tell whether a checkpoint of the method holds this although no forward pass needs it."""
        return any(re.fullmatch(pattern, name) for pattern in self.unused)

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """Return the entries of ``model`` that the tensors tell, towers excepted.

        Args:
            tensors: By official name.
            model: The ``model`` entry of the recipe, with the towers of the checkpoint.
            place: What messages call the checkpoint.

        Raises:
            WeightsError: A tensor makes no sense.
            PluginError: The reader raised something else, or returns what is no entry of the model or of another type.
        """
        try:
            # Copies, since a plugin may change what it is given, and the checkpoint would lose what it takes away.
            sizes = self._asked(lambda: self.reader.sizes(dict(tensors), deepcopy(dict(model))))
        except WeightsError as error:
            raise WeightsError(f"{place}: {error}") from error
        heads = sizes.get("heads", {}) if isinstance(sizes, Mapping) and _are_texts(list(sizes)) else None
        if not isinstance(heads, Mapping) or not all(isinstance(entry, (str, Mapping)) for entry in heads.values()):
            raise PluginError(f"{self.place}: sizes must return a dict of entries of 'model', got {sizes!r}")
        try:
            _check_sizes(sizes, heads, model)
        except TiprZooError as error:
            raise PluginError(f"{self.place}: sizes gives what the recipe of {self.model} has not: {error}") from error
        return sizes

    def _asked(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except TiprZooError:
            raise
        except (Exception, SystemExit) as error:  # a plugin may raise what it likes
            raise PluginError(f"{self.place} failed: {type(error).__name__}: {error_line(error)}; mend it") from error


def checked_reader(method: str) -> MethodReader:
    """Make the reader that is registered under a name, and check what it says.

    Raises:
        PluginError: It lacks something that `CheckpointReader` promises, or says something that makes no sense.
    """
    kind = CHECKPOINTS.get(method)
    place = f"the checkpoint reader {method!r} ({kind.__module__}.{kind.__qualname__})"
    try:
        reader = kind()
    except Exception as error:  # a plugin may raise what it likes
        raise PluginError(f"{place} failed: {type(error).__name__}: {error_line(error)}; mend it") from error
    if missing := missing_names(reader, CheckpointReader):
        raise PluginError(f"{place} lacks {', '.join(missing)}; see CheckpointReader of tipr_zoo.protocols")
    for name in ("title", "model"):
        if not isinstance(getattr(reader, name), str) or not getattr(reader, name):
            raise PluginError(f"{place}: {name} must be a text, got {getattr(reader, name)!r}")
    rules, unused = reader.rules, reader.unused
    if not _are_texts(unused) or not isinstance(rules, (list, tuple)):
        raise PluginError(f"{place}: rules and unused must be lists; rules of pairs of texts, unused of texts")
    for rule in rules:
        if not _are_texts(rule) or len(rule) != 2:
            raise PluginError(f"{place}: a rule is a pattern and a name, got {rule!r}")
    for pattern, replacement in [*rules, *((pattern, "") for pattern in unused)]:
        _check_pattern(pattern, replacement, place)
    return MethodReader(
        method, reader.title, reader.model, tuple((a, b) for a, b in rules), tuple(unused), place, reader
    )


def _check_sizes(sizes: Mapping[str, Any], heads: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Check that what a reader gives are entries of the model and of its heads, of their types.

    Raises:
        ConfigError: A value is of another type.
        UnknownNameError: The model has no such entry or head.
    """
    kind = MODELS.get(model.get("type", DEFAULT_MODEL))
    known = accepted_arguments(kind) | set(MODEL_FIELDS)
    if unknown := [name for name in sizes if name not in known]:
        raise unknown_name("entry of model", unknown[0], known)
    check_values(kind, {name: value for name, value in sizes.items() if name not in MODEL_FIELDS}, "model")
    own = {key: entry for key, entry in (model.get("heads") or {}).items() if entry is not None}
    for key, entry in heads.items():
        if key not in own:
            raise unknown_name("head", str(key), own)
        if isinstance(entry, str):
            continue
        head = HEADS.get(entry.get("type", own[key].get("type")))
        arguments = {name: value for name, value in entry.items() if name not in ("type", "weight")}
        if unknown := [name for name in arguments if name not in accepted_arguments(head)]:
            raise unknown_name(f"argument of model.heads.{key}", str(unknown[0]), accepted_arguments(head))
        check_values(head, arguments, f"model.heads.{key}")


def _are_texts(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)


def _check_pattern(pattern: str, replacement: str, place: str) -> None:
    """Check that a pattern can be read, and that its replacement names groups that it has."""
    try:
        re.compile(pattern)
        re.sub(f"(?:{pattern})?", replacement, "", count=1)
    except (re.error, IndexError) as error:
        raise PluginError(f"{place}: {pattern!r} -> {replacement!r} is no rule: {error}") from error


def titles(readers: Collection[MethodReader]) -> str:
    """List the titles of methods: ``"IRRA, NAM or HAM"``."""
    names = list(dict.fromkeys(reader.title for reader in readers))
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
