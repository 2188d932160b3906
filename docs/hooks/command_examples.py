"""The examples of every command that the documentation shows with their outputs.

They are really run when the site is built, in this order and in one new folder. So an example can use what an earlier
one has written. A command without an example fails the build.
"""

from __future__ import annotations

from dataclasses import dataclass

PERSON = "data/synthpedes/imgs/test/00010_0.jpg"


@dataclass(frozen=True)
class Example:
    """One command line.

    Attributes:
        line: The command line.
        about: A sentence of Markdown about what it shows.
        files: The pictures and pages to look at that it writes.
        exit_code: Its exit code.
        is_on_page: Whether the command's page shows it. Other pages may show it anyway.
    """

    line: str
    about: str = ""
    files: tuple[str, ...] = ()
    exit_code: int = 0
    is_on_page: bool = True


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "list": (
        Example("tipr-zoo list"),
        Example("tipr-zoo list 'irra*' --dataset CUHK-PEDES --json", "For a program:"),
        Example(
            "tipr-zoo list --dataset CUHK-PEDS",
            "A name that is not there is met with those that are near:",
            exit_code=2,
        ),
    ),
    "info": (Example("tipr-zoo info irra_vitb16_cuhk"),),
    "plugins": (Example("tipr-zoo plugins --timeout 300"),),
    "new-plugin": (Example("tipr-zoo new-plugin hard-pairs"),),
    "cards check": (
        Example("tipr-zoo cards check"),
        Example(
            "tipr-zoo cards check draft/irra_vitb16_cuhk.md", "A card with a field that does not exist:", exit_code=1
        ),
    ),
    "push": (Example("tipr-zoo push irra_tiny_synth me/irra_tiny_synth --dry-run"),),
    "data synth": (
        Example(
            "tipr-zoo data synth data/synthpedes --train 40 --val 20",
            "The whole test split, 200 people, and a few people to train on; without the options it is 1,000 and 100:",
        ),
    ),
    "data check": (Example("tipr-zoo data check data/synthpedes"),),
    "train": (
        Example(
            "tipr-zoo train irra_tiny_synth --data data/synthpedes --dry-run"
            " --cfg-options training.batch_size=32 model.heads.id.num_identities=40",
            "What a training would be, before it is one:",
        ),
        Example(
            "tipr-zoo train irra_tiny_synth --data data/synthpedes"
            " --cfg-options training.max_epochs=2 training.batch_size=32 model.heads.id.num_identities=40",
            "Two epochs on 40 people, enough to see it work and not enough to learn much:",
        ),
    ),
    "cards new": (
        Example(
            "tipr-zoo cards new my_model --config irra_tiny_synth.py --dataset SynthPEDES"
            " --from-weights work_dirs/irra_tiny_synth/irra_tiny_synth.safetensors --folder cards",
            "For the weights that `tipr-zoo train` wrote:",
        ),
    ),
    "eval": (
        Example("tipr-zoo eval irra_tiny_synth --data data/synthpedes --records records"),
        Example(
            "tipr-zoo eval --matrix irra_tiny_synth fmfa_tiny_synth irra_vitb16_cuhk --data data/synthpedes",
            "Several models at once. A cell that cannot be measured costs only itself, and the exit code is 1:",
            exit_code=1,
        ),
        Example("tipr-zoo eval irra_tiny_synth --data data/synthpedes --records one", is_on_page=False),
        Example("tipr-zoo eval fmfa_tiny_synth --data data/synthpedes --records other", is_on_page=False),
    ),
    "compare": (
        Example(
            "tipr-zoo compare one other",
            "Of two models that `tipr-zoo eval --records one` and `--records other` measured on the same queries:",
        ),
    ),
    "reproduce": (
        Example(
            "tipr-zoo reproduce irra_tiny_synth --data data/synthpedes --seeds 0 1"
            " --cfg-options training.max_epochs=1 training.batch_size=32 model.heads.id.num_identities=40",
            "One epoch on 40 people does not reproduce figures of six epochs on 3,000, and the command says so:",
            exit_code=1,
        ),
    ),
    "gallery create": (Example("tipr-zoo gallery create crops.gallery --model irra_tiny_synth"),),
    "gallery add": (
        Example("tipr-zoo gallery add crops.gallery data/synthpedes/imgs/val --pattern '{person}_{view}.jpg'"),
    ),
    "search": (
        Example(
            "tipr-zoo search irra_tiny_synth data/synthpedes/imgs/val"
            ' "a woman in a green skirt with a blue backpack" --top 5 --picture hits.jpg',
            files=("hits.jpg",),
        ),
        Example(
            'tipr-zoo search crops.gallery "a woman in a green skirt with a blue backpack" --where view=0 --top 3',
            "Of a gallery, see `gallery create` and `gallery add`:",
        ),
    ),
    "gallery refresh": (Example("tipr-zoo gallery refresh crops.gallery"),),
    "gallery status": (Example("tipr-zoo gallery status crops.gallery"),),
    "gallery check": (Example("tipr-zoo gallery check crops.gallery"),),
    "gallery copy": (Example("tipr-zoo gallery copy crops.gallery copy.gallery"),),
    "gallery remove": (Example("tipr-zoo gallery remove copy.gallery data/synthpedes/imgs/val/00010_0.jpg"),),
    "explain": (
        Example(
            f'tipr-zoo explain irra_tiny_synth {PERSON} "a woman in a green dress and a red hat" -o why.png',
            files=("why.png",),
        ),
    ),
    "restore": (
        Example(
            f"tipr-zoo restore sen_tiny_restoring_synth {PERSON}"
            ' "A woman in a green dress and a red hat." -o restored.jpg',
            files=("restored.jpg",),
        ),
    ),
    "convert": (
        Example(
            "tipr-zoo convert best.pth --method irra --image-size 64 32 -o mine.safetensors",
            "`best.pth` is here a small model under the official names; a full-size one needs no `--image-size`:",
        ),
    ),
    "average": (
        Example(
            "tipr-zoo average work_dirs/irra_tiny_synth/epoch_1.pth work_dirs/irra_tiny_synth/epoch_2.pth"
            " -o averaged.safetensors",
            "Both epochs of the training above:",
        ),
    ),
    "leaderboard": (
        Example("tipr-zoo leaderboard --dataset CUHK-PEDES"),
        Example(
            "tipr-zoo leaderboard --dataset SynthPEDES --records records --format markdown",
            "With a record that `tipr-zoo eval` wrote:",
        ),
        Example(
            "tipr-zoo leaderboard --format html > table.html",
            "One page for a browser, to sort and filter, which works offline:",
            files=("table.html",),
        ),
        Example("tipr-zoo leaderboard --format markdown", is_on_page=False),
    ),
    "doctor": (Example("tipr-zoo doctor"),),
}
"""The examples by command."""
