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
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tipr_zoo.command_line import main
from tipr_zoo.leaderboard.downloads import csv_text
from tipr_zoo.leaderboard.filter import LeaderboardFilter
from tipr_zoo.leaderboard.folding import Entry, entries
from tipr_zoo.leaderboard.marks import MEANINGS
from tipr_zoo.leaderboard.page import leaderboard_page
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group
from tipr_zoo.leaderboard.rows import leaderboard_rows

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
in_a_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed: the page was not tried in a browser"
)

EMPTY_ELEMENTS = {"meta", "input", "br", "link", "img", "col"}


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

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes), []))

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
    (row, *_) = [row for row in leaderboard_rows("CUHK-PEDES") if row.model == "irra_vitb16_cuhk"]
    return replace(row, **change)


def names_of(page: Page) -> list[str]:
    """Names of the models, in the order of the page."""
    return [str(a["data-value"]) for a, _ in page.all("th", scope="row") if "data-value" in a]


def test_the_page_is_whole_and_has_every_row_without_a_script() -> None:
    rows = leaderboard_rows()
    page = Page(leaderboard_page(rows))
    models = entries(rows)
    assert sorted(names_of(page)) == sorted(entry.row.name for entry in models)
    others = [text for a, text in page.all("th", scope="row") if "data-value" not in a]
    assert len(others) == sum(len(entry.contradicting) for entry in models)
    figures = [text for attributes, text in page.all("td") if "number" in str(attributes.get("class"))]
    assert len(figures) == 5 * (len(models) + len(others))
    titles = [text for _, text in page.all("h2")]
    assert titles[:3] == ["CUHK-PEDES", "ICFG-PEDES", "RSTPReid"]
    assert titles[-2:] == ["Across data sets", "What the marks mean"]
    assert {"PAB", "UFine6926"} <= set(titles)
    (form,) = page.all("form")
    assert "hidden" in form[0], "without the script the filters would do nothing"
    assert not page.all("section", **{"data-away": ""}), "without the script every tab is shown"


def test_a_link_leads_to_every_tab() -> None:
    page = Page(leaderboard_page(leaderboard_rows()))
    sections = {f"#{a['id']}": a["data-tab"] for a, _ in page.all("section", **{"class": "data"})}
    links = {a["href"]: text for a, text in page.all("a") if str(a["href"]).startswith("#data-")}
    assert links == sections


def test_extra_data_and_other_kinds_have_tables_of_their_own() -> None:
    page = Page(leaderboard_page(leaderboard_rows("CUHK-PEDES")))
    assert [text for _, text in page.all("h3")] == [
        "test, without extra person data",
        "test, without extra person data, with a large encoder",
        "test, without extra person data, with more than its encoders at test time",
        "test, with extra person data",
        "test, with extra person data, with more than its encoders at test time",
        "CUHK-PEDES, test, trained on ICFG-PEDES, without extra person data",
        "CUHK-PEDES, test, trained on RSTPReid, without extra person data",
    ]


def test_tables_are_sorted_by_the_metric_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--dataset", "ICFG-PEDES", "--pretraining", "none", "--sort", "mAP", "--format", "html"]
    assert main(["leaderboard", *words]) == 0
    page = Page(capsys.readouterr().out)
    sorted_by = {a["data-column"] for a, _ in page.all("th", scope="col") if a.get("aria-sort") == "descending"}
    assert sorted_by == {"mAP"}
    rows = leaderboard_rows("ICFG-PEDES", sort="mAP", filter=LeaderboardFilter(pretraining="none"))
    first = [entry for entry in entries(rows) if comparison_group(entry.row) == comparison_group(rows[0])]
    assert names_of(page)[: len(first)] == [entry.row.name for entry in first]


def test_the_page_needs_no_network() -> None:
    text = leaderboard_page(leaderboard_rows())
    page = Page(text)
    fetched = [name for name, attributes, _ in page.elements if {"src", "data", "srcset"} & attributes.keys()]
    assert fetched == []
    assert not page.all("link")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    kinds = {str(a["href"]).split(":")[0].split("-")[0] for a, _ in page.all("a")}
    assert kinds == {"https", "data", "#legend", "#data", "#model"}
    anchors = {str(a["id"]) for name in ("section", "tbody") for a, _ in page.all(name) if "id" in a}
    assert {str(a["href"])[1:] for a, _ in page.all("a") if str(a["href"]).startswith("#")} <= anchors


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
    row = reported(model=evil, name=evil, source=evil, source_url="javascript://%0aalert(1)", dataset=evil, remark=evil)
    page = Page(leaderboard_page([row]))
    assert not page.all("img")
    assert not [a for a, _ in page.all("a") if "javascript" in str(a["href"])]
    assert evil in page.all("th", scope="row")[0][1]
    assert page.all("section", **{"data-tab": evil})


