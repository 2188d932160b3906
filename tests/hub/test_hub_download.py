"""Weights and cards on the Hub: ``hub:owner/name[@revision][:file]``, against a stand-in server."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_disk import contents, files_of_at_most

import tipr_zoo
from tipr_zoo.cards.hub_reference import HubReference, parse_hub_reference
from tipr_zoo.errors import (
    CardError,
    ConfigError,
    PluginError,
    TiprZooError,
    UnknownNameError,
    WeightsError,
    WriteError,
)
from tipr_zoo.hub.card import load_hub_card
from tipr_zoo.hub.client import HubError
from tipr_zoo.hub.weights import local_weights, pinned_weights

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"

REPOSITORY = "someone/tiny"


@pytest.fixture
def weights(tiny_zoo: Path) -> bytes:
    return (tiny_zoo / "tiny.safetensors").read_bytes()


def card_text(weights: bytes, **changes: str) -> bytes:
    """The README.md of a repository with the tiny model."""
    fields = {
        "plugin": "tiny",
        "config": "tiny.py",
        "file": "weights/tiny.safetensors",
        "sha256": hashlib.sha256(weights).hexdigest(),
        **changes,
    }
    return f"""---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo:
  plugin: {fields["plugin"]}
  config: {fields["config"]}
  weights:
    file: {fields["file"]}
    sha256: {fields["sha256"]}
    size: {len(weights)}
    format: safetensors
    license: mit
  protocol: none
---

