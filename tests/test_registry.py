"""Registries find what was registered, by its exact name, and run nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tipr_zoo.errors import ConfigError, DuplicateNameError, UnknownNameError
from tipr_zoo.registry import Registry


@pytest.fixture
def registry() -> Registry:
    """A registry with one entry, whose home is any module that is cheap to import."""
    registry = Registry("loss", home="tipr_zoo.errors")

    @registry.register_module()
    class Contrastive:
        def __init__(self, temperature: float, margin: float = 0.1) -> None:
            self.temperature, self.margin = temperature, margin

    return registry


def test_builds_by_name_with_arguments(registry: Registry) -> None:
    built = registry.build({"type": "Contrastive", "margin": 0.2}, temperature=0.02)
    assert (built.temperature, built.margin) == (0.02, 0.2)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"type": "Contrastiv"}, UnknownNameError, "unknown loss 'Contrastiv'; did you mean 'Contrastive'?"),
        ({"type": "tipr_zoo.losses.SDM"}, UnknownNameError, "unknown loss 'tipr_zoo.losses.SDM'"),
        ({"type": "Contrastive", "temprature": 1}, UnknownNameError, "'temprature'; did you mean 'temperature'?"),
        ({"type": "Contrastive"}, ConfigError, "loss 'Contrastive': missing a required argument: 'temperature'"),
        ({"type": print}, ConfigError, "the type of a loss must be a registered name"),
        ({"margin": 1}, ConfigError, "configured by a dict with a 'type'"),
        ("Contrastive", ConfigError, "configured by a dict with a 'type'"),
    ],
)
def test_a_wrong_config_is_told(registry: Registry, config: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        registry.build(config)
    assert message in str(raised.value)


def test_an_argument_that_a_base_does_not_take_is_told_with_those_of_both(registry: Registry) -> None:
    @registry.register_module()
    class Gated(registry.get("Contrastive")):  # type: ignore[misc]
        def __init__(self, threshold: float = 0.5, **rest: Any) -> None:
            super().__init__(**rest)

    assert registry.build({"type": "Gated", "temperature": 0.02, "threshold": 0.1}).temperature == 0.02
    for wrong, meant in (("temprature", "temperature"), ("treshold", "threshold")):
        with pytest.raises(UnknownNameError, match=f"argument of loss 'Gated' '{wrong}'; did you mean '{meant}'"):
            registry.build({"type": "Gated", "temperature": 0.02, wrong: 1})


@pytest.mark.parametrize("type_", ["os.system", "builtins.exec", "subprocess.run"])
def test_a_dotted_path_is_not_imported_and_runs_nothing(registry: Registry, tmp_path: Path, type_: str) -> None:
    witness = tmp_path / "ran"
    with pytest.raises(UnknownNameError, match=f"unknown loss '{type_}'"):
        registry.build({"type": type_, "command": f"touch {witness}"})
    assert not witness.exists()


def test_every_registry_of_the_zoo_is_closed() -> None:
    from tipr_zoo.registries import REGISTRIES

    for registry in REGISTRIES:
        assert registry.names(), f"the core registers no {registry.name}"
        with pytest.raises(UnknownNameError, match=f"unknown {registry.name} 'os.system'"):
            registry.build({"type": "os.system", "command": "true"})


def test_a_name_taken_twice_names_both_places(registry: Registry) -> None:
    class Second:
        pass

    with pytest.raises(DuplicateNameError) as raised:
        registry.register_module(name="Contrastive")(Second)
    assert "loss 'Contrastive' is registered twice" in str(raised.value)
    assert "registry.<locals>.Contrastive" in str(raised.value)
    assert "<locals>.Second" in str(raised.value)


def test_membership_asks_and_does_not_raise(registry: Registry) -> None:
    assert "Contrastive" in registry
    assert "os.system" not in registry


def test_nobody_replaces_what_another_package_registered(registry: Registry) -> None:
    class Other:
        pass

    Other.__module__ = "a_plugin.components"
    message = r"'Contrastive' is registered twice: by .* and by a_plugin\.components"
    with pytest.raises(DuplicateNameError, match=message):
        registry.register_module(name="Contrastive", force=True)(Other)


def test_what_a_failing_block_registered_is_forgotten(registry: Registry) -> None:
    before = registry.get("Contrastive")

    class Other:
        pass

    Other.__module__ = f"{__name__.partition('.')[0]}.a_plugin"  # of the package that registered Contrastive

    def register_and_fail() -> None:
        with registry.undone_on_error():
            registry.register_module(name="Other")(Other)
            registry.register_module(name="Contrastive", force=True)(Other)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        register_and_fail()
    assert registry.names() == ["Contrastive"]
    assert registry.get("Contrastive") is before
