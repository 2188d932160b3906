"""The leaderboard's HTML page: whole, self-contained, readable without a script, and usable with one.

What needs a browser drives a headless Chromium or Chrome and is skipped, with the reason, where none is installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tipr_zoo.command_line import main
from tipr_zoo.leaderboard.page import leaderboard_page
from tipr_zoo.leaderboard.row import LeaderboardRow
from tipr_zoo.leaderboard.rows import leaderboard_rows

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_a_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed: the page was not tried in a browser"
)

EMPTY_ELEMENTS = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """Reads a page and raises where its elements are not properly nested.

    Attributes:
        elements: Name, attributes and text of each element, in the order in which they begin.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element: tuple[str, dict[str, str | None], list[str]] = (tag, dict(attributes), [])
        self.elements.append(element)
        if tag not in EMPTY_ELEMENTS:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, f"</{tag}> closes <{self._open[-1][0]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str | None], str]]:
        """Attributes and text of every such element."""
        return [
            (attributes, "".join(text))
            for name, attributes, text in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]


def reported(**change: Any) -> LeaderboardRow:
    """IRRA's row on CUHK-PEDES."""
    (row,) = [row for row in leaderboard_rows("CUHK-PEDES") if row.model == "irra_vitb16_cuhk"]
    return replace(row, **change)


def test_the_page_is_whole_and_has_every_row_without_a_script() -> None:
    rows = leaderboard_rows()
    page = Page(leaderboard_page(rows))
    names = [text.split()[0] for attributes, text in page.all("th", scope="row")]
    assert sorted(names) == sorted(row.model.split()[0] for row in rows)
    figures = [text for attributes, text in page.all("td") if "number" in str(attributes.get("class"))]
    assert len(figures) == 5 * len(rows)
    titles = [text for _, text in page.all("h2")]
    assert titles[:3] == ["CUHK-PEDES, test", "ICFG-PEDES, test", "RSTPReid, test"]
    (form,) = page.all("form")
    assert "hidden" in form[0], "without the script the filters would do nothing"


def test_tables_are_sorted_by_the_metric_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--dataset", "ICFG-PEDES", "--sort", "mAP", "--format", "html"]) == 0
    page = Page(capsys.readouterr().out)
    assert [a["data-column"] for a, _ in page.all("th", scope="col") if a.get("aria-sort") == "descending"] == ["mAP"]
    values = [float(a["data-value"] or -1) for a, _ in page.all("td") if a.get("data-label") == "mAP"]
    assert values == sorted(values, reverse=True)


def test_the_page_needs_no_network() -> None:
    text = leaderboard_page(leaderboard_rows())
    page = Page(text)
    fetched = [name for name, attributes, _ in page.elements if {"src", "data", "srcset"} & attributes.keys()]
    assert fetched == []
    assert not page.all("link")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    assert {str(a["href"]).split(":")[0] for a, _ in page.all("a")} == {"https", "#legend"}


def test_nothing_but_its_own_style_and_script_may_run() -> None:
    page = Page(leaderboard_page(leaderboard_rows()))
    ((meta, _),) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag in ("style", "script")
        for _, text in page.all(tag)
    ]
    assert meta["content"] == f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"


def test_what_a_card_says_is_shown_letter_by_letter() -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    row = reported(model=evil, source=evil, source_url="javascript://%0aalert(1)", dataset=evil)
    page = Page(leaderboard_page([row]))
    assert not page.all("img")
    assert not [a for a, _ in page.all("a") if "javascript" in str(a["href"])]
    assert evil in page.all("th", scope="row")[0][1]
    assert page.all("tr", **{"data-dataset": evil})


def test_best_and_second_best_are_told_in_words_too() -> None:
    page = Page(leaderboard_page(leaderboard_rows("CUHK-PEDES")))
    best = {(text, a["title"]) for a, text in page.all("td", **{"data-label": "R1"}) if a.get("title")}
    assert best == {
        ("77.62 best", "best without extra person data"),
        ("76.64 second best", "second best without extra person data"),
        ("77.46 best", "best with extra person data"),
        ("77.32 second best", "second best with extra person data"),
    }


