"""A registry of components that finds only what was registered, and runs nothing else."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mmengine

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, DuplicateNameError, TiprZooError, UnknownNameError
from tipr_zoo.plugins.accepted_arguments import accepted_arguments
from tipr_zoo.plugins.discovery import idle_plugins_note


class Registry(mmengine.Registry):
    """MMEngine's registry, closed: a lookup never imports a dotted path.

    MMEngine's own ``Registry.get`` imports whatever dotted path it does not know. A recipe that holds
    ``dict(type="os.system", command=...)`` would then run a command. Here a name was registered, or it is an error.

    Args:
        name: What one entry is called in messages, e.g. ``"loss"``.
        home: Dotted name of the package whose import registers the core's own entries. The first lookup imports it, so
            that declaring a registry stays cheap.
        modules: Where the import of `home` registers nothing, because its entries take long to import: the module below
            it that registers each, by the entry's name. A lookup imports that one alone.
    """

    def __init__(self, name: str, home: str, modules: Mapping[str, str] | None = None) -> None:
        super().__init__(name, scope="tipr_zoo")
        self._home, self._modules = home, dict(modules or {})
        self._places: dict[str, str] = {}

    def names(self) -> list[str]:
        """List every registered name, sorted."""
        self._import_home()
        return sorted(self._module_dict)

    def names_from(self, package: str) -> list[str]:
        """List every name that modules of the top-level `package` have registered so far, sorted."""
        return sorted(name for name, place in self._places.items() if _package(place) == package)

    def __contains__(self, key: object) -> bool:
        """Tell whether something is registered as `key`."""
        if key in self._modules:
            return True
        self._import_home()
        return key in self._module_dict

    def get(self, key: str) -> Any:
        """Return the class or function registered as `key`.

        Raises:
            ConfigError: `key` is no text.
            UnknownNameError: Nothing of this name is registered.
        """
        if not isinstance(key, str):
            raise ConfigError(f"the type of a {self.name} must be a registered name, got {key!r}")
        if key in self._modules and key not in self._module_dict:
            importlib.import_module(f"{self._home}.{self._modules[key]}")
        if key not in self._modules:
            self._import_home()
        if key not in self._module_dict:
            raise unknown_name(self.name, key, self._module_dict, idle_plugins_note())
        return self._module_dict[key]

    def build(self, cfg: Mapping[str, Any], **arguments: Any) -> Any:
        """Make an instance from an entry of a recipe.

        Args:
            cfg: ``type`` names the component; every other entry is an argument of its constructor.
            arguments: Further arguments, used where `cfg` does not give them.

        Raises:
            ConfigError: `cfg` has no ``type``, or an argument is missing or of no use.
            UnknownNameError: ``type`` is not registered, or the constructor has no such argument.
        """
        if not isinstance(cfg, Mapping) or "type" not in cfg:
            raise ConfigError(f"a {self.name} is configured by a dict with a 'type', got {cfg!r}")
        given = {**arguments, **cfg}
        name = given.pop("type")
        component = self.get(name)
        self._check_arguments(name, component, given)
        try:
            return component(**given)
        except TiprZooError:
            raise
        except Exception as error:  # whatever a constructor, or a library that it calls, thinks of its arguments
            refused = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if isinstance(component, type) and refused and refused[1] in given:  # its base, to which it hands all on
                raise self._unknown_argument(name, refused[1], accepted_arguments(component)) from error
            raise ConfigError(f"{self.name} {name!r}: {error}") from error

    def _check_arguments(self, name: str, component: Callable[..., Any], given: Mapping[str, Any]) -> None:
        signature = inspect.signature(component)
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
        for argument in given:
            if argument not in signature.parameters and not takes_any:
                raise self._unknown_argument(name, str(argument), signature.parameters)
        try:
            signature.bind(**given)
        except TypeError as error:
            raise ConfigError(f"{self.name} {name!r}: {error}") from error

    def _unknown_argument(self, name: str, argument: str, known: Iterable[str]) -> UnknownNameError:
        return unknown_name(f"argument of {self.name} {name!r}", argument, known)

    def _register_module(self, module: Any, module_name: Any = None, force: bool = False) -> None:
        """Register a component for MMEngine's ``register_module``; a taken name is an error that names both places.

        ``force=True`` replaces what the same top-level package has registered, and nothing of another's.
        """
        if not self._is_home(module.__module__):
            self._import_home()  # the core's names are taken, no matter who is imported first
        names = [module_name or module.__name__] if not isinstance(module_name, (list, tuple)) else list(module_name)
        for name in names:
            # A package may replace only what is its own, as a notebook does that runs a cell twice.
            is_own = force and _package(self._places.get(name, "")) == _package(_place(module))
            if name in self._module_dict and not is_own:
                raise DuplicateNameError(
                    f"{self.name} {name!r} is registered twice: by {self._places[name]} and by {_place(module)};"
                    " rename one of them"
                )
        super()._register_module(module, module_name=names, force=force)
        self._places.update({name: _place(module) for name in names})

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Forget what was registered inside the block if the block raises, and the modules that registered it.

        A module that stays in ``sys.modules`` would not run when the import is tried again, and so register nothing.
        The core's own entries stay, though the block may be the first to import them.
        """
        components, places = dict(self._module_dict), dict(self._places)
        try:
            yield
        except BaseException:
            for name, component in list(self._module_dict.items()):
                if component is components.get(name) or self._is_home(component.__module__):
                    continue
                sys.modules.pop(component.__module__, None)
                del self._module_dict[name], self._places[name]
                if name in components:
                    self._module_dict[name], self._places[name] = components[name], places[name]
            raise

    def _is_home(self, module: str) -> bool:
        """Tell whether the module of this name belongs to the core."""
        return f"{module}.".startswith(f"{self._home}.")

    def _import_home(self) -> None:
        importlib.import_module(self._home)
        for module in dict.fromkeys(self._modules.values()):
            importlib.import_module(f"{self._home}.{module}")


def _place(component: Any) -> str:
    """Return the module and qualified name of a class or function."""
    return f"{component.__module__}.{component.__qualname__}"


def _package(place: str) -> str:
    """Return the top-level package of a dotted name."""
    return place.partition(".")[0]