def test_best_and_second_best_are_told_in_words_too() -> None:
    page = Page(leaderboard_page(leaderboard_rows("CUHK-PEDES")))
    best = {(text, a["title"]) for a, text in page.all("td", **{"data-label": "R1"}) if a.get("title")}
    extra, asks = "with extra person data", "with more than its encoders at test time"
    assert best == {
        ("78.82 best", "best without extra person data"),
        ("77.62 second best", "second best without extra person data"),
        ("77.91 best", f"best {asks}"),
        ("78.18 best", f"best {extra}"),
        ("78.13 second best", f"second best {extra}"),
        ("79.06 best", f"best {extra}, {asks}"),
        ("37.88 best", "best without extra person data"),
        ("35.40 best", "best without extra person data"),
    }


def test_marks_are_explained_in_a_legend() -> None:
    page = Page(leaderboard_page(leaderboard_rows()))
    terms = {text for _, text in page.all("dt")}
    assert {"†", "≠", "¶", "?", "zoo", "reported", "reproduced", "measured"} <= terms
    marks = page.all("abbr", **{"class": "mark"})
    assert {text for _, text in marks} == {"†", "≠", "¶"}
    assert all(a["title"] == MEANINGS[text] for a, text in marks)


def test_a_model_s_details_say_what_has_no_column() -> None:
    (row,) = [row for row in leaderboard_rows("RSTPReid") if row.model == "fmfa_ham_vitb16_rstp"]
    page = Page(leaderboard_page([row]))
    words = dict(zip([text for _, text in page.all("dt")], [text for _, text in page.all("dd")], strict=True))
    assert words["Parameters"] == "190.8 M"
    assert words["Licence of the code"] == "none: a fork of IRRA whose MIT licence file was deleted (b10b305)"
    assert words["Seconds"] == "3, one A6000: FMFA paper, Table 9 (arXiv 2509.13754v2)"
    assert words["Remark"].startswith("0.45 R1 above IRRA from the same weights, which is less than the spread")
    assert words["Links"] == "paper code DOI tipr-zoo info fmfa_ham_vitb16_rstp"
    leads = {text: a["href"] for a, text in page.all("a")}
    assert leads["DOI"] == "https://doi.org/10.1145/3786798"


def test_downloads_are_the_rows() -> None:
    rows = leaderboard_rows()
    files = {text: a for a, text in Page(leaderboard_page(rows)).all("a") if "download" in a}
    content = {name: base64.b64decode(str(a["href"]).partition(";base64,")[2]).decode() for name, a in files.items()}
    assert content["CSV"] == csv_text(rows)
    assert [row["name"] for row in json.loads(content["JSON"])] == [row.name for row in rows]
    assert str(files["CSV"]["download"]).endswith(".csv")


def test_it_says_of_which_day_it_is() -> None:
    text = leaderboard_page([reported()], written=date(2026, 12, 1))
    ((day, shown),) = Page(text).all("time")
    assert day["datetime"] == shown == "2026-12-01"


class TestPictureOverTheYears:
    """R1 by the year of the paper."""

    @staticmethod
    def points(page: Page) -> list[tuple[dict[str, str | None], str]]:
        """The links of the points of all pictures."""
        return [(a, text) for a, text in page.all("a") if str(a["href"]).startswith("#model-")]

    def test_has_a_point_for_each_model_with_a_year_that_leads_to_its_row(self) -> None:
        models = [entry.row for entry in entries(leaderboard_rows("CUHK-PEDES")) if entry.row.trained_on is None]
        page = Page(leaderboard_page(leaderboard_rows("CUHK-PEDES")))
        points = self.points(page)
        with_year = [row for row in models if row.paper and row.paper.year]
        assert len(points) == len(with_year)
        titles = [text for _, text in page.all("title")][1:]
        assert any(title == "MARS: R1 77.62, ACM TOMM 2025" for title in titles)
        rows_at = {f"#{a['id']}": text for a, text in page.all("tbody")}
        for (a, _), title in zip(points, titles, strict=True):
            assert title.split(":")[0] in rows_at[str(a["href"])]
        captions = [text for _, text in page.all("figcaption")]
        assert f"{len(models) - len(with_year)} without a known year are not shown" in captions[0]

    def test_is_filled_where_weights_can_be_had_and_has_a_ring_where_test_chose(self) -> None:
        rows = [reported(name=f"model {i}", model=f"model {i}") for i in range(9)]
        rows[0] = replace(rows[0], selected_on="val", method=replace(rows[0].method, weights_published=False))
        page = Page(leaderboard_page(rows))
        filled = [a for a, _ in self.points(page) if "had" in str(a["class"]).split()]
        assert len(filled) == len(page.all("circle", **{"class": "ring"})) == 8
        assert len(page.all("circle", **{"class": "dot"})) == 9

    def test_is_left_out_where_it_would_say_nothing(self) -> None:
        assert not Page(leaderboard_page(leaderboard_rows("PAB"))).all("svg")


