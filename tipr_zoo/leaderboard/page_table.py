"""The tables of the leaderboard's HTML page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from tipr_zoo.cards.method_facts import NO_EXTRA_DATA
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.web_address import is_web_address
from tipr_zoo.leaderboard.folding import Entry
from tipr_zoo.leaderboard.marks import (
    ELSEWHERE,
    MEANINGS,
    NOT_KNOWN,
    budget,
    code_license,
    embedding,
    encoder,
    epoch,
    extra_data,
    marks_of,
    parameters,
    pictures,
    published,
    ranks_by,
    seconds,
    weights,
    zoo_name,
)
from tipr_zoo.leaderboard.ranks import BEST
from tipr_zoo.leaderboard.row import LeaderboardRow, kind_of

_ARXIV = re.compile(r" \(arXiv [\w.]+\)$")
"""What a source says of its address, to which its link leads anyway."""


@dataclass(frozen=True)
class Column:
    """One column of the page.

    Attributes:
        heading: Its heading.
        cell: Returns its text of a row. None where the cell is made otherwise.
        width: Up to which width of the screen it is left out: ``""`` for none, ``"m"`` or ``"l"``. Its text stands in
            the details of the model, too.
    """

    heading: str
    cell: Callable[[LeaderboardRow], str] | None = None
    width: str = ""


COLUMNS = {
    "model": Column("Model"),
    **{metric: Column(metric) for metric in METRICS},
    "ranks": Column("Ranks by", ranks_by, "m"),
    "extra": Column("Data", extra_data, "m"),
    "published": Column("Published", published, "m"),
    "weights": Column("Weights", weights, "m"),
    "encoder": Column("Encoder", encoder, "l"),
    "epoch": Column("Epoch", epoch, "l"),
    "source": Column("Source", None, "l"),
}

_DETAILS: dict[str, Callable[[LeaderboardRow], str]] = {
    "Ranks by": ranks_by,
    "Image encoder": encoder,
    "Extra data": extra_data,
    "Published": published,
    "Weights": weights,
    "Epoch chosen on": epoch,
    "Licence of the code": lambda row: _license(row),
    "Parameters": parameters,
    "Embedding": embedding,
    "Pictures": pictures,
    "Seconds": lambda row: f"{seconds(row)}, {row.seconds_on}" if row.seconds is not None else "",
    "Trained with": budget,
    "Remark": lambda row: row.remark or "",
}
"""What a reader finds when a model's details are opened."""


@dataclass(frozen=True)
class Shown:
    """One model of the page.

    Attributes:
        entry: The model with its sources.
        ranks: The metrics that are best or second best of its table.
        anchor: The anchor of its row.
    """

    entry: Entry
    ranks: dict[str, int]
    anchor: str


def model_table(label: str, models: Sequence[Shown], sort: str) -> str:
    """Return the table of one comparison group.

    Args:
        label: The id of its title.
        models: Its models, sorted.
        sort: The column by which they are.
    """
    columns = "".join(f'<col class="c-{name} w-{column.width or "s"}">' for name, column in COLUMNS.items())
    headers = "".join(_header(name, column, is_sorted=name == sort) for name, column in COLUMNS.items())
    bodies = "\n".join(map(_model, models))
    # On narrow screens the rows get another layout. Browsers then forget that it is a table, unless roles say so.
    return f"""<table role="table" aria-labelledby="{label}">
<colgroup>{columns}</colgroup>
<thead role="rowgroup"><tr role="row">{headers}</tr></thead>
{bodies}
</table>"""


def _header(name: str, column: Column, is_sorted: bool) -> str:
    order = ' aria-sort="descending"' if is_sorted else ""
    kind = f"{'number' if name in METRICS else ''} w-{column.width or 's'}".strip()
    return f'<th scope="col" role="columnheader" data-column="{name}" class="{kind}"{order}>{column.heading}</th>'


def _model(shown: Shown) -> str:
    """Return the rows of one model. The script filters and sorts by their attributes."""
    entry, row = shown.entry, shown.entry.row
    is_again = bool(row.rerank) or kind_of(row).asks_more
    attributes = {
        "origin": " ".join(sorted({each.origin for each in (*entry.agreeing, *entry.contradicting)})),
        "extra": extra_data(row),
        "encoder": encoder(row),
        "weights": weights(row),
        "ranks": "again" if is_again else "once",
    }
    data = "".join(f' data-{name}="{escape(text)}"' for name, text in attributes.items())
    cells = [
        f'<th scope="row" role="rowheader" data-value="{escape(row.name)}">{_name(entry)}</th>',
        *(_figure(row, metric, shown.ranks.get(metric)) for metric in METRICS),
        *(_fact(name, column, column.cell(row)) for name, column in COLUMNS.items() if column.cell),
        f'<td role="cell" class="source w-l">{"; ".join(map(_source, entry.agreeing))}</td>',
    ]
    lines = [f'<tr role="row">{"".join(cells)}</tr>', *map(_further, entry.contradicting)]
    return f'<tbody role="rowgroup" id="{shown.anchor}"{data}>{"".join(lines)}</tbody>'


