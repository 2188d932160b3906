"""`tipr-zoo list`."""

from __future__ import annotations

import json

import pytest

from tipr_zoo.command_line import command_module, main


class TestList:
    def test_columns(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "irra_vitb16_cuhk"]) == 0
        header, _, row, *_ = capsys.readouterr().out.splitlines()
        assert header.split() == ["model", "plugin", "data", "set", "weights", "R1", "origin"]
        assert row.split() == ["irra_vitb16_cuhk", "core", "CUHK-PEDES", "none", "73.38", "reported", "†"]

    def test_a_missing_plugin_is_told_with_the_command_that_brings_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(command_module("list"), "installed_plugins", dict)
        assert main(["list", "sen_vitb16_cuhk"]) == 0
        text = capsys.readouterr().out
        assert "sen (not installed)" in text
        assert text.splitlines()[-1] == "plugin 'sen' is not installed; install it with: pip install tipr-zoo-sen"

    def test_a_filter_that_leaves_nothing_over_is_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "irra*", "--plugin", "sen", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []
