"""The leaderboard as one HTML page. It needs no network, and it can be read without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from tipr_zoo.cards.method_facts import NO_EXTRA_DATA
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.results import ORIGINS
from tipr_zoo.cards.web_address import is_web_address
from tipr_zoo.leaderboard.marks import (
    DISPUTED,
    MEANINGS,
    NOT_KNOWN,
    ON_TEST,
    ORIGIN_MEANINGS,
    OTHER_DATA,
    OTHER_WEIGHTS,
    UNKNOWN_DATA,
    code_license,
    encoder,
    extra_data,
    marks_of,
    ranks_by,
    weights,
)
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.ranks import BEST, RULE, figure_ranks
from tipr_zoo.leaderboard.row import LeaderboardRow, data_key
from tipr_zoo.version import __version__

_ASSETS = Path(__file__).with_name("page_assets")

_COLUMNS = {
    "model": "Model",
    **{metric: metric for metric in METRICS},
    "encoder": "Image encoder",
    "ranks": "Ranks by",
    "extra": "Extra data",
    "weights": "Weights",
    "licence": "Authors' code",
    "epoch": "Epoch chosen on",
    "origin": "Origin",
    "source": "Source",
}
"""Headings by column."""

_LEGEND = {
    "best": f"Bold is best, underlined second best. {RULE} Filters and sorting do not change the marks.",
    "zoo": "The zoo can build and train this model: tipr-zoo info NAME.",
    ON_TEST: MEANINGS[ON_TEST],
    OTHER_WEIGHTS: MEANINGS[OTHER_WEIGHTS],
    DISPUTED: MEANINGS[DISPUTED],
    OTHER_DATA: MEANINGS[OTHER_DATA],
    UNKNOWN_DATA: MEANINGS[UNKNOWN_DATA],
    **ORIGIN_MEANINGS,
    "Ranks by": "How many vectors a picture and a caption are compared by, and how many of each caption's best pictures"
    " are ranked again by a score of the pair.",
    "Extra data": "Person data used in pretraining beside the training split.",
    "Weights": "Whether somebody gives out the weights of these figures.",
    "Authors' code": "The licence of their repository, and a link to it.",
    NOT_KNOWN: "not known",
}
"""The meanings of the page's words and marks."""


def leaderboard_page(rows: Sequence[LeaderboardRow], sort: str = "R1") -> str:
    """Return the page, with a table for each data set, split, arguments and direction.

    With JavaScript, a reader can sort and filter the tables.

    Args:
        rows: Rows of the leaderboard.
        sort: The metric by which the tables are sorted at first. Rows without it come last.

    Returns:
        A complete HTML document with its style and script. It loads nothing from the network.
    """
    style = (_ASSETS / "leaderboard.css").read_text(encoding="utf-8")
    script = (_ASSETS / "leaderboard.js").read_text(encoding="utf-8")
    ranked = sorted(
        zip(published_rows(rows), figure_ranks(rows), strict=True),
        key=lambda item: (*data_key(item[0]), -item[0].metrics.get(sort, -1.0)),
    )
    groups = [(key, list(group)) for key, group in groupby(ranked, lambda item: data_key(item[0]))]
    tables = "\n".join(_section(number, key, group, sort) for number, (key, group) in enumerate(groups))
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
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
<header>
<h1>Text-to-image person retrieval</h1>
<p>Find a person's picture from a sentence: every figure with its source, in percent, higher is better. What was
reported by others and what was measured by the zoo is never mixed up. <a href="#legend">What the marks mean</a></p>
</header>
{_filters(rows, sort)}
<main>
{tables}
<section id="legend" aria-labelledby="legend-title">
<h2 id="legend-title">What the marks mean</h2>
<dl>
{_legend()}
</dl>
</section>
</main>
<footer>Written by <code>tipr-zoo leaderboard --format html</code>, version {escape(__version__)}.</footer>
<script>{script}</script>
</body>
</html>"""


def _section(number: int, key: Sequence[str], group: Sequence[tuple[LeaderboardRow, dict[str, int]]], sort: str) -> str:
    """Return one table with its title."""
    title = escape(", ".join(filter(None, key)))
    headers = "".join(_header(name, is_sorted=name == sort) for name in _COLUMNS)
    body = "\n".join(_row(row, ranks) for row, ranks in group)
    # On narrow screens the rows get another layout. Browsers then forget that it is a table, unless roles say so.
    return f"""<section aria-labelledby="table-{number}">
