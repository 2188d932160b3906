"""References: every field is declared, and what makes no sense is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tipr_zoo.command_line import main
from tipr_zoo.errors import CardError
from tipr_zoo.leaderboard.references import read_reference, read_references

SHIPPED = read_references()[0].path


def changed(folder: Path, place: str, key: str, value: Any) -> Path:
    """A copy of a shipped reference with one field changed."""
    values = yaml.safe_load(SHIPPED.read_text())
    mapping = values
    for step in filter(None, place.split(".")):
        mapping = mapping[int(step)] if step.isdigit() else mapping[step]
    mapping[key] = value
    path = folder / SHIPPED.name
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("place", "key", "value", "told"),
    [
        ("", "resuts", [], "unknown field 'resuts'; did you mean 'results'?"),
        ("", "tipr_zoo", {}, "unknown field 'tipr_zoo'"),
        ("method", "pretrainig", "none", "method: unknown field 'pretrainig'; did you mean 'pretraining'"),
        ("method", "weights_published", 1, "method: 'weights_published' must be true, false or null, got 1"),
        ("results.0", "sorce", {}, "results[0]: unknown field 'sorce'; did you mean 'source'?"),
        ("results.0.source", "ulr", "", "results[0].source: unknown field 'ulr'; did you mean 'url'?"),
        ("results.0.metrics.0", "value", "5", "results[0].metrics[0]: 'value' must be a number, got '5'"),
        ("results.0.metrics.0", "value", 101, "results[0].metrics[0]: R1 is a percentage, got 101.0"),
        ("results.0", "metrics", [], "results[0]: 'metrics' is empty"),
        (
            "results.0.source",
            "url",
            "ftp://x",
            "results[0].source: 'url' must be a web address, https://HOST/..., got 'ftp://x'",
        ),
        ("results.0.source", "url", "x.json", "results[0].source: a reference has no code to measure with: 'url' must"),
        ("method", "reproduced_in", ["https://x.org"], "method.reproduced_in: no result has its source at https://x"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, place: str, key: str, value: Any, told: str) -> None:
    path = changed(tmp_path, place, key, value)
    with pytest.raises(CardError) as raised:
        read_reference(path)
    assert str(raised.value).startswith(f"{path}: {told}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://", "must be a web address, https://HOST/..."),
        ("https://arxiv", "must be a web address, https://HOST/..."),
        ("https://localhost/paper", "must be a web address, https://HOST/..."),
        ("https://a.invalid/paper", "must be a web address, https://HOST/..."),
        ("https://192.168.0.1/paper", "must be a web address, https://HOST/..."),
        ("https://[::1/paper", "must be a web address, https://HOST/..."),
        ("https://x.org:port/paper", "must be a web address, https://HOST/..."),
        ("https://x.org/a paper", "must be a web address, https://HOST/..."),
        ("https://x.org/<b>", "must be a web address, https://HOST/..."),
        ("https://paperswithcode.com/sota/x", "leads nowhere: that service was switched off"),
        ("https://goo.gl/x", "leads nowhere: that service was switched off"),
        ("https://arxiv.org/abs/2303.125", "leads nowhere: an address at arXiv is like"),
        ("https://arxiv.org/list/cs.CV", "leads nowhere: an address at arXiv is like"),
        ("https://github.com/IRRA", "leads nowhere: an address at GitHub names owner and repository"),
        ("https://doi.org/3786798", "leads nowhere: an address at doi.org is like"),
    ],
)
@pytest.mark.parametrize("place", ["results.0.source", "paper", "code"])
def test_an_address_whose_form_leads_nowhere_is_told(tmp_path: Path, place: str, url: str, told: str) -> None:
    path = changed(tmp_path, place, "url", url)
    with pytest.raises(CardError) as raised:
        read_reference(path)
    assert told in str(raised.value)
    assert str(raised.value).endswith(f"got {url!r}")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://arxiv.org/abs/2303.12501v2",
            "https://arxiv.org/pdf/2303.12501.pdf",
            "http://arxiv.org/abs/cs/0112017",
        ),
        *("https://github.com/anosorae/IRRA", "https://github.com/a/b/blob/55d7da6/src/result.png"),
        *("https://doi.org/10.1007/s00530-024-01286-z", "https://www.x-y.org:8080/a?b=c#d"),
    ],
)
def test_an_address_of_the_right_form_is_taken(tmp_path: Path, url: str) -> None:
    assert read_reference(changed(tmp_path, "results.0.source", "url", url)).results[0].source_url == url


@pytest.mark.parametrize(
    ("place", "key", "value", "told"),
    [
        ("paper", "venue", "CVRP", "paper: 'venue' must be one of AAAI, ACL, ACM MM, "),
        ("paper", "venue", "my blog", "paper: 'venue' must be one of AAAI, ACL, ACM MM, "),
        ("paper", "year", 1023, "paper: 'year' must be a year, e.g. 2023, got 1023"),
        ("paper", "year", "2023", "paper: 'year' must be a year, e.g. 2023, got '2023'"),
        ("paper", "doi", "https://doi.org/10.1145/1", "paper: 'doi' must be like 10.1145/3786798, without https"),
        (
            "results.0.metrics.1",
            "value",
            5.0,
            "results[0]: R5 (5.0) is below R1 (76.53), which cannot be",
        ),
        ("results.0.metrics.2", "value", 80.0, "results[0]: R10 (80.0) is below R5 (90.04), which cannot be"),
        ("results.0.metrics.0", "value", 100.01, "results[0].metrics[0]: R1 is a percentage, got 100.01"),
        ("", "name", "irra_vitb16_cuhk", "'name' is that of a model of the zoo; put its figures on the card "),
        ("speed", "seconds", {"CUHK-PEDES": 0}, "speed: 'seconds' must be seconds above 0 by data set"),
        (
            "results.0.source",
            "secondary",
            "yes",
            "results[0].source: 'secondary' must be true, false",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, place: str, key: str, value: Any, told: str) -> None:
    path = changed(tmp_path, place, key, value)
    with pytest.raises(CardError) as raised:
        read_reference(path)
    assert str(raised.value).startswith(f"{path}: {told}")


def test_two_rows_of_one_model_and_source_are_told(tmp_path: Path) -> None:
    values = yaml.safe_load(SHIPPED.read_text())
    path = changed(tmp_path, "", "results", [values["results"][0], values["results"][1], values["results"][0]])
    with pytest.raises(CardError, match=r"results\[2\]: the same data and source as results\[0\]; join the two, or"):
        read_reference(path)


def test_two_references_of_one_name_are_told(tmp_path: Path) -> None:
    first = changed(tmp_path, "", "name", "One")
    first.rename(tmp_path / "a.yaml")
    second = changed(tmp_path, "", "name", "One")
    with pytest.raises(CardError, match=rf"{second}: 'name' 'One' is that of .*a\.yaml; join the two files"):
        read_references(tmp_path)


class TestCardsCheck:
    """`tipr-zoo cards check` of references."""

    def test_tells_file_line_and_fix(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = changed(tmp_path, "results.1.source", "url", "https://arxiv.org/abs/1")
        lines = path.read_text().splitlines()
        (line,) = [number for number, text in enumerate(lines, 1) if text.endswith("/abs/1")]
        assert main(["cards", "check", str(path)]) == 1
        told, count = capsys.readouterr().out.splitlines()
        assert told.startswith(f"{path}:{line}: results[1].source: 'url' leads nowhere: ")
        assert count == "1 reference: 1 problem in 1"

    def test_finds_them_in_folders_and_counts_cards_beside_them(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "references"
        folder.mkdir()
        changed(folder, "", "name", "One").rename(folder / "a.yaml")
        changed(folder, "", "name", "One")
        assert main(["cards", "check", str(folder), "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["cards"], said["references"]) == (0, 2)
        assert [problem["message"].split(";")[-1] for problem in said["problems"]] == [" join the two files"]

    def test_tells_what_is_no_yaml(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "bad.yaml").write_text("name: [")
        assert main(["cards", "check", str(tmp_path / "bad.yaml")]) == 1
        assert capsys.readouterr().out.startswith(f"{tmp_path / 'bad.yaml'}:1: ")


def test_a_reference_that_was_right_is_read_the_same_again() -> None:
    assert read_reference(SHIPPED) == read_reference(SHIPPED) == read_references()[0]
