"""``tipr-zoo push``, against a stand-in server: what is uploaded, what is not, and what is told."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tipr_zoo
from tipr_zoo.authoring.hub_push import plan_push, push
from tipr_zoo.command_line import main
from tipr_zoo.errors import CardError, ConfigError, WeightsError
from tipr_zoo.hub.client import HubError
from tipr_zoo.hub.weights import local_weights
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import read_weights, write_weights
from tipr_zoo.weights.training_vocabulary import training_vocabulary

# What huggingface_hub's own HTTP library thinks of how it is called.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

MODEL, TARGET = "irra_tiny_synth", "me/irra-tiny"

CARD = tipr_zoo.load_card(MODEL)


@pytest.fixture
def logged_in(hub: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, with a token that may write."""
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    return hub


@pytest.fixture
def own_card(tmp_path: Path) -> Path:
    """The card of `MODEL` with all that lies beside it, to be changed."""
    for folder in ("weights", "records", "vocabularies"):
        shutil.copytree(CARD.path.parent / folder, tmp_path / "cards" / folder)
    return Path(shutil.copy(CARD.path, tmp_path / "cards" / CARD.path.name))


def without_figures(text: str) -> str:
    """The text of a card without its results, and without the answers that come from their records."""
    before, _, rest = text.partition("model-index:")
    return re.sub(r"  answers:\n(?:    .*\n)+", "", before + rest[rest.index("tipr_zoo:") :])


def files_on(hub: Any, branch: str = "main") -> dict[str, bytes]:
    """What the repository holds there, besides what the Hub itself puts into it."""
    _, files = hub.repositories[TARGET].files_at(branch)
    return {path: content for path, content in files.items() if path != ".gitattributes"}


def requests_that_change(hub: Any) -> list[str]:
    return [path for method, path in hub.requests if method in ("POST", "PUT")]


# What is uploaded


def test_card_weights_records_and_recipe_are_uploaded_in_one_commit(logged_in: Any) -> None:
    pushed = push(plan_push(MODEL, TARGET))
    files = files_on(logged_in)
    records = [f"records/{MODEL}_synthpedes_seed{seed}.json" for seed in (0, 1)]
    words = "vocabularies/synthpedes_seed0_train3000.json"
    assert set(files) == {"README.md", f"weights/{MODEL}.safetensors", words, *records, "recipe.py"}
    for path in (f"weights/{MODEL}.safetensors", words, *records):
        assert files[path] == (CARD.path.parent / path).read_bytes()
    assert b"max_epochs" in files["recipe.py"]
    assert len(logged_in.repositories[TARGET].commits) == 2, "the Hub's own, and this one"
    assert pushed.commit == logged_in.repositories[TARGET].refs["main"]


def test_the_card_is_uploaded_as_it_is_but_for_the_sources_of_its_records(logged_in: Any) -> None:
    push(plan_push(MODEL, TARGET))
    uploaded = files_on(logged_in)["README.md"].decode().splitlines()
    local = CARD.path.read_text().splitlines()
    changed = [(old, new) for old, new in zip(local, uploaded, strict=True) if old != new]
    assert len(changed) == len([result for result in CARD.results if result.record])
    for old, new in changed:
        assert new == old.replace("url: records/", f'url: "{logged_in.url}/{TARGET}/blob/main/records/').replace(
            ".json", '.json"'
        )


def test_what_was_pushed_is_built_again_with_the_same_figures(logged_in: Any) -> None:
    pushed = push(plan_push(MODEL, TARGET))
    card = tipr_zoo.load_card(f"hub:{TARGET}@{pushed.commit}")
    assert card.name == MODEL
    assert card.results == CARD.results, "measured, with their records"
    assert card.weights is not None
    assert CARD.weights is not None
    assert replace(card.weights, location=CARD.weights.location, vocabulary=CARD.weights.vocabulary) == CARD.weights
    assert training_vocabulary(card) == training_vocabulary(CARD)
    assert card.answers == CARD.answers
    assert local_weights(f"hub:{TARGET}").read_bytes() == (CARD.path.parent / CARD.weights.location).read_bytes()


def test_pushing_again_changes_nothing_and_then_only_what_differs(logged_in: Any, own_card: Path) -> None:
    first = push(plan_push(MODEL, TARGET))
    logged_in.requests.clear()
    second = push(plan_push(MODEL, TARGET))
    assert (second.commit, second.is_new) == (first.commit, False)
    assert not any("/commit/" in path for path in requests_that_change(logged_in))
    own_card.write_text(own_card.read_text() + "\nOne more line.\n")
    third = push(plan_push(str(own_card), TARGET))
    assert third.is_new
    assert not any(path.startswith("/large/") for path in requests_that_change(logged_in)), "the weights are there"