def _further(row: LeaderboardRow) -> str:
    """Return the row of a source that contradicts the model's."""
    empty = "".join(f'<td role="cell" class="w-{column.width}"></td>' for column in COLUMNS.values() if column.cell)
    figures = "".join(_figure(row, metric, None) for metric in METRICS)
    origin = f'<span class="badge {row.origin}">{row.origin}</span>'
    source, remark = _source(row), f'<span class="remark">{escape(row.remark)}</span>' if row.remark else ""
    return (
        f'<tr role="row" class="further"><th scope="row" role="rowheader">{ELSEWHERE} {origin}'
        f'<span class="folded">{source}</span>{remark}</th>{figures}'
        f'{empty}<td role="cell" class="source w-l">{source}</td></tr>'
    )


def _name(entry: Entry) -> str:
    """Return the cell with the name that papers write, its marks, the zoo's name, and the details."""
    row = entry.row
    marks = [mark for mark in marks_of(row) if mark != NOT_KNOWN]  # that has a column of its own
    words = [f'<span class="name">{escape(row.name)}</span>']
    words += [f'<abbr class="mark" title="{escape(MEANINGS[mark])}">{mark}</abbr>' for mark in marks]
    if row.origin != "reported":
        words.append(f'<span class="badge {row.origin}">{row.origin}</span>')
    name = zoo_name(row)
    below = f'<code class="zoo">{escape(name)}</code>' if name else ""
    return f"<details><summary>{' '.join(words)}{below}</summary>{_details(entry)}</details>"


def _details(entry: Entry) -> str:
    row = entry.row
    facts = {heading: escape(text) for heading, cell in _DETAILS.items() if (text := cell(row))}
    facts["Sources"] = "; ".join(map(_source, entry.agreeing))
    links = [
        _link("paper", row.paper.url if row.paper else None),
        _link("code", row.code.url if row.code else None),
        _link("DOI", f"https://doi.org/{row.paper.doi}" if row.paper and row.paper.doi else None),
    ]
    card = f"<code>tipr-zoo info {escape(row.model)}</code>" if row.has_card else ""
    if found := [*filter(None, links), *([card] if card else [])]:
        facts["Links"] = " ".join(found)
    return "<dl>" + "".join(f"<dt>{heading}</dt><dd>{text}</dd>" for heading, text in facts.items()) + "</dl>"


def _license(row: LeaderboardRow) -> str:
    """Return the licence of the authors' code with what must be known of it."""
    note = row.code.license_note if row.code else None
    return f"{row.code.license}: {note}" if row.code and note else code_license(row)


def _figure(row: LeaderboardRow, metric: str, rank: int | None) -> str:
    value = row.metrics.get(metric)
    start = f'<td role="cell" data-label="{metric}"'
    if value is None:
        return f'{start} data-value="" class="number"></td>'
    start += f' data-value="{value}"'
    points = (row.spread or {}).get(metric)
    spread = f'<span class="spread">±{points:.2f}</span>' if points is not None else ""
    if rank is None:
        return f'{start} class="number">{value:.2f}{spread}</td>'
    name, word = ("best", "best") if rank == BEST else ("second", "second best")
    among = ", ".join(kind_of(row).words()) or "without extra person data"
    note = f'<span class="aside"> {word}</span>'
    return f'{start} class="number {name}" title="{word} {among}"><span>{value:.2f}</span>{note}{spread}</td>'


def _fact(name: str, column: Column, text: str) -> str:
    kind = f'class="w-{column.width or "s"}"'
    value = "" if text == NOT_KNOWN else text
    shown = escape(text)
    if text == NOT_KNOWN:
        shown = f'<span class="unknown" title="not known">{NOT_KNOWN}</span>'
    elif name == "extra" and text != NO_EXTRA_DATA:
        shown = f'<span class="badge extra">{escape(text)}</span>'
    return f'<td role="cell" data-label="{column.heading}" data-value="{escape(value)}" {kind}>{shown}</td>'


def _link(word: str, url: str | None) -> str:
    return f'<a href="{escape(str(url))}">{escape(word)}</a>' if is_web_address(url) else ""


def _source(row: LeaderboardRow) -> str:
    """Return the source: a link, or for a measured row its date, command and the name of its evaluation record.

    The record's folders are left out, since they are those of this machine.
    """
    if row.date is not None:
        record = escape(f"record: {PurePath(str(row.source_url)).name}")
        return f'<span title="{record}">{escape(row.date[:10])}</span> <code>{escape(row.source)}</code>'
    words = _ARXIV.sub("", row.source)
    return _link(words, row.source_url) or escape(words)