<h2 id="table-{number}">{title}</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="table-{number}">
<table role="table" aria-labelledby="table-{number}">
<thead role="rowgroup"><tr role="row">{headers}</tr></thead>
<tbody role="rowgroup">
{body}
</tbody>
</table>
</div>
</section>"""


def _header(name: str, is_sorted: bool) -> str:
    order = ' aria-sort="descending"' if is_sorted else ""
    kind = ' class="number"' if name in METRICS else ""
    return f'<th scope="col" role="columnheader" data-column="{name}"{kind}{order}>{_COLUMNS[name]}</th>'


def _row(row: LeaderboardRow, ranks: dict[str, int]) -> str:
    """Return one row. The script filters and sorts by its attributes."""
    shown = {"encoder": encoder(row), "ranks": ranks_by(row), "extra": extra_data(row), "weights": weights(row)}
    shown |= {"licence": code_license(row), "epoch": row.selected_on or NOT_KNOWN}
    filtered = {name: shown[name] for name in ("encoder", "extra", "weights")}
    attributes = {"dataset": row.dataset, "origin": row.origin, **filtered}
    cells = [
        f'<th scope="row" role="rowheader" data-value="{escape(row.model)}">{_model(row)}</th>',
        *(_figure(row, metric, ranks.get(metric)) for metric in METRICS),
        *(_cell(name, _words(row, name, text), "" if text == NOT_KNOWN else text) for name, text in shown.items()),
        _cell("origin", f'<span class="badge {row.origin}">{row.origin}</span>', row.origin),
        _cell("source", _source(row), row.source, "source"),
    ]
    data = "".join(f' data-{name}="{escape(text)}"' for name, text in attributes.items())
    return f'<tr role="row"{data}>{"".join(cells)}</tr>'


def _model(row: LeaderboardRow) -> str:
    """Return the cell with the name, the marks, and whether the zoo has the model."""
    marks = [mark for mark in marks_of(row) if mark != NOT_KNOWN]  # that has a column of its own
    words = [f'<span class="name">{escape(row.model)}</span>']
    words += [f'<a class="mark" href="#legend" title="{escape(MEANINGS[mark])}">{mark}</a>' for mark in marks]
    words += ['<span class="badge" title="the zoo can build it">zoo</span>'] * row.has_card
    return " ".join(words)


def _figure(row: LeaderboardRow, metric: str, rank: int | None) -> str:
    value = row.metrics.get(metric)
    start = f'<td role="cell" data-label="{metric}"'
    if value is None:
        return f'{start} data-value="" class="number"></td>'
    start += f' data-value="{value}"'
    if rank is None:
        return f'{start} class="number">{value:.2f}</td>'
    name, word = ("best", "best") if rank == BEST else ("second", "second best")
    among = "with extra person data" if row.method.has_extra_data else "without extra person data"
    note = f'<span class="aside"> {word}</span>'
    return f'{start} class="number {name}" title="{word} {among}"><span>{value:.2f}</span>{note}</td>'


def _cell(name: str, content: str, value: str, kind: str = "") -> str:
    class_name = f' class="{kind}"' if kind else ""
    return f'<td role="cell" data-label="{_COLUMNS[name]}" data-value="{escape(value)}"{class_name}>{content}</td>'


def _words(row: LeaderboardRow, name: str, text: str) -> str:
    """Return the cell of one fact. The licence is a link to the licensed code."""
    if name == "licence" and row.code and is_web_address(row.code.url):
        known = "no licence" if text == "none" else "licence ?" if text == NOT_KNOWN else escape(text)
        return f'<a href="{escape(row.code.url)}">{known}</a>'
    if text == NOT_KNOWN:
        return f'<span class="unknown" title="not known">{NOT_KNOWN}</span>'
    if name == "extra" and text != NO_EXTRA_DATA:
        return f'<span class="badge extra">{escape(text)}</span>'
    return escape(text)


def _source(row: LeaderboardRow) -> str:
    """Return the source: a link, or for a measured row its date, command and the name of its evaluation record.

    The record's folders are left out, since they are those of this machine.
    """
    if row.date is not None:
        record = escape(f"record: {Path(str(row.source_url)).name}")
        return f'<span title="{record}">{escape(row.date[:10])}</span><code>{escape(row.source)}</code>'
    if is_web_address(row.source_url):
        return f'<a href="{escape(str(row.source_url))}">{escape(row.source)}</a>'
    return escape(row.source)


def _filters(rows: Sequence[LeaderboardRow], sort: str) -> str:
    """Return the form of the filters. The script shows it."""
    choices = {
        "dataset": ("Data set", sorted({row.dataset for row in rows})),
        "origin": ("Origin", [origin for origin in ORIGINS if any(row.origin == origin for row in rows)]),
        "extra": ("Extra data", sorted({extra_data(row) for row in rows} - {NO_EXTRA_DATA, NOT_KNOWN})),
        "encoder": ("Image encoder", sorted({encoder(row) for row in rows} - {NOT_KNOWN})),
    }
    selects = "\n".join(_select(name, *choice) for name, choice in choices.items())
    sorts = "".join(
        f'<option value="{name}"{" selected" if name == sort else ""}>{_COLUMNS[name]}</option>'
        for name in (*METRICS, "model")
    )
    return f"""<form class="filters" hidden aria-label="Filters">
<label>Find <input type="search" name="text" placeholder="e.g. RDE" autocomplete="off"></label>
{selects}
<label>Weights <select name="weights">
<option value="">all</option><option value="yes">can be had</option>
</select></label>
<label>Sort by <select name="sort">{sorts}</select></label>
<button type="reset">Reset</button>
<output aria-live="polite"></output>
</form>"""


def _select(name: str, heading: str, options: Sequence[str]) -> str:
    further = {"none": "none", "any": "any"} if name == "extra" else {}
    words = {"": "all", **further, **{option: option for option in options}}
    items = "".join(f'<option value="{escape(value)}">{escape(word)}</option>' for value, word in words.items())
    return f'<label>{heading} <select name="{name}">{items}</select></label>'


def _legend() -> str:
    marks = {"best": '<span class="best">best</span> <span class="second">second</span>'}
    return "\n".join(
        f"<dt>{marks.get(word, escape(word))}</dt><dd>{escape(text)}</dd>" for word, text in _LEGEND.items()
    )


def _hash(text: str) -> str:
    """Return the hash that allows an element with exactly this content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