def test_marks_are_explained_in_a_legend() -> None:
    page = Page(leaderboard_page(leaderboard_rows()))
    terms = {text for _, text in page.all("dt")}
    assert {"†", "≠", "?", "zoo", "reported", "reproduced", "measured"} <= terms
    assert {text for a, text in page.all("a", **{"class": "mark"})} == {"†", "≠"}


def test_a_page_names_no_folder_of_the_machine_that_wrote_it() -> None:
    measured = leaderboard_rows("SynthPEDES")
    assert str(Path(str(measured[0].source_url)).parent) not in leaderboard_page(measured)


def test_a_page_without_rows_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--dataset", "SynthPEDES", "--origin", "reproduced", "--format", "html"]) == 0
    printed = capsys.readouterr()
    assert Page(printed.out).all("h1")
    assert "no figure is left over" in printed.err


TOOLS = """
    const first = document.querySelector("table");
    const header = (name) => first.querySelector(`th[data-column="${name}"]`);
    const heading = (name) => header(name).querySelector("button");
    const sortOf = (name) => header(name).getAttribute("aria-sort");
    const values = (name) => [...first.querySelectorAll(`td[data-label="${name}"]`)].map((cell) => cell.dataset.value);
    const choose = (choice) => Object.entries(choice).forEach(([name, value]) => {
        const field = document.querySelector(`.filters [name="${name}"]`);
        field.value = value;
        field.dispatchEvent(new Event("input", {bubbles: true}));
    });
    const shown = () => ({
        models: [...document.querySelectorAll("tbody tr:not([hidden]) th")].map((cell) => cell.dataset.value),
        count: document.querySelector(".filters output").value,
        tables: document.querySelectorAll("main section:not([hidden]) table").length,
    });
"""
"""What the tests' scripts use in the page."""


CHOICES: list[tuple[dict[str, str], Callable[[LeaderboardRow], bool]]] = [
    ({"dataset": "RSTPReid"}, lambda row: row.dataset == "RSTPReid"),
    ({"origin": "measured"}, lambda row: row.origin == "measured"),
    ({"extra": "none"}, lambda row: row.method.pretraining == "none"),
    ({"extra": "any"}, lambda row: row.method.has_extra_data),
    ({"extra": "HAM"}, lambda row: row.method.pretraining == "HAM"),
    ({"encoder": "CLIP ViT-L/14"}, lambda row: row.method.image_encoder == "CLIP ViT-L/14"),
    ({"weights": "yes"}, lambda row: row.method.weights_published is True),
    ({"text": "rde  PAPER"}, lambda row: "RDE paper" in row.source),
    ({"text": "no such thing"}, lambda row: False),
    ({"dataset": "RSTPReid", "extra": "NAM"}, lambda r: r.dataset == "RSTPReid" and r.method.pretraining == "NAM"),
]
"""What is chosen in the page's form, and which rows that is to keep."""