@pytest.mark.parametrize("private", [False, True])
def test_a_new_repository_is_as_private_as_was_asked(logged_in: Any, private: bool) -> None:
    push(plan_push(MODEL, TARGET, private=private))
    assert logged_in.repositories[TARGET].private is private


def test_a_branch_is_made_and_main_stays(logged_in: Any) -> None:
    pushed = push(plan_push(MODEL, TARGET, branch="second-try"))
    assert files_on(logged_in, "main") == {}
    assert "README.md" in files_on(logged_in, "second-try")
    assert tipr_zoo.load_card(f"hub:{TARGET}@second-try").results == CARD.results
    assert pushed.commit == logged_in.repositories[TARGET].refs["second-try"]


def test_nothing_else_is_uploaded_whatever_lies_beside_the_card(logged_in: Any, own_card: Path) -> None:
    for name in ("person.jpg", "records/person.png", "weights/other.safetensors", "records/other.json"):
        (own_card.parent / name).write_bytes(b"private")
    push(plan_push(str(own_card), TARGET))
    assert b"private" not in files_on(logged_in).values()


def test_other_weights_replace_those_of_a_card_without_measured_figures(logged_in: Any, own_card: Path) -> None:
    text = own_card.read_text()
    own_card.write_text(without_figures(text))
    own = own_card.parent / "weights" / f"{MODEL}.safetensors"
    weights = own_card.parent / "weights" / "later.safetensors"
    write_weights({name: tensor * 0.5 for name, tensor in read_weights(own).items()}, weights, read_metadata(own))
    plan = plan_push(str(own_card), TARGET, weights=weights)
    assert plan.changes == (
        f"its weights are weights/{MODEL}.safetensors ({weights}) and not weights/{MODEL}.safetensors",
    )
    push(plan)
    card = tipr_zoo.load_card(f"hub:{TARGET}")
    assert card.weights is not None
    assert card.weights.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert files_on(logged_in)[f"weights/{MODEL}.safetensors"] == weights.read_bytes()


def test_weights_that_are_elsewhere_stay_there(hub: Any, own_card: Path) -> None:
    own_card.write_text(own_card.read_text().replace("    file: weights/", "    url: https://example.org/"))
    plan = plan_push(str(own_card), TARGET)
    assert not any(file.kind == "weights" for file in plan.files)
    assert "stay at https://example.org/" in plan.changes[0]


# What is refused


def test_figures_of_other_weights_are_not_published(hub: Any, own_card: Path) -> None:
    with pytest.raises(ConfigError, match=r"measured figures are of other weights than .*tipr-zoo cards new NAME"):
        plan_push(MODEL, TARGET, weights=own_card.parent / "weights" / "fmfa_tiny_synth.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("another", "are of the model fmfa_tiny_synth, not of"),
        ("NaN", r"image_encoder\.\S+ has 1 of .* numbers that are not finite"),
        ("whole numbers", r"image_encoder\.\S+ is torch.int8, and weights are floating-point numbers"),
        ("a tensor less", r"do not fit the model: image_encoder\.\S+ is missing"),
        ("another shape", r"image_encoder\.\S+ has shape \(1,\), the model"),
    ],
)
def test_weights_that_nobody_could_load_are_not_published(hub: Any, own_card: Path, change: str, message: str) -> None:
    own_card.write_text(without_figures(own_card.read_text()))
    own = own_card.parent / "weights" / f"{MODEL}.safetensors"
    weights, tensors = own_card.parent / "weights" / "changed.safetensors", read_weights(own)
    name = next(name for name in tensors if name.startswith("image_encoder.") and tensors[name].ndim)
    if change == "NaN":
        tensors[name].view(-1)[0] = torch.nan
    elif change == "whole numbers":
        tensors[name] = tensors[name].to(torch.int8)
    elif change == "a tensor less":
        del tensors[name]
    elif change == "another shape":
        tensors[name] = torch.ones(1)
    write_weights(tensors, weights, read_metadata(own))
    if change == "another":
        weights = own_card.parent / "weights" / "fmfa_tiny_synth.safetensors"
    with pytest.raises(WeightsError, match=message):
        plan_push(str(own_card), TARGET, weights=weights)