def test_a_page_names_no_folder_of_the_machine_that_wrote_it() -> None:
    measured = leaderboard_rows("SynthPEDES")
    page = leaderboard_page(measured)
    files = [str(a["href"]) for a, _ in Page(page).all("a") if "download" in a]
    texts = [page, *(base64.b64decode(address.partition(";base64,")[2]).decode() for address in files)]
    folder = str(Path(str(measured[0].source_url)).parent)
    assert len(texts) == 3
    assert not [text for text in texts if folder in text or str(Path.home()) in text]


def test_a_page_without_rows_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--dataset", "SynthPEDES", "--origin", "reproduced", "--format", "html"]) == 0
    printed = capsys.readouterr()
    assert Page(printed.out).all("h1")
    assert "no figure is left over" in printed.err


TOOLS = """
    const section = () => document.querySelector("section.data:not([data-away])");
    const first = section().querySelector("table");
    const header = (name) => first.querySelector(`th[data-column="${name}"]`);
    const heading = (name) => header(name).querySelector("button");
    const sortOf = (name) => header(name).getAttribute("aria-sort");
    const values = (name, table = first) =>
        [...table.querySelectorAll(`tr:not(.further) td[data-label="${name}"]`)].map((cell) => cell.dataset.value);
    const choose = (choice) => Object.entries(choice).forEach(([name, value]) => {
        const field = document.querySelector(`.filters [name="${name}"]`);
        field.value = value;
        field.dispatchEvent(new Event("input", {bubbles: true}));
    });
    const open = (name) => [...document.querySelectorAll("nav a")].find((link) => link.textContent === name).click();
    const shown = () => ({
        models: [...document.querySelectorAll("tbody:not([hidden]) tr:not(.further) th")].map((th) => th.dataset.value),
        count: document.querySelector(".filters output").value,
        address: location.hash,
        tab: section().dataset.tab,
        tables: section().querySelectorAll("table:not([hidden])").length,
    });
"""
"""What the tests' scripts use in the page."""