class TestInABrowser:
    """What a reader does with the page."""

    @pytest.fixture(scope="class")
    @classmethod
    def text(cls) -> str:
        return leaderboard_page(leaderboard_rows())

    @staticmethod
    def dom(folder: Path, text: str) -> Page:
        """The page after its script has run."""
        (folder / "page.html").write_text(text, encoding="utf-8")
        command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--window-size=1280,900", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000"]
        done = subprocess.run(
            [*command, "--dump-dom", (folder / "page.html").as_uri()], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return Page(done.stdout)

    @classmethod
    def after(cls, folder: Path, text: str, action: str) -> Any:
        """What a function's body returns that runs in the loaded page."""
        own = f"document.body.dataset.result = JSON.stringify((() => {{ {TOOLS} {action} }})());"
        without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        page = cls.dom(folder, without_policy.replace("</body>", f"<script>{own}</script></body>"))
        ((body, _),) = page.all("body")
        return json.loads(str(body["data-result"]))

    @in_a_browser
    def test_the_script_runs_under_the_page_s_own_policy(self, tmp_path: Path, text: str) -> None:
        page = self.dom(tmp_path, text)
        (form,) = page.all("form")
        assert "hidden" not in form[0]
        assert len(page.all("button", type="button")) == len(page.all("th", scope="col"))

    @in_a_browser
    def test_a_heading_sorts_its_table_and_turns_the_order_round(self, tmp_path: Path, text: str) -> None:
        action = """
            const button = heading("mINP");
            button.focus();
            const isFocused = document.activeElement === button;
            button.click();
            const down = [sortOf("mINP"), values("mINP")];
            button.click();
            return {isFocused, down, up: [sortOf("mINP"), values("mINP")], others: sortOf("R1")};
        """
        found = self.after(tmp_path, text, action)
        (down_order, down), (up_order, up) = found["down"], found["up"]
        assert found["isFocused"]
        assert (down_order, up_order, found["others"]) == ("descending", "ascending", None)
        known = sorted((float(value) for value in down if value), reverse=True)
        assert [float(value) for value in down[: len(known)]] == known
        assert [float(value) for value in up[: len(known)]] == known[::-1]
        assert set(down[len(known) :]) == set(up[len(known) :]) == {""}, "what is missing comes last"

    @pytest.fixture(scope="class")
    @classmethod
    def filtered(cls, tmp_path_factory: pytest.TempPathFactory, text: str) -> list[dict[str, Any]]:
        """What is shown after each of `CHOICES`."""
        action = f"""return {json.dumps([choice for choice, _ in CHOICES])}.map((choice) => {{
            for (const field of document.querySelectorAll(".filters [name]:not([name=sort])")) field.value = "";
            choose(choice);
            return shown();
        }});"""
        found: list[dict[str, Any]] = cls.after(tmp_path_factory.mktemp("filtered"), text, action)
        return found

    @in_a_browser
    @pytest.mark.parametrize("number", range(len(CHOICES)), ids=[" ".join(choice.values()) for choice, _ in CHOICES])
    def test_filters_keep_the_rows_that_fit(self, filtered: list[dict[str, Any]], number: int) -> None:
        rows = leaderboard_rows()
        kept = [row for row in rows if CHOICES[number][1](row)]
        assert sorted(filtered[number]["models"]) == sorted(row.model for row in kept)
        assert filtered[number]["count"] == f"{len(kept)} of {len(rows)} rows"
        assert filtered[number]["tables"] == len({(row.dataset, str(row.dataset_arguments)) for row in kept})

    @in_a_browser
    def test_all_tables_are_sorted_at_once_and_reset(self, tmp_path: Path, text: str) -> None:
        action = """
            choose({sort: "mAP", dataset: "RSTPReid"});
            const before = values("mAP");
            document.querySelector(".filters").reset();
            return {before, isReset: document.querySelector(".filters [name=sort]").value};
        """
        found = self.after(tmp_path, text, action)
        known = [float(value) for value in found["before"] if value]
        assert known == sorted(known, reverse=True)
        assert found["isReset"] == "R1"

    @in_a_browser
    def test_a_very_long_name_leaves_room_for_the_figures(self, tmp_path: Path) -> None:
        rows = [reported(), reported(model="n" * 300)]
        cells = "[...document.querySelectorAll('tbody td[data-label=mINP]')]"
        action = f"return {cells}.map((cell) => cell.getBoundingClientRect().right);"
        assert max(self.after(tmp_path, leaderboard_page(rows), action)) < 1280

    @in_a_browser
    def test_the_page_is_never_wider_than_the_screen(self, tmp_path: Path, text: str) -> None:
        # A frame is as narrow as wanted; a window has a least width.
        widths = [360, 600, 800, 1280, 1600]
        own = "<script>parent.wide(window.innerWidth, document.documentElement.scrollWidth);</script>"
        inner = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace(
            "</body>", own + "</body>"
        )
        source = inner.replace("&", "&amp;").replace('"', "&quot;")
        frames = [f'<iframe srcdoc="{source}" width="{width}" style="border: 0"></iframe>' for width in widths]
        tool = "const found = {}; window.wide = (width, scrolled) => { found[width] = scrolled;"
        tool += "document.body.dataset.result = JSON.stringify(found); };"
        page = self.dom(tmp_path, f"<!doctype html><body><script>{tool}</script>{''.join(frames)}</body>")
        ((body, _),) = page.all("body")
        assert json.loads(str(body["data-result"])) == {str(width): width for width in widths}
