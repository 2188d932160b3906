"""The leaderboard as one HTML page. It needs no network, and it can be read without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date as Date
from datetime import datetime, timezone
from html import escape
from itertools import groupby
from pathlib import Path

from tipr_zoo.cards.method_facts import NO_EXTRA_DATA
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.results import ORIGINS
from tipr_zoo.leaderboard.downloads import csv_text, json_text
from tipr_zoo.leaderboard.folding import entries
from tipr_zoo.leaderboard.marks import MEANINGS, NOT_KNOWN, ORIGIN_MEANINGS, extra_data
from tipr_zoo.leaderboard.page_table import COLUMNS, Shown, model_table
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.ranks import RULE, figure_ranks
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group, data_key, kind_of, section_order
from tipr_zoo.leaderboard.scatter import scatter
from tipr_zoo.version import __version__

_ASSETS = Path(__file__).with_name("page_assets")

ACROSS = "Across data sets"
"""The tab of models that were trained on one data set and tried on another."""

_LEGEND = {
    "best": f"Bold is best, underlined second best of a table. {RULE} Filters and sorting do not change the marks.",
    "zoo": "The zoo can build and train this model; its name is below the one that papers write: tipr-zoo info NAME.",
    **MEANINGS,
    **ORIGIN_MEANINGS,
    "Ranks by": "How many vectors a picture and a caption are compared by, how many of each caption's best pictures are"
    " ranked again by a score of the pair, and what the method asks besides.",
    "Data": "Person data used in pretraining beside the training split.",
    "Weights": "Whether somebody gives out the weights of these figures. By name: the zoo loads them. Else what part of"
    " them can be had.",
    "Epoch": "On what the authors' published code chooses the epoch, and what the paper says where that is another.",
}
"""The meanings of the page's words and marks."""


def leaderboard_page(rows: Sequence[LeaderboardRow], sort: str = "R1", written: Date | None = None) -> str:
    """Return the page: a tab for each data set, with a table for each kind of models.

    Without JavaScript the tabs stand below each other. With it, a reader can choose one, and sort and filter.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
        sort: The metric by which the tables are sorted at first. Rows without it come last.
        written: The date to print. Today where none is given.

    Returns:
        A complete HTML document with its style and script. It loads nothing from the network.
    """
    style = (_ASSETS / "leaderboard.css").read_text(encoding="utf-8")
    script = (_ASSETS / "leaderboard.js").read_text(encoding="utf-8")
    rows = published_rows(rows)
    tabs = [(name, list(group)) for name, group in groupby(_shown(rows, sort), lambda shown: _tab(shown.entry.row))]
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    parts = "\n".join(_section(name, shown, sort) for name, shown in tabs)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leaderboard of text-to-image person retrieval</title>
<style>{style}</style>
</head>
<body>
{_header(rows, [name for name, _ in tabs], written)}
{_filters(rows, sort)}
<main>
{parts}
<section id="legend" aria-labelledby="legend-title">
<details open><summary><h2 id="legend-title">What the marks mean</h2></summary>
<dl>
{_legend()}
</dl>
</details>
</section>
</main>
<footer>Written by <code>tipr-zoo leaderboard --format html</code>, version {escape(__version__)}.</footer>
<script>{script}</script>
</body>
</html>"""


def _header(rows: Sequence[LeaderboardRow], tabs: Sequence[str], written: Date | None) -> str:
    """Return what stands above the tables."""
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in tabs)
    day = (written or datetime.now(timezone.utc).date()).isoformat()
    return f"""<header>
