"""What cannot be typed in a test as it stands on a page, and what is typed instead. The list is closed."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from as_typed.checkout import IDENTITIES

SHORT_WITHOUT_HEADS = f"--data data/synthpedes --cfg-options training.max_epochs=1 training.batch_size={IDENTITIES}"
SHORT = f"{SHORT_WITHOUT_HEADS} model.heads.id.num_identities={IDENTITIES}"
"""Makes a training on drawn people one step long."""


@dataclass(frozen=True)
class StandIn:
    """What is done with some lines of some pages.

    Attributes:
        pages: Which pages, as a pattern of their paths in the repository.
        typed: The whole line, or a pattern of lines. Of a Python block it is the first line.
        why: What is missing here, or what is expected.
        instead: What is typed instead; the line itself by default, nothing where it is None.
        code: The exit code that is right.
    """

    pages: str
    typed: str
    why: str
    instead: str | None = "{line}"
    code: int = 0

    def fits(self, page: str, line: str) -> bool:
        return fnmatchcase(page, self.pages) and (line == self.typed or fnmatchcase(line, self.typed))


LINES = (
    # Making and testing the project itself
    StandIn("*", "make demo", "it installs; the steps of demo.sh are typed in the tour", None),
    StandIn("*", "make test", "it runs this test", None),
    StandIn("CONTRIBUTING.md", "make install", "it makes the environment that the tests run in", None),
    StandIn("CONTRIBUTING.md", ". .venv/bin/activate", "the tests run in that environment", None),
    StandIn("CONTRIBUTING.md", "tipr-zoo doctor", "docs/install.md has it as well", None),
    StandIn("CONTRIBUTING.md", "pytest tests/cards", "`make test` runs them", "python -m pytest --version"),
    # Installing
    StandIn(
        "*",
        "pip install -c constraints.txt . ./plugins/fmfa ./plugins/rasa ./plugins/rde ./plugins/sen"
        " ./plugins/tbps_clip",
        "tests/test_wheels.py does it",
        None,
    ),
    StandIn("*", "pip install tipr-zoo-*", "of the project's own packages those that are here are tried", None),
    StandIn("docs/install.md", "pip uninstall *", "the other tests need what it removes", None),
    StandIn("docs/install.md", "rm -r ~/.cache/tipr_zoo", "nothing outside of the page's folder is removed", None),
    StandIn(
        "docs/plugin_tutorial*.md", "*", "tests/test_wheels.py types these pages, in an environment of their own", None
    ),
    # What takes long
    StandIn(
        "README.md",
        "tipr-zoo train hard_pairs_tiny_synth",
        "half a minute: fewer people are drawn",
        "{line} --cfg-options training.max_epochs=1 training.dataset_arguments.train=32"
        " training.dataset_arguments.val=4 training.dataset_arguments.test=4",
    ),
    StandIn(
        "docs/training.md",
        "tipr-zoo train rde_tiny_synth --work-dir work_dirs/noise *",
        "half an hour",
        f"{{line}} training.max_epochs=1 training.batch_size={IDENTITIES} --data data/synthpedes",
    ),
    StandIn("*", "tipr-zoo train rde_tiny_synth*", "half an hour", "{line} " + SHORT_WITHOUT_HEADS),
    StandIn("*", "tipr-zoo train tbps_clip_tiny_synth*", "half an hour", "{line} " + SHORT_WITHOUT_HEADS),
    StandIn("*", "tipr-zoo train rasa_tiny_synth*", "an hour", "{line} " + SHORT_WITHOUT_HEADS),
    StandIn("*", "tipr-zoo train rasa_vitb16_*", "BERT's vocabulary, from the Hub; plugins/rasa/tests trains", None),
    StandIn("plugins/rde/README.md", "tipr-zoo reproduce *", "three trainings; tests/reproduction types it", None),
    StandIn("*", "tipr-zoo train *_tiny_synth", "half an hour", "{line} " + SHORT),
    StandIn("*", "tipr-zoo train *_tiny_synth --resume", "half an hour", "{line} " + SHORT),
    StandIn("*", "tipr-zoo train *_tiny_*synth --work-dir work_dirs/mine", "half an hour", "{line} " + SHORT),
    StandIn(
        "plugins/sen/README.md", "tipr-zoo train irra_tiny_synth --cfg-options *", "half an hour", "{line} " + SHORT
    ),
    StandIn("*", "tipr-zoo reproduce irra_tiny_synth", "three trainings; tests/reproduction types it", None),
    StandIn(
        "docs/evaluation.md",
        "tipr-zoo reproduce irra_vitb16_cuhk *",
        "three trainings at full size, on real people; tests/reproduction types it",
        None,
    ),
    StandIn("docs/evaluation.md", "tipr-zoo reproduce my_model *", "five trainings; tests/reproduction types it", None),
    StandIn("docs/tour.md", "tipr-zoo data synth *", "drawing 200 people", "{line} --test 16"),
    StandIn("docs/tour.md", "tipr-zoo train *", "two epochs", "{line} training.max_epochs=1"),
    StandIn(
        "docs/training.md",
        "tipr-zoo train irra_tiny_synth --work-dir work_dirs/next --dry-run",
        "a minute to draw 1,300 people",
        "{line} --data data/synthpedes",
    ),
    StandIn(
        "docs/training.md",
        "tipr-zoo train irra_tiny_synth --recipe *",
        "half an hour; its recipe is that of the short training before",
        "{line} --data data/synthpedes",
    ),
    # Several GPUs
    StandIn(
        "README.md",
        "torchrun --nproc-per-node 4 *",
        "four GPUs: two processes on the CPU",
        "torchrun --nproc-per-node 2 -m tipr_zoo train irra_vitb16_cuhk --data data/CUHK-PEDES --weights ViT-B-16.pt"
        " --work-dir work_dirs/two --device cpu",
    ),
    StandIn(
        "docs/training.md",
        "tipr-zoo train irra_tiny_synth --work-dir work_dirs/averages *",
        "half an hour",
        "{line} training.max_epochs=1 training.batch_size="
        f"{IDENTITIES} model.heads.id.num_identities={IDENTITIES} --data data/synthpedes",
    ),
    StandIn(
        "docs/training.md",
        "tipr-zoo train irra_tiny_synth --work-dir work_dirs/early *",
        "half an hour",
        "{line} training.max_epochs=1 training.batch_size="
        f"{IDENTITIES} model.heads.id.num_identities={IDENTITIES} --data data/synthpedes",
    ),
    StandIn("docs/training.md", "torchrun *", "four GPUs; the README's line is the same and tried", None),
    # Drawn people
    StandIn("*", "tipr-zoo data check data/CUHK-PEDES", "its counts are not the published ones", code=1),
    StandIn("docs/data.md", "tipr-zoo data check mine", "the page shows its problem", code=1),
    StandIn("*", "tipr-zoo eval --matrix * irra_vitb16_cuhk *", "it has no weights, as the page says", code=1),
    # The Hub
    StandIn("README.md", "tipr-zoo cards check my_model.md", "TODO is left on the card, as the page says", code=1),
    StandIn(
        "README.md",
        "tipr-zoo push my_model *",
        "a person writes what is marked TODO: the marks are taken out",
        "sed -i 's/TODO//' my_model.md && {line}",
    ),
    StandIn("docs/hub.md", "tipr-zoo cards check mine", "TODO is left on the card, as the page says", code=1),
)
"""Each stands for at least one line, which a test checks."""

PYTHON = {
    "README.md": "batch = similarity = query_ids = gallery_ids = None\n",
    "docs/plugin_contract.md": "from torch import nn\nfrom tipr_zoo.registries import LOSSES\n",
}
"""What is taken for granted by a page's Python, as the text around it says."""
