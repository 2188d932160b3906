"""`tipr-zoo info`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tipr_zoo.command_line import command_module, main
from tipr_zoo.models.lookup import load_card


def test_info_shows_nothing_that_a_terminal_would_obey(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = load_card("sen_vitb16_cuhk")
    odd = replace(card, description=card.description + "\n\x1b]0;title\x07")
    monkeypatch.setattr(command_module("info"), "load_card", lambda name: odd)
    assert main(["info", "sen_vitb16_cuhk"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}\n")
    assert "\x1b" not in printed


def test_info_shows_the_whole_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "irra_vitb16_cuhk"]) == 0
    text = capsys.readouterr().out
    for part in ("arxiv.org/abs/2303.12501", "best.pth", "test split", "73.38", "README of IRRA", "## Care"):
        assert part in text
    assert "tipr-zoo eval irra_vitb16_cuhk --data DIR" in text
    assert main(["info", "irra_vitb16_cuhk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["metrics"]["R1"] == 73.38


def test_info_says_where_a_similarity_joins_two_embeddings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "rde_vitb16_cuhk"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "embeddings of 1536 numbers" in text
    assert "its similarity joins the embeddings bge (512) and tse (1,024)" in text
    assert main(["info", "irra_vitb16_cuhk"]) == 0
    assert "joins" not in capsys.readouterr().out
