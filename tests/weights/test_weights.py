"""Weights: fetched and checked against their hash, loaded strictly or not at all, and never executed."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from small_disk import files_of_at_most
from torch import nn

import tipr_zoo
from tipr_zoo.cards.card import ModelCard, Weights
from tipr_zoo.errors import WeightsError
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.weights.fetching import fetch_weights
from tipr_zoo.weights.tensors import load_tensors, read_weights

TINY_PRETRAINED = "a_tiny_pretrained_model"


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))


@pytest.fixture
def saved(model: nn.Module, tmp_path: Path) -> Callable[..., Path]:
    """Writes the tensors of `model`, with changes, in the format that the file's name ends in."""

    def save(name: str = "weights.safetensors", entry: str | None = None, **changes: Any) -> Path:
        state = model.state_dict() | changes
        state = {key: value for key, value in state.items() if value is not None}
        path = tmp_path / name
        if path.suffix == ".safetensors":
            safetensors.torch.save_file(state, path)
        else:
            torch.save({entry: state, "epoch": 3} if entry else state, path)
        return path

    return save


class RunsCode:
    """Unpickling this runs a command."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.witness}",)


# Loading


@pytest.mark.parametrize(
    ("name", "entry"),
    [("w.safetensors", None), ("w.pth", None), ("w.pth", "model"), ("w.pth", "state_dict"), ("w.pt", "model")],
)
def test_every_format_gives_the_same_parameters(saved: Callable[..., Path], name: str, entry: str | None) -> None:
    path = saved(name, entry)
    other = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    load_tensors(other, read_weights(path), path)
    for key, value in read_weights(path).items():
        assert torch.equal(other.state_dict()[key], value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"0.bias": None}, "0.bias is missing"),
        ({"2.weight": torch.zeros(1)}, "2.weight is left over"),
        ({"0.weight": torch.zeros(2, 4)}, "0.weight has shape (2, 4), the model (2, 3)"),
        (
            {"0.bias": None, "1.bias": None, "a": torch.zeros(1), "b": torch.zeros(1), "c": torch.zeros(1)},
            "0.bias is missing; 1.bias is missing; a is left over and 2 more",
        ),
    ],
    ids=["missing", "left over", "misshapen", "several"],
)
def test_weights_that_do_not_fit_are_told_and_change_nothing(
    model: nn.Module, saved: Callable[..., Path], name: str, changes: dict[str, Any], message: str
) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    path = saved(name, **changes, **{"1.weight": torch.full((2,), 7.0)})
    with pytest.raises(WeightsError) as raised:
        load_tensors(model, read_weights(path), path)
    assert str(raised.value) == f"weights {path} do not fit the model: {message}"
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("entry", [None, "model"])
def test_a_pickle_that_would_run_code_does_not(saved: Callable[..., Path], tmp_path: Path, entry: str | None) -> None:
    witness = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    torch.save({entry: {"0.weight": RunsCode(witness)}} if entry else RunsCode(witness), path)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights(path)
    path.write_bytes(pickle.dumps(RunsCode(witness), protocol=2))
    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights(path)
    assert not witness.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty; fetch it again"),
        (b"<html>404</html>", "it is a page of the web; fetch the file"),
        (None, "it is damaged or no weights file"),
    ],
    ids=["empty", "a web page", "truncated"],
)
def test_a_file_that_is_no_weights_file_is_told(
    saved: Callable[..., Path], name: str, content: bytes | None, told: str
) -> None:
    path = saved(name)
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    with pytest.raises(WeightsError, match=rf"weights {path} cannot be read \(.*{told}"):
        read_weights(path)


@pytest.mark.parametrize("value", [[1, 2], {"0.weight": "text"}, torch.zeros(2)], ids=["list", "texts", "tensor"])
def test_a_pytorch_file_without_a_dict_of_tensors_is_told(tmp_path: Path, value: Any) -> None:
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="hold no dict of tensors"):
        read_weights(tmp_path / "w.pth")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors do not exist"):
        read_weights(tmp_path / "none.safetensors")


def test_build_takes_a_file_of_ones_own(tiny_zoo: Path, tmp_path: Path) -> None:
    state = tipr_zoo.build(TINY_PRETRAINED, pretrained=True).state_dict()
    torch.save({"model": state}, tmp_path / "mine.pth")
    mine = tipr_zoo.build("a_tiny_model", weights=tmp_path / "mine.pth").state_dict()
    assert all(torch.equal(mine[name], state[name]) for name in state)


# Files beside the card


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, the card says"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"), "sha256"),
        (lambda path: path.unlink(), "are missing"),
    ],
    ids=["truncated", "altered", "missing"],
)
def test_a_damaged_file_beside_its_card_is_told(tiny_zoo: Path, damage: Callable[[Path], object], message: str) -> None:
    path = tiny_zoo / "tiny.safetensors"
    content = path.read_bytes()
    damage(path)
    try:
        with pytest.raises(WeightsError, match=message) as raised:
            tipr_zoo.build(TINY_PRETRAINED, pretrained=True)
    finally:
        path.write_bytes(content)
    assert str(path) in str(raised.value)
    assert "reinstall what brings" in str(raised.value)


# Files to be fetched


class Server(ThreadingHTTPServer):
    """A stand-in for a file host. `answers` maps paths to bodies; `promised` is the length that the header gives."""

    answers: dict[str, bytes]
    promised: int | None
    requests: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path == "/garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        if self.path not in self.server.answers:
            self.send_error(404)
            return
        body = self.server.answers[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.promised or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.promised, server.requests = {}, None, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that fetched weights are kept in."""
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home" / "weights"


