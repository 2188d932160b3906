"""``tipr-zoo push``: publish a model on the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipr_zoo.authoring.hub_push import PushPlan

NAME = "push"
HELP = "publish a model on the Hugging Face Hub: card, weights, records and recipe"
EXAMPLE = """
tipr-zoo push my_model me/my_model --dry-run
tipr-zoo push my_model.md me/my_model --private
tipr-zoo push my_model me/my_model --weights best.safetensors --revision second-try
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model's name, or its card (.md)")
    parser.add_argument("repository", metavar="OWNER/REPO", help="where to; made if need be")
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, help="safetensors to upload instead of the card's weights"
    )
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to upload to; made if need be (default: main)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be uploaded, and ask nobody")


def run(arguments: argparse.Namespace) -> None:
    """Print what is uploaded, and upload it."""
    from tipr_zoo.authoring.hub_push import plan_push, push

    plan = plan_push(arguments.name, arguments.repository, arguments.weights, arguments.revision, arguments.private)
    print(_summary(plan), flush=True)
    if arguments.dry_run:
        print("nothing was uploaded (--dry-run)")
        return
    pushed = push(plan)
    print(f"uploaded: {pushed.url}" if pushed.is_new else f"the Hub has all of it already: {pushed.url}")
    print(f'use it: tipr_zoo.build("hub:{plan.repository}@{pushed.commit}")')


def _summary(plan: PushPlan) -> str:
    """Return the files to upload, their place, and the differences between the uploaded card and the local one."""
    from tipr_zoo.display.tables import render_table, terminal_width

    visibility = " (private if new)" if plan.private else ""
    rows = [[file.path, file.kind, f"{file.size:,}"] for file in plan.files]
    lines = [
        f"{plan.model} to {plan.repository}, branch {plan.branch}{visibility}",
        "",
        render_table(["file", "what", "bytes"], rows, width=terminal_width()),
        "",
    ]
    lines += [f"changed in the card: {change}" for change in plan.changes]
    return "\n".join(lines)