# Tiny
""".encode()


@pytest.fixture
def commit(hub: Any, weights: bytes) -> str:
    """A repository with a card and its weights; gives its only commit."""
    added: str = hub.add(REPOSITORY, {"README.md": card_text(weights), "weights/tiny.safetensors": weights})
    return added


def test_a_full_disk_leaves_the_copy_of_a_card(commit: str) -> None:
    reference = parse_hub_reference(f"hub:{REPOSITORY}")
    copy = load_hub_card(reference).path
    before = contents(copy.parent)
    with pytest.raises(WriteError, match=r"tiny\.md: cannot be written: File too large"), files_of_at_most(100):
        load_hub_card(reference)
    assert contents(copy.parent) == before


# Names


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hub:owner/name", ("owner/name", None, None)),
        ("hub:owner/name@main", ("owner/name", "main", None)),
        ("hub:owner/name@refs/pr/1:a/b.safetensors", ("owner/name", "refs/pr/1", "a/b.safetensors")),
        ("hub:owner/na-me_1.0:w.pth", ("owner/na-me_1.0", None, "w.pth")),
    ],
)
def test_a_reference_is_read_and_written(text: str, parts: tuple[str | None, ...]) -> None:
    reference = parse_hub_reference(text)
    assert (reference.repository, reference.revision, reference.file) == parts
    assert str(reference) == text
    assert parse_hub_reference(Path(text)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "hub:",
        "hub:name",
        "hub:a/b/c",
        "hub:a/b@",
        "hub:a/b:",
        "hub:a/b:../x",
        "hub:a/b:/etc/x",
        "hub:a--b/c",
        "hub:a/b@../../x",
        "hub:a/b@-x:w.pth",
        "hub:a/ b",
    ],
)
def test_what_is_no_reference_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"owner/name|inside the repository|a branch, tag or commit"):
        parse_hub_reference(text)


# Weights


@pytest.mark.parametrize("file", ["", ":weights/tiny.safetensors"], ids=["of the card", "by name"])
def test_build_takes_weights_from_the_hub(
    hub: Any, commit: str, tiny_zoo: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = tipr_zoo.build(TINY_PRETRAINED, pretrained=True).state_dict()
    model = tipr_zoo.build(TINY, weights=f"hub:{REPOSITORY}{file}")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    told = [record.message for record in caplog.records if commit in record.message]
    assert len(told) == 1, "which commit a branch is stands in the log, once"
    assert f"hub:{REPOSITORY}@{commit}" in told[0]


def test_a_pinned_revision_stays_the_same(
    hub: Any, commit: str, weights: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    newer = hub.repositories[REPOSITORY].commit({"README.md": card_text(b"new"), "weights/tiny.safetensors": b"new"})
    hub.large_files[hashlib.sha256(b"new").hexdigest()] = b"new"
    name = f"hub:{REPOSITORY}@{commit}"
    with caplog.at_level(logging.WARNING):
        assert local_weights(name).read_bytes() == weights
    assert pinned_weights(name) == Path(f"{name}:weights/tiny.safetensors")
    assert caplog.records == []
    assert pinned_weights(f"hub:{REPOSITORY}") == Path(f"hub:{REPOSITORY}@{newer}:weights/tiny.safetensors")
    assert local_weights(f"hub:{REPOSITORY}").read_bytes() == b"new"


def test_a_tag_is_resolved(hub: Any, commit: str, weights: bytes) -> None:
    hub.repositories[REPOSITORY].refs["v1"] = commit
    hub.repositories[REPOSITORY].commit({"README.md": b"nothing"})
    assert pinned_weights(f"hub:{REPOSITORY}@v1") == Path(f"hub:{REPOSITORY}@{commit}:weights/tiny.safetensors")


def test_a_truncated_download_is_resumed(
    hub: Any, commit: str, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.truncations = 1
    assert local_weights(f"hub:{REPOSITORY}").read_bytes() == weights
    assert hub.ranges == [f"bytes={len(weights) // 2 // 1000 * 1000}-"]


def test_a_token_does_not_leave_the_hub(hub: Any, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repositories[REPOSITORY].private = True
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    local_weights(f"hub:{REPOSITORY}")
    assert hub.tokens_at_other_host == [None]


def test_a_renamed_repository_is_found(hub: Any, commit: str, weights: bytes) -> None:
    hub.renamed["someone/old"] = REPOSITORY
    assert local_weights("hub:someone/old").read_bytes() == weights


@pytest.mark.parametrize(
    ("name", "token", "message"),
    [
        ("hub:someone/none", None, "no such repository, or it is private; check owner/name, or log in with"),
        ("hub:someone/none", "hf_reader", "no such repository, or it is private"),
        ("hub:someone/secret", None, "no such repository, or it is private"),
        ("hub:someone/gated", "hf_reader", "is gated; ask for access"),
        (f"hub:{REPOSITORY}", "hf_wrong", "does not know who is asking; log in with `hf auth login`, or set HF_TOKEN"),
        (f"hub:{REPOSITORY}@nowhere", None, "no such revision"),
        (f"hub:{REPOSITORY}:none.safetensors", None, "no such file"),
    ],
    ids=["missing", "missing, with token", "private", "gated", "wrong token", "no revision", "no file"],
)
def test_what_the_hub_refuses_is_told_in_one_line(
    hub: Any, commit: str, name: str, token: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("someone/secret", {}, private=True)
    hub.add("someone/gated", {}, gated=True)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError) as raised:
        local_weights(name)
    assert message in str(raised.value)
    assert str(raised.value).startswith("hub:")
    assert "\n" not in str(raised.value)


def test_content_that_is_not_what_the_hub_says_is_not_kept(
    hub: Any, commit: str, weights: bytes, tmp_path: Path
) -> None:
    hub.served_instead = weights[:-1] + b"\0"
    name = f"hub:{REPOSITORY}:weights/tiny.safetensors"
    with pytest.raises(WeightsError, match=r"the Hub says .*taken out of the cache"):
        local_weights(name)
    hub.served_instead = None
    assert local_weights(name).read_bytes() == weights


def test_weights_that_are_not_what_the_card_says_are_told(hub: Any, weights: bytes) -> None:
    readme = card_text(weights, sha256="a" * 64)
    hub.add(REPOSITORY, {"README.md": readme, "weights/tiny.safetensors": weights})
    with pytest.raises(WeightsError, match=f"the card says {'a' * 64}; the card of hub:{REPOSITORY}@"):
        local_weights(f"hub:{REPOSITORY}")


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        (b"# Hello\n", "has no card of the zoo .* name the file: hub:someone/tiny:FILE"),
        (b"---\nlicense: mit\n---\n", "has no 'tipr_zoo' block.* name the file: hub:someone/tiny:FILE"),
    ],
)
def test_a_repository_without_a_card_is_told(hub: Any, readme: bytes, message: str) -> None:
    hub.add(REPOSITORY, {"README.md": readme})
    with pytest.raises(WeightsError, match=message):
        local_weights(f"hub:{REPOSITORY}")


# Offline


def test_offline_what_is_in_the_cache_is_used(
    hub: Any, commit: str, weights: bytes, offline: Callable[[], None]
) -> None:
    local_weights(f"hub:{REPOSITORY}")
    asked = len(hub.requests)
    offline()
    for name in (f"hub:{REPOSITORY}", f"hub:{REPOSITORY}@{commit}"):
        assert local_weights(name).read_bytes() == weights
        assert str(pinned_weights(name)).startswith(f"hub:{REPOSITORY}@{commit}:")
    assert len(hub.requests) == asked


def test_offline_without_the_cache_is_told(hub: Any, commit: str, offline: Callable[[], None]) -> None:
    offline()
    with pytest.raises(HubError, match=r"README\.md: not in the local cache, and offline mode is on; unset HF_HUB_OFF"):
        local_weights(f"hub:{REPOSITORY}")
    assert hub.requests == []


def test_a_hub_that_cannot_be_reached_is_told(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:1/{repo_id}/resolve/{revision}/{filename}"
    )
    with pytest.raises(HubError, match=r"the Hub cannot be reached \(.*check the network, HF_ENDPOINT"):
        local_weights(f"hub:{REPOSITORY}")


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
def test_the_settings_are_those_of_huggingface_hub(
    hub: Any, commit: str, weights: bytes, tmp_path: Path, is_offline: bool
) -> None:
    """A new process, with nothing but the environment to go by."""
    code = f"from tipr_zoo.hub.weights import local_weights; print(local_weights('hub:{REPOSITORY}'))"
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    settings["HF_HUB_OFFLINE"] = "1" if is_offline else "0"
    process = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if is_offline:
        assert "offline mode is on" in process.stderr
    else:
        file = Path(process.stdout.strip())
        assert file.read_bytes() == weights
        assert file.is_relative_to(tmp_path / "hf")


# Models


def test_build_takes_a_model_from_the_hub(hub: Any, commit: str, tiny_zoo: Path) -> None:
    expected = tipr_zoo.build(TINY_PRETRAINED, pretrained=True).state_dict()
    for name in (f"hub:{REPOSITORY}", f"hub:{REPOSITORY}@{commit}"):
        model = tipr_zoo.build(name)
        assert not model.training
        assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())


def test_a_card_on_the_hub_is_a_card_of_the_zoo(hub: Any, commit: str, weights: bytes) -> None:
    card = tipr_zoo.load_card(f"hub:{REPOSITORY}")
    assert (card.name, card.plugin, card.config) == ("tiny", "tiny", "tiny.py")
    assert card.weights is not None
    assert card.weights.location == f"hub:{REPOSITORY}@{commit}:weights/tiny.safetensors"


def test_a_card_of_the_zoo_may_have_its_weights_on_the_hub(hub: Any, commit: str, tiny_zoo: Path) -> None:
    from dataclasses import replace

    from tipr_zoo.weights.fetching import fetch_weights

    card = tipr_zoo.load_card(TINY_PRETRAINED)
    assert card.weights is not None
    location = f"hub:{REPOSITORY}@{commit}:weights/tiny.safetensors"
    card = replace(card, weights=replace(card.weights, location=location))
    assert fetch_weights(card).read_bytes() == (tiny_zoo / "tiny.safetensors").read_bytes()
    wrong = replace(card, weights=replace(card.weights, sha256="b" * 64))  # type: ignore[type-var]
    with pytest.raises(WeightsError, match=f"the card says {'b' * 64}; what {re.escape(location)} serves"):
        fetch_weights(wrong)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"plugin": "sen_"}, UnknownNameError, "unknown plugin 'sen_'"),
        ({"config": "none.py"}, ConfigError, "config 'none.py' is not among the configs of plugin 'tiny'"),
        ({"config": "../../run_me.py"}, CardError, "'config' must name a recipe of the plugin"),
        ({"config": "/tmp/run_me.py"}, CardError, "'config' must name a recipe of the plugin"),
        ({"file": "file:///tmp/secret.safetensors"}, CardError, "'file' must be a path as seen from the card"),
        ({"file": "hub:a/b:secret.safetensors"}, CardError, "'file' must be a path as seen from the card"),
        ({"file": "../../../secret.safetensors"}, ConfigError, "must be a path inside the repository"),
    ],
)
def test_nothing_of_a_repository_is_executed(
    hub: Any, weights: bytes, tiny_zoo: Path, changes: dict[str, str], error: type[TiprZooError], message: str
) -> None:
    files = {
        "README.md": card_text(weights, **changes),
        "none.py": b"raise SystemExit",
        "run_me.py": b"raise SystemExit",
    }
    hub.add(REPOSITORY, files)
    with pytest.raises(error, match=message):
        tipr_zoo.build(f"hub:{REPOSITORY}")


@pytest.mark.parametrize("place", ["../secret.json", "/tmp/secret.json", "secret.json"])
def test_no_file_of_this_machine_is_taken_for_a_record(hub: Any, weights: bytes, tiny_zoo: Path, place: str) -> None:
    result = (
        "{task: {type: text-to-image-person-retrieval}, dataset: {type: x, name: X, split: test},"
        f" metrics: [{{type: R1, value: 1.0}}], source: {{name: tipr-zoo eval, url: {place}}}}}"
    )
    index = f"model-index: [{{name: tiny, results: [{result}]}}]\ntipr_zoo:"
    hub.add(REPOSITORY, {"README.md": card_text(weights).replace(b"tipr_zoo:", index.encode(), 1)})
    with pytest.raises(CardError, match=rf"results\[0\]\.source\.url: a record .* lies in records/, got '{place}'"):
        tipr_zoo.build(f"hub:{REPOSITORY}")


@pytest.mark.parametrize("name", ["../tiny", "n" * 97, "a b"])
def test_a_name_that_makes_no_file_is_told(hub: Any, weights: bytes, tiny_zoo: Path, name: str) -> None:
    index = f"model-index: [{{name: {name}, results: []}}]\ntipr_zoo:"
    hub.add(REPOSITORY, {"README.md": card_text(weights).replace(b"tipr_zoo:", index.encode(), 1)})
    with pytest.raises(CardError, match=f"must be a name of at most 96 letters, .* got '{re.escape(name)}'"):
        tipr_zoo.build(f"hub:{REPOSITORY}")


def test_a_plugin_that_is_not_installed_is_told(
    hub: Any, weights: bytes, tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipr_zoo.plugins.discovery.FIRST_PARTY", {"later": "tipr-zoo-later"})
    hub.add(REPOSITORY, {"README.md": card_text(weights, plugin="later")})
    with pytest.raises(PluginError, match="pip install tipr-zoo-later"):
        tipr_zoo.build(f"hub:{REPOSITORY}")


def test_a_model_is_a_repository_and_no_file(hub: Any, commit: str) -> None:
    with pytest.raises(CardError, match=f"is a file; a model is named by its repository: hub:{REPOSITORY}"):
        load_hub_card(HubReference(REPOSITORY, file="x.md"))


def test_without_the_hub_its_library_is_not_imported() -> None:
    modules = ("hub.card", "hub.download", "authoring.hub_push", "hub.weights")
    code = f"import sys, tipr_zoo, {', '.join(f'tipr_zoo.{module}' for module in modules)}; tipr_zoo.list_models()"
    code += "; tipr_zoo.load_card('irra_tiny_synth'); print('huggingface_hub' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"