CHOICES: list[tuple[dict[str, str], Callable[[Entry], bool]]] = [
    ({"origin": "measured"}, lambda entry: entry.row.origin == "measured"),
    ({"extra": "none"}, lambda entry: entry.row.method.pretraining == "none"),
    ({"extra": "any"}, lambda entry: entry.row.method.has_extra_data),
    ({"extra": "HAM"}, lambda entry: entry.row.method.pretraining == "HAM"),
    ({"encoder": "vit-l"}, lambda entry: entry.row.method.image_encoder == "CLIP ViT-L/14"),
    ({"weights": "had"}, lambda entry: entry.row.weights_loaded or entry.row.method.weights_published is True),
    ({"weights": "by name"}, lambda entry: entry.row.weights_loaded),
    (
        {"ranks": "again"},
        lambda entry: bool(entry.row.rerank) or entry.row.method.at_test_time is not None,
    ),
    ({"text": "tbps-clip  RDE PAPER"}, lambda entry: entry.row.name == "TBPS-CLIP" and "RDE" in entry.row.source),
    ({"text": "no such thing"}, lambda entry: False),
]
"""What is chosen in the page's form, and which models that is to keep."""


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
        headings = [a for a, _ in page.all("th", scope="col") if a["data-column"] != "source"]
        assert len(page.all("button", type="button")) == len(headings)
        away = [a["data-tab"] for a, _ in page.all("section", **{"class": "data"}) if "data-away" in a]
        assert "CUHK-PEDES" not in away
        assert {"ICFG-PEDES", "Across data sets"} <= set(away)

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
            const fields = document.querySelectorAll(".filters :is(input, select):not([name=sort])");
            for (const field of fields) field.value = "";
            choose(choice);
            return shown();
        }});"""
        found: list[dict[str, Any]] = cls.after(tmp_path_factory.mktemp("filtered"), text, action)
        return found

    @in_a_browser
    @pytest.mark.parametrize("number", range(len(CHOICES)), ids=[" ".join(choice.values()) for choice, _ in CHOICES])
    def test_filters_keep_the_rows_that_fit(self, filtered: list[dict[str, Any]], number: int) -> None:
        models = entries(leaderboard_rows())
        kept = [entry for entry in models if CHOICES[number][1](entry)]
        assert sorted(filtered[number]["models"]) == sorted(entry.row.name for entry in kept)
        here = [entry for entry in models if entry.row.dataset == "CUHK-PEDES" and not entry.row.trained_on]
        kept_here = [entry for entry in here if entry in kept]
        count = f"{len(kept_here)} of {len(here)} models; {len(kept) - len(kept_here)} on other data"
        assert filtered[number]["count"] == count
        assert filtered[number]["tables"] == len({comparison_group(entry.row) for entry in kept_here})

    @in_a_browser
    def test_what_is_chosen_stands_in_the_address_and_comes_back_from_it(self, tmp_path: Path, text: str) -> None:
        action = """
            open("RSTPReid");
            choose({extra: "none", sort: "mAP"});
            const before = shown();
            const hash = location.hash;
            history.replaceState(null, "", "#");
            window.dispatchEvent(new HashChangeEvent("hashchange"));
            const between = shown();
            history.replaceState(null, "", hash);
            window.dispatchEvent(new HashChangeEvent("hashchange"));
            return {before, between, after: shown(), sort: document.querySelector("[name=sort]").value};
        """
        found = self.after(tmp_path, text, action)
        assert found["before"]["address"] == "#tab=RSTPReid&extra=none&sort=mAP"
        assert (found["between"]["tab"], found["between"]["address"]) == ("CUHK-PEDES", "")
        assert found["after"] == found["before"]
        assert found["sort"] == "mAP"

    @in_a_browser
    @pytest.mark.parametrize(
        "address", ["#tab=nowhere&extra=nothing&sort=R2&order=up", "#%3Cb%3E", "#model-99999", "#="]
    )
    def test_an_address_that_names_nothing_is_the_page_as_it_begins(
        self, tmp_path: Path, text: str, address: str
    ) -> None:
        action = f"""
            const before = shown();
            history.replaceState(null, "", {json.dumps(address)});
            window.dispatchEvent(new HashChangeEvent("hashchange"));
            return [before, {{...shown(), address: before.address}}];
        """
        before, after = self.after(tmp_path, text, action)
        assert after == before

    @in_a_browser
    def test_all_tables_are_sorted_at_once_and_reset(self, tmp_path: Path, text: str) -> None:
        action = """
            choose({sort: "mAP"});
            open("RSTPReid");
            const before = values("mAP", section().querySelector("table"));
            document.querySelector(".filters").reset();
            return {before, isReset: document.querySelector(".filters [name=sort]").value};
        """
        found = self.after(tmp_path, text, action)
        known = [float(value) for value in found["before"] if value]
        assert len(known) > 5
        assert known == sorted(known, reverse=True)
        assert found["isReset"] == "R1"

    @in_a_browser
    def test_a_source_that_contradicts_stays_below_its_model(self, tmp_path: Path, text: str) -> None:
        action = """
            heading("model").click();
            return [...document.querySelectorAll("tr.further")].map(
                (row) => [row.closest("tbody").rows[0].cells[0].dataset.value, row.querySelector("td").dataset.value]
            );
        """
        pairs = self.after(tmp_path, text, action)
        expected = [
            [entry.row.name, str(other.metrics["R1"])]
            for entry in entries(leaderboard_rows())
            for other in entry.contradicting
        ]
        assert sorted(pairs) == sorted(expected)

    @in_a_browser
    def test_heads_stay_in_sight_and_a_phone_needs_few_pixels_a_row(self, tmp_path: Path) -> None:
        rows = [row for row in leaderboard_rows() if row.trained_on is None]
        same = [
            replace(row, dataset="CUHK-PEDES", model=f"{row.model} {i}", is_further=False)
            for i, row in enumerate(rows[:75])
        ]
        page = leaderboard_page(sorted(same, key=lambda row: str(comparison_group(row))))
        own = "<script>parent.tall(document.documentElement.scrollHeight, document.querySelectorAll('tbody tr').length,"
        own += "getComputedStyle(document.querySelector('thead')).position);</script>"
        inner = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page).replace(
            "</body>", own + "</body>"
        )
        source = inner.replace("&", "&amp;").replace('"', "&quot;")
        tool = "window.tall = (...found) => { document.body.dataset.result = JSON.stringify(found); };"
        frame = f'<iframe srcdoc="{source}" width="375" height="800" style="border: 0"></iframe>'
        found = self.dom(tmp_path, f"<!doctype html><body><script>{tool}</script>{frame}</body>")
        ((body, _),) = found.all("body")
        height, count, position = json.loads(str(body["data-result"]))
        assert count == 75
        assert height < 6000
        assert position == "sticky"

    @in_a_browser
    def test_a_very_long_name_leaves_room_for_the_figures(self, tmp_path: Path) -> None:
        rows = [reported(), reported(model="n" * 300, name="n" * 300)]
        cells = "[...document.querySelectorAll('tbody td.source')]"
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