<h1>Text-to-image person retrieval</h1>
<p>Find a person's picture from a sentence: every figure with its source, in percent, higher is better. What others
reported and what the zoo measured is never mixed up. <a href="#legend">What the marks mean</a></p>
<p class="aside-line">As of <time datetime="{day}">{day}</time>. All rows, one a source:
<a download="leaderboard.csv" href="{_data_address("text/csv", csv_text(rows))}">CSV</a>
<a download="leaderboard.json" href="{_data_address("application/json", json_text(rows))}">JSON</a></p>
<nav aria-label="Data sets">{links}</nav>
</header>"""


def _shown(rows: Sequence[LeaderboardRow], sort: str) -> list[Shown]:
    """Return the models in the order of the page, each with the ranks of its figures and its anchor."""
    models = entries(rows)
    ranks = figure_ranks([entry.row for entry in models])
    numbered = [Shown(entry, ranked, f"model-{i}") for i, (entry, ranked) in enumerate(zip(models, ranks, strict=True))]
    return sorted(
        numbered, key=lambda shown: (section_order(shown.entry.row), -shown.entry.row.metrics.get(sort, -1.0))
    )


def _tab(row: LeaderboardRow) -> str:
    return ACROSS if row.trained_on else row.dataset


def _anchor(name: str) -> str:
    """Return the anchor of a tab, of letters and digits alone."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.casefold())
    return f"data-{plain}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def _section(name: str, shown: Sequence[Shown], sort: str) -> str:
    """Return one tab: its picture and a table for each comparison group."""
    anchor, tables = _anchor(name), []
    groups = [list(members) for _, members in groupby(shown, lambda one: comparison_group(one.entry.row))]
    for number, of_group in enumerate(groups):
        row = of_group[0].entry.row
        kind = [*([] if row.method.has_extra_data else ["without extra person data"]), *kind_of(row).words()]
        title = ", ".join([*filter(None, data_key(row)[0 if row.trained_on else 1 :]), *kind])
        label = f"{anchor}-{number}"
        tables.append(f'<h3 id="{label}">{escape(title)}</h3>\n{model_table(label, of_group, sort)}')
    plain = [(one.entry.row, one.anchor) for one in shown if not any(data_key(one.entry.row)[2:])]
    picture = scatter(plain)
    body = "\n".join([*([picture] if picture and name != ACROSS else []), *tables])
    return f"""<section class="data" id="{anchor}" data-tab="{escape(name)}" aria-labelledby="{anchor}-title">
<h2 id="{anchor}-title">{escape(name)}</h2>
{body}
</section>"""


def _filters(rows: Sequence[LeaderboardRow], sort: str) -> str:
    """Return the form of the filters. The script shows it."""
    extra = sorted({extra_data(row) for row in rows} - {NO_EXTRA_DATA, NOT_KNOWN})
    choices = {
        "extra": ("Extra data", {"none": "none", "any": "any"} | {name: name for name in extra}),
        "weights": ("Weights", {"had": "can be had", "by name": "the zoo loads them"}),
        "ranks": ("Ranks", {"once": "in one stage", "again": "again, or asks more"}),
        "origin": ("Origin", {name: name for name in ORIGINS if any(row.origin == name for row in rows)}),
    }
    selects = "\n".join(_select(name, *choice) for name, choice in choices.items())
    sorts = "".join(
        f'<option value="{name}"{" selected" if name == sort else ""}>{COLUMNS[name].heading}</option>'
        for name in (*METRICS, "model", "published")
    )
    return f"""<form class="filters" hidden aria-label="Filters">
<label>Find <input type="search" name="text" placeholder="e.g. RDE" autocomplete="off"></label>
<label>Sort by <select name="sort">{sorts}</select></label>
<details class="choices"><summary>More filters</summary>
<label>Encoder <input type="search" name="encoder" placeholder="e.g. ViT-B" autocomplete="off"></label>
{selects}
<button type="reset">Reset</button>
</details>
<output name="count" aria-live="polite"></output>
</form>"""


def _select(name: str, heading: str, options: dict[str, str]) -> str:
    words = {"": "all", **options}
    items = "".join(f'<option value="{escape(value)}">{escape(word)}</option>' for value, word in words.items())
    return f'<label>{heading} <select name="{name}">{items}</select></label>'


def _legend() -> str:
    marks = {"best": '<span class="best">best</span> <span class="second">second</span>'}
    return "\n".join(
        f"<dt>{marks.get(word, escape(word))}</dt><dd>{escape(text)}</dd>" for word, text in _LEGEND.items()
    )


def _data_address(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _hash(text: str) -> str:
    """Return the hash that allows an element with exactly this content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