def test_a_pickle_is_not_published(hub: Any, own_card: Path) -> None:
    content = b"\x80\x02}q\x00."
    (own_card.parent / "weights.pt").write_bytes(content)
    digest, size = hashlib.sha256(content).hexdigest(), len(content)
    text = without_figures(own_card.read_text())
    assert CARD.weights is not None
    text = text.replace(CARD.weights.sha256, digest).replace(str(CARD.weights.size), str(size))
    own_card.write_text(text.replace(CARD.weights.location, "weights.pt"))
    with pytest.raises(WeightsError, match=r"no safetensors file .*only such are published"):
        plan_push(str(own_card), TARGET)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("license: apache-2.0\nlanguage", "license: Apache\nlanguage", r":2: unknown licence .*cards check"),
        ("## Care", "## Care\n\nTODO", r":\d+: still says TODO"),
        ("size: 3660752", "size: 3660751", "have 3660752 bytes, the card says 3660751"),
    ],
)
def test_a_card_that_is_not_ready_is_not_published(hub: Any, own_card: Path, old: str, new: str, message: str) -> None:
    own_card.write_text(own_card.read_text().replace(old, new, 1))
    with pytest.raises(CardError, match=message):
        plan_push(str(own_card), TARGET)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["irra", "a/b/c", "me/irra tiny", "me/irra--tiny"])
def test_a_name_that_the_hub_would_not_take_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match="named owner/name"):
        plan_push(MODEL, name)


@pytest.mark.parametrize("branch", ["my branch", "a..b", "-b", "a/"])
def test_a_branch_that_git_would_not_take_is_told(branch: str) -> None:
    with pytest.raises(ConfigError, match=f"a branch, tag or commit is named in letters.*got '{branch}'"):
        plan_push(MODEL, TARGET, branch=branch)


def test_what_is_on_the_hub_is_not_pushed_and_nobody_is_asked(hub: Any) -> None:
    with pytest.raises(ConfigError, match="hub:me/tiny is on the Hub already; name a model or a card"):
        plan_push("hub:me/tiny", TARGET)
    assert hub.requests == []


def test_without_a_token_nothing_is_asked(hub: Any) -> None:
    with pytest.raises(HubError, match="no token; log in with `hf auth login`, or set HF_TOKEN"):
        push(plan_push(MODEL, TARGET))
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_reader", "the token does not allow this .*rights to create a model under this namespace.*; use one with"),
        ("hf_wrong", "does not know who is asking"),
    ],
)
def test_a_token_that_may_not_write_is_told(
    hub: Any, token: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=message) as raised:
        push(plan_push(MODEL, TARGET))
    assert "\n" not in str(raised.value)


def test_a_hub_that_cannot_be_reached_is_told(logged_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(HubError, match="the Hub cannot be asked: ConnectError"):
        push(plan_push(MODEL, TARGET))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model.bin": b"x"}, r"holds something else than a model of the zoo \(model.bin\); choose another"),
        ({"README.md": b"# Mine\n"}, "holds something else than a model of the zoo"),
        ({"README.md": CARD.path.read_bytes().replace(MODEL.encode(), b"theirs")}, "holds another model, 'theirs'"),
    ],
)
def test_a_repository_with_other_content_is_not_written_over(
    logged_in: Any, files: dict[str, bytes], message: str
) -> None:
    commit = logged_in.add(TARGET, files)
    with pytest.raises(HubError, match=message):
        push(plan_push(MODEL, TARGET))
    assert logged_in.repositories[TARGET].refs["main"] == commit


def test_a_commit_of_somebody_else_in_between_is_not_written_over(logged_in: Any) -> None:
    push(plan_push(MODEL, TARGET))
    repository = logged_in.repositories[TARGET]
    logged_in.before_commit = lambda: repository.commit({"recipe.py": b"theirs"})
    repository.commit({"recipe.py": b"older"})
    with pytest.raises(HubError, match=r"the Hub answers 412 \(A commit has happened since"):
        push(plan_push(MODEL, TARGET))
    assert files_on(logged_in)["recipe.py"] == b"theirs"


def test_what_the_hub_has_against_a_card_is_told(logged_in: Any) -> None:
    logged_in.yaml_errors = ['"license" must be one of [...]']
    with pytest.raises(HubError, match=r'Invalid metadata in README.md. - "license" must be one of'):
        push(plan_push(MODEL, TARGET))


# The command


def test_a_dry_run_says_what_would_be_uploaded_and_asks_nobody(hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", MODEL, TARGET, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    for path in ("README.md", f"weights/{MODEL}.safetensors", f"records/{MODEL}_synthpedes_seed0.json", "recipe.py"):
        assert path in printed
    assert "3,660,752" in printed
    assert f"{hub.url}/{TARGET}/blob/main/records/" in printed
    assert "nothing was uploaded" in printed
    assert hub.requests == []


def test_the_command_uploads_and_says_how_to_use_it(logged_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", MODEL, TARGET, "--private"]) == 0
    printed = capsys.readouterr().out
    commit = logged_in.repositories[TARGET].refs["main"]
    assert f'tipr_zoo.build("hub:{TARGET}@{commit}")' in printed
    assert printed.index("README.md") < printed.index("uploaded:")


def test_the_command_tells_an_error_in_one_line(hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", MODEL, TARGET]) == 2
    assert capsys.readouterr().err.strip().startswith(f"error: {TARGET} on the Hub: no token")