@pytest.fixture
def card(server: Server, saved: Callable[..., Path]) -> ModelCard:
    """A card whose weights the server has at /weights."""
    path = saved()
    server.answers["/weights"] = path.read_bytes()
    url = f"http://127.0.0.1:{server.server_address[1]}/weights"
    weights = Weights(url, file_sha256(path), path.stat().st_size, "safetensors", "mit")
    return replace(tipr_zoo.load_card("irra_vitb16_cuhk"), weights=weights)


def test_weights_are_fetched_once(card: ModelCard, server: Server, cache: Path, model: nn.Module) -> None:
    path = fetch_weights(card)
    assert path.read_bytes() == server.answers["/weights"]
    assert fetch_weights(card) == path
    assert server.requests == ["/weights"]
    assert list(cache.iterdir()) == [path]
    load_tensors(model, read_weights(path), path)


@pytest.mark.parametrize(
    ("page", "body", "promised", "message"),
    [
        ("weights", lambda body: body[:-9], None, "bytes, the card says"),
        ("weights", lambda body: body[:-9], 10_000, "bytes, the card says|cannot be fetched"),
        ("weights", lambda body: body[:-1] + b"\0", None, "have sha256 .*the card says .*serves is not what the card"),
        ("weights", lambda body: body + bytes(5_000_000), None, "have 1048576 bytes, the card says"),
        ("nowhere", lambda body: body, None, "cannot be fetched from .*/nowhere: HTTP Error 404.*pass weights=FILE"),
        ("garbage", lambda body: body, None, "cannot be fetched from .*/garbage"),
    ],
    ids=["truncated", "cut off on the way", "altered", "endless", "404", "no HTTP"],
)
def test_a_failed_fetch_leaves_nothing_behind(
    card: ModelCard,
    server: Server,
    cache: Path,
    page: str,
    body: Callable[[bytes], bytes],
    promised: int | None,
    message: str,
) -> None:
    server.answers["/weights"] = body(server.answers["/weights"])
    server.promised = promised
    assert card.weights is not None
    url = card.weights.location.replace("/weights", f"/{page}")
    with pytest.raises(WeightsError, match=message):
        fetch_weights(replace(card, weights=replace(card.weights, location=url)))
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_told_and_no_fault_of_the_server(card: ModelCard, server: Server, cache: Path) -> None:
    assert card.weights is not None
    with pytest.raises(WeightsError) as raised, files_of_at_most(card.weights.size - 10):
        fetch_weights(card)
    file = cache / f"{card.weights.sha256}.safetensors"
    assert str(raised.value) == (
        f"weights of {card.name} cannot be kept in {file}: File too large; make room there, or set TIPR_ZOO_HOME to a"
        " folder that can be written"
    )
    assert list(cache.iterdir()) == []
    assert fetch_weights(card) == file


def test_a_cache_that_cannot_be_made_is_told(card: ModelCard, server: Server, cache: Path) -> None:
    cache.parent.touch()
    with pytest.raises(WeightsError, match=r"cannot be kept in .*: (Not a directory|File exists); .*TIPR_ZOO_HOME"):
        fetch_weights(card)


def test_a_server_that_is_not_there_is_told(card: ModelCard, server: Server, cache: Path) -> None:
    assert card.weights is not None
    gone = replace(card.weights, location="http://127.0.0.1:1/weights")
    with pytest.raises(WeightsError, match=r"cannot be fetched from http://127\.0\.0\.1:1/weights"):
        fetch_weights(replace(card, weights=gone))
    assert list(cache.iterdir()) == []


def test_fetched_weights_that_were_damaged_since_are_told(card: ModelCard, cache: Path) -> None:
    path = fetch_weights(card)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(WeightsError, match=f"sha256 .* delete {path} to fetch it again"):
        fetch_weights(card)


def test_a_card_without_weights_is_told() -> None:
    with pytest.raises(WeightsError, match="no weights of irra_vitb16_cuhk are published"):
        fetch_weights(tipr_zoo.load_card("irra_vitb16_cuhk"))
