"""``tipr-zoo info``: everything that is known of one model, or of one file of weights."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tipr_zoo.cards.card import ZERO_SHOT, ModelCard
from tipr_zoo.cards.hub_reference import is_hub_reference
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Link, Paper
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.results import Result
from tipr_zoo.cards.schema import SizeBlock
from tipr_zoo.display.model_size import millions, pixels
from tipr_zoo.display.selection_mark import TEST_SELECTION_LEGEND, marked
from tipr_zoo.display.tables import printable, render_table, terminal_width, to_json
from tipr_zoo.models.lookup import load_card
from tipr_zoo.plugins.discovery import FIRST_PARTY, installed_plugins
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.streams import write_document
from tipr_zoo.terminal.suggested_command import quoted

WEIGHTS_ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

NAME = "info"
HELP = "show everything on a model's card, or what a file of weights is"
EXAMPLE = """
tipr-zoo info irra_vitb16_cuhk
tipr-zoo info irra_vitb16_cuhk --json
tipr-zoo info ViT-B-16.pt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "name", metavar="NAME", help="the model's name, of `tipr-zoo list`; or a file of weights, whoever wrote it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the card, or what is known of the file."""
    if _is_file(arguments.name):
        _print_weights(Path(arguments.name), arguments.json)
        return
    card = load_card(arguments.name)
    if arguments.json:
        write_document(to_json(_as_json(card)))
        return
    width = terminal_width()
    print(card.name)
    _print_facts(_facts(card))
    if card.results:
        rows = [
            [
                result.dataset,
                result.split,
                *map(result.metrics.get, METRICS),
                marked(_origin(result), result.selected_on),
                result.source_name,
            ]
            for result in card.results
        ]
        print("\n" + render_table(["data set", "split", *METRICS, "origin", "source"], rows, width=width))
        if any(result.selected_on == "test" for result in card.results):
            print(f"\n{TEST_SELECTION_LEGEND}")
    print("\n" + "\n".join(_commands(card)))
    print("\n" + printable(card.description))


def _origin(result: Result) -> str:
    """Return where figures come from, and how many pictures of each caption were ranked again."""
    return f"{result.origin}, re-ranks {result.rerank}" if result.rerank else result.origin


def _is_file(name: str) -> bool:
    """Tell whether a file is meant and no model. A model's name has no folders in it and ends in no such way."""
    if name in card_index().cards or is_hub_reference(name):
        return False
    return Path(name).exists() or Path(name).name != name or name.endswith(WEIGHTS_ENDINGS)


def _print_weights(file: Path, as_json: bool) -> None:
    from tipr_zoo.commands.weights_info import commands_for, facts_lines, weights_facts

    facts = weights_facts(file)
    if as_json:
        print(to_json(facts))
        return
    print(printable(str(file)))
    _print_facts(facts_lines(facts))
    if commands := commands_for(facts):
        print("\n" + "\n".join(map(printable, commands)))


def _print_facts(facts: list[tuple[str, str]]) -> None:
    width, indent = terminal_width(), max(len(name) for name, _ in facts) + 4
    for name, text in facts:
        line = f"  {name}".ljust(indent) + printable(text)
        print(filled(line, width, next_indent=" " * indent, hyphens=False) if width else line)


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    """Return the name and text of every field that the card has."""
    facts = [
        ("plugin", _plugin(card)),
        ("method", _method(card.method)),
        ("data sets", ", ".join(card.datasets)),
        ("recipe", card.config),
        ("size", _size(card.size)),
        ("weights", _weights(card)),
        ("paper", _link(card.paper)),
        ("code", _link(card.code)),
        ("licence", card.license),
        ("protocol", " ".join(card.protocol.split())),
        ("tags", ", ".join(card.tags)),
        ("card", str(card.path)),
    ]
    return [(name, text) for name, text in facts if text]


def _plugin(card: ModelCard) -> str:
    if card.plugin is None:
        return "core"
    if (plugin := installed_plugins().get(card.plugin)) is None:
        return f"{card.plugin} (not installed)"
    return f"{card.plugin} ({plugin.distribution} {plugin.version})"


def _method(method: MethodFacts) -> str:
    """Return the method with its encoders and its pretraining data."""
    by_kind = {"image": method.image_encoder, "text": method.text_encoder}
    encoders = [f"{kind} encoder {name}" for kind, name in by_kind.items() if name]
    extra = [f"extra person data: {method.pretraining}"] if method.pretraining else []
    return ", ".join([method.name, *encoders, *extra])


def _weights(card: ModelCard) -> str:
    note = " ".join((card.weights_note or "").split())
    if card.weights is None:
        return note or "none are published"
    weights = card.weights
    facts = f"{weights.size / 1e6:.1f} MB {weights.format}, licence {weights.license}, sha256 {weights.sha256}"
    return f"{weights.location} ({facts})" + (f"; {note}" if note else "")


def _size(size: SizeBlock | None) -> str:
    if size is None:
        return ""
    return (
        f"{millions(size.parameters)} parameters ({size.parameters:,}), embeddings of {size.embedding} numbers,"
        f" pictures of {pixels(size.input)} pixels" + _parts(size)
    )


def _parts(size: SizeBlock) -> str:
    """Return how many embeddings the similarity joins, where they are several."""
    if not size.parts:
        return ""
    parts = " and ".join(f"{name} ({count:,})" for name, count in size.parts.items())
    return f"; its similarity joins the embeddings {parts}"


def _link(link: Link | None) -> str:
    if link is None:
        return ""
    licence = "no licence" if link.license == "none" else f"licence {link.license}"
    note = f", {link.license_note}" if isinstance(link, Code) and link.license_note else ""
    words = [link.title, link.url]
    if isinstance(link, Paper):
        words[1:1] = [" ".join(str(word) for word in (link.venue, link.year) if word)]
        words += [f"doi {link.doi}"] if link.doi else []
    return ", ".join(filter(None, words)) + (f" ({licence}{note})" if link.license else "")


def _commands(card: ModelCard) -> list[str]:
    """Return command lines for this model. The first installs its plugin where that is missing."""
    install = []
    if card.plugin is not None and card.plugin not in installed_plugins():
        known = FIRST_PARTY.get(card.plugin)
        install = [f"  pip install {quoted(known)}" if known else f"  (install what brings the plugin {card.plugin})"]
    weights = "" if card.weights else " --weights FILE"
    return [
        "use it:",
        *install,
        *([] if ZERO_SHOT in card.tags else [f"  tipr-zoo train {quoted(card.name)} --data DIR"]),
        f"  tipr-zoo eval {quoted(card.name)} --data DIR{weights}",
        f'  tipr-zoo search {quoted(card.name)} FOLDER "a man in a red jacket"{weights}',
    ]


def _as_json(card: ModelCard) -> dict[str, Any]:
    return {**asdict(card), "path": str(card.path), "installed": card.plugin in {None, *installed_plugins()}}
