"""Several processes that train and evaluate as one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tipr_zoo import distributed
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.embedding import embed_dataset
from tipr_zoo.registries import SAMPLERS
from tipr_zoo.training.pairs.batch_sampler import BatchSampler
from tipr_zoo.training.train import train
from tipr_zoo.weights.tensors import read_weights

pytestmark = pytest.mark.slow

METHODS = (
    "irra_tiny_synth",
    "fmfa_tiny_synth",
    "sen_tiny_synth",
    "rde_tiny_synth",
    "tbps_clip_tiny_synth",
    "rasa_tiny_synth",
)
ANY_OBJECTIVE = "irra_tiny_synth with other objectives"


def torchrun(script: Path, *words: str, port: int, site: Path | None = None) -> str:
    """Run a script in two processes; returns what they printed."""
    path = os.pathsep.join([*([str(site)] if site else []), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *f"-m torch.distributed.run --nproc-per-node 2 --master-port {port}".split(), script, *words],
        text=True,
        capture_output=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# The losses of a batch that is spread over processes

ONE_STEP = """
import copy, json, logging, sys
import torch
import tipr_zoo
from tipr_zoo.registries import HEADS
from tipr_zoo.distributed import as_one_process, is_main_process, joined_processes
from tipr_zoo.distributed import mean_over_processes, process_count, process_rank
from tipr_zoo.training.loop.global_batch import global_loss, synchronise_features

logging.disable(logging.CRITICAL)

@HEADS.register_module()
class Unaware(torch.nn.Module):
    # Somebody's head, which knows nothing of several processes: it draws, and compares all pairs of the batch.

    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(128, 128)

    def forward(self, features, batch, retriever):
        assert {"pids", "images"} <= set(batch) and batch.get("mask_noise") is None
        hidden = self.mix(features.image_tokens[:, 1:].mean(1)) * torch.rand(len(batch.get("pids")), 1).double()
        words = retriever.encode_text(dict(batch.items())["mlm_ids"]) + features.text_tokens.mean(1)
        return (hidden @ words.t()).logsumexp(1).square().mean()

def one_step(name):
    torch.manual_seed(0)
    overrides = {} if name.startswith(("rde", "rasa", "tbps")) else {"model.heads.id.num_identities": 6}
    if " " in name:
        overrides |= {"model.losses.itc": {"type": "ITC"}, "model.losses.cmpm": {"type": "CMPM"}}
        overrides |= {"model.heads.odd": {"type": "Unaware"}}
    spread = tipr_zoo.build(name.split()[0], overrides=overrides).double().train()
    for objective in spread.objectives.values():
        if hasattr(objective, "setup"):
            objective.setup(spread)
    alone = copy.deepcopy(spread)
    captions = ["A man in a red coat.", "A woman with a black bag and blue jeans.", "A man.", "A woman in a dress."]
    ids = spread.tokenize(captions * 2)
    labels = torch.zeros_like(ids)
    labels[:5, 1] = ids[:5, 1]  # unevenly many masked words in the two processes
    labels[0, 2] = ids[0, 2]
    batch = {
        "images": torch.randn(8, 3, *spread.image_size, dtype=torch.float64),
        "caption_ids": ids[:, :20], "mlm_ids": ids[:, :20], "mlm_labels": labels[:, :20],
        "pids": torch.tensor([0, 1, 2, 3, 4, 5, 0, 1]), "soft_label_ratio": torch.linspace(0, 0.5, 8),
    }
    for view in ("augmented", "self_supervised_1", "self_supervised_2"):
        batch[view] = torch.randn_like(batch["images"])
    torch.manual_seed(5)
    with as_one_process():  # which draws for every row
        expected = alone.loss(batch)
        sum(expected.values()).backward()
    synchronise_features(spread)
    rows = 8 // process_count()
    own = {key: value[process_rank() * rows:(process_rank() + 1) * rows] for key, value in batch.items()}
    if is_main_process():  # padding was cut after the longest caption of these rows
        own |= {key: own[key][:, :14] for key in ("caption_ids", "mlm_ids", "mlm_labels")}
    torch.manual_seed(5)
    losses = global_loss(spread, own)
    sum(losses.values()).backward()
    largest = max(float(q.grad.abs().max()) for q in alone.parameters() if q.grad is not None)
    apart = 0.0
    for (key, p), q in zip(spread.named_parameters(), alone.parameters()):
        assert (p.grad is None) == (q.grad is None), key
        if p.grad is not None:
            apart = max(apart, float((mean_over_processes(p.grad) - q.grad).abs().max()))
    for p, q in zip(spread.buffers(), alone.buffers()):
        apart = max(apart, float((p - q).abs().max()))
    return {
        "losses": {key: float(mean_over_processes(value.detach())) for key, value in losses.items()},
        "expected": {key: float(value.detach()) for key, value in expected.items()},
        "gradients apart": apart, "largest gradient": largest,
    }

with joined_processes(torch.device("cpu")):
    results = {name: one_step(name) for name in sys.argv[1:]}
    if is_main_process():
        print(json.dumps(results))
"""


def test_two_processes_have_the_losses_and_gradients_of_one_with_the_same_batch(tmp_path: Path) -> None:
    """In float64, of all methods in one start of two processes: their imports take longer than the steps."""
    script = tmp_path / "one_step.py"
    script.write_text(ONE_STEP)
    results = json.loads(torchrun(script, *METHODS, ANY_OBJECTIVE, port=_port()))
    assert list(results) == [*METHODS, ANY_OBJECTIVE]
    for name, result in results.items():
        assert result["losses"] == pytest.approx(result["expected"], rel=1e-12), name
        assert result["gradients apart"] < 1e-9 * result["largest gradient"], name


ANY_MODEL = """
import copy, json, logging, sys
import torch
import plain_package.components
import tipr_zoo_rde.components
from tipr_zoo.distributed import is_main_process, joined_processes, mean_over_processes, process_count, process_rank
from tipr_zoo.distributed import rand_rows
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.training.loop.global_batch import global_loss, synchronise_features

logging.disable(logging.CRITICAL)
IMAGE = dict(
    type="VisionTransformerEncoder", model_name="vit_tiny_patch16_224", embedding_size=64, image_size=(64, 32),
    width=32, depth=2, num_heads=2,
)
TEXT = dict(type="CLIPTextEncoder", embedding_size=64, vocabulary_size=800, width=32, depth=1, num_heads=2)
TOWERS = dict(image_encoder=IMAGE, text_encoder=TEXT, tokenizer=dict(type="SmallTokenizer", file="synthpedes.json"))
RDE = dict(
    type="RobustDualEmbedding", selected_size=48, **TOWERS,
    losses={
        "bge": dict(type="TripletAlignment", part="bge"), "tse": dict(type="TripletAlignment", part="tse"),
        "itc": dict(type="GatedITC", part="tse"), "sdm": dict(type="GatedSDM", part="bge"),
    },
)
ID = dict(heads=dict(id=dict(type="IdentityClassification", embedding_size=64, num_identities=6)))

class OwnLoss(tipr_zoo_rde.components.RobustDualEmbedding):
    # Somebody's model, of whose loss nothing is known.

    def loss(self, batch):
        features = self.features(batch)
        image, text = features.part("tse")
        return {"own": ((image @ text.t()).logsumexp(1) * rand_rows(len(image))).mean()}

class OwnFeatures(tipr_zoo_rde.components.RobustDualEmbedding):
    has_separate_rows = False

    def features(self, batch, patch_tokens=True):
        return super().features(batch, patch_tokens).mapped(lambda rows: rows - rows.mean(0))

from tipr_zoo.registries import MODELS
MODELS.register_module(module=OwnLoss)
MODELS.register_module(module=OwnFeatures)
RECIPES = {
    "rde": RDE, "rde with a head": RDE | ID, "own loss": RDE | dict(type="OwnLoss"),
    "own features": RDE | dict(type="OwnFeatures"), "plain": dict(type="Plain"),
}

def steps(name):
    torch.manual_seed(0)
    spread = build_retriever(RECIPES[name]).double().train()
    alone = copy.deepcopy(spread)
    synchronise_features(spread)
    optimisers = [torch.optim.SGD(model.parameters(), lr=1e-3) for model in (spread, alone)]
    captions = ["A man in a red coat.", "A woman with a black bag and blue jeans.", "A man.", "A woman in a dress."]
    apart, found = 0.0, []
    for step in range(3):
        ids = spread.tokenize(captions * 2)
        batch = {
            "images": torch.randn(8, 3, *spread.image_size, dtype=torch.float64), "caption_ids": ids,
            "pids": torch.tensor([0, 1, 2, 3, 4, 5, 0, 1]),
            "label_hat": torch.tensor([1, 0, 1, 1, 1, 1, 0, 1.0]),
        }
        rows = 8 // process_count()
        own = {key: value[process_rank() * rows:(process_rank() + 1) * rows] for key, value in batch.items()}
        for optimiser in optimisers:
            optimiser.zero_grad()
        torch.manual_seed(5)
        expected = alone.loss(batch)
        sum(expected.values()).backward()
        torch.manual_seed(5)
        losses = global_loss(spread, own)
        sum(losses.values()).backward()
        for parameter in spread.parameters():
            if parameter.grad is not None:
                parameter.grad = mean_over_processes(parameter.grad)
        for optimiser in optimisers:
            optimiser.step()
        for key in expected:
            found.append([float(mean_over_processes(losses[key].detach())), float(expected[key].detach())])
        torch.manual_seed(step)
    for p, q in zip(spread.state_dict().values(), alone.state_dict().values()):
        apart = max(apart, float((p.double() - q.double()).abs().max()))
    moved = float((alone.state_dict()[list(alone.state_dict())[0]]).abs().sum())
    return {"losses": found, "apart": apart, "moved": moved}

with joined_processes(torch.device("cpu")):
    results = {name: steps(name) for name in RECIPES}
    if is_main_process():
        print(json.dumps(results))
"""


def test_any_model_learns_in_two_processes_what_it_learns_in_one(tmp_path: Path) -> None:
    from plain_plugin import write_plugin

    write_plugin(tmp_path / "site")
    (tmp_path / "any_model.py").write_text(ANY_MODEL)
    results = json.loads(torchrun(tmp_path / "any_model.py", port=_port(), site=tmp_path / "site"))
    assert set(results) == {"rde", "rde with a head", "own loss", "own features", "plain"}
    for name, result in results.items():
        for found, expected in result["losses"]:
            assert found == pytest.approx(expected, rel=1e-10), name
        assert result["apart"] < 1e-10, name


def _port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# A whole training


def history(work_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]


LORA = "training.adapters={'type':'lora','r':2,'targets':['attn.qkv','q_proj','mlp.fc*']}"

# Adam turns the rounding of gradients that should be 0 into steps of full length; SGD does not.
SGD = ["training.optimizer={'type':'SGD','lr':0.001}", "training.clip_gradient_norm=None"]

ALL_AT_ONCE = {
    "optimizer": {"type": "SGD", "lr": 0.001, "momentum": 0.9},
    "clip_gradient_norm": None,
    "accumulate_steps": 2,
    "schedule": {"type": "OneCycleLR", "max_lr": 0.002, "every_step": True},
    "parameter_patterns": [
        {"pattern": "text_encoder.*", "rate": 0.5},
        {"pattern": "image_encoder.trunk.norm.*", "frozen": True},
    ],
    "layer_decay": 0.8,
    "ema": {"decay": 0.5},
    "gradient_checkpointing": True,
    "trim_padding": False,
    "compile": {"backend": "aot_eager"},
}

TRAININGS = """
import json, sys
import torch
from tipr_zoo.command_line import main
from tipr_zoo.distributed import joined_processes

with joined_processes(torch.device("cpu")):
    for words in json.loads(sys.argv[1]):
        if main(words):
            sys.exit(f"failed: {words}")
"""


@pytest.fixture
def trained(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, free_port: int, capfd: pytest.CaptureFixture[str]
) -> Callable[..., list[Path]]:
    """Trains the tiny model several times, in one start of two processes or in this process; gives the work dirs."""
    script = tmp_path / "trainings.py"
    script.write_text(TRAININGS)

    def train_all(processes: int, runs: dict[str, list[str]], *words: str) -> list[Path]:
        folders = [tmp_path / f"{name} {processes}" for name in runs]
        common = ["train", "a_tiny_model", "--data", str(synthpedes), "--device", "cpu"]
        every = [
            [*common, "--work-dir", str(folder), *words, *own]
            for folder, own in zip(folders, runs.values(), strict=True)
        ]
        if processes == 1:
            assert [main(own) for own in every] == [0] * len(every), capfd.readouterr().err
        else:
            printed = torchrun(script, json.dumps(every), port=free_port, site=tiny_zoo.parents[1])
            assert printed.count("weights: ") == len(every), "one process prints"
        return folders

    return train_all


def test_trainings_in_two_processes_have_the_losses_and_figures_of_one(trained: Callable[..., list[Path]]) -> None:
    runs = {"plain": ["--cfg-options", *SGD]}
    if importlib.util.find_spec("peft") is not None:
        runs["adapters"] = ["--cfg-options", *SGD, LORA]
    for one, two in zip(trained(1, runs), trained(2, runs), strict=True):
        assert [row["epoch"] for row in history(two)] == [1, 1, 2, 2]
        check_histories(history(one), history(two), rel=2e-5)
        names = [path.name for path in one.glob("*.safetensors")]
        assert len(names) == 1 + ("adapters" in one.name)
        for name in names:
            weights, others = (read_weights(run / name) for run in (one, two))
            assert weights.keys() == others.keys()
            for key, value in weights.items():
                torch.testing.assert_close(others[key], value, rtol=1e-3, atol=1e-5, msg=key)


def check_histories(one: list[dict[str, Any]], two: list[dict[str, Any]], *, rel: float) -> None:
    """Check that two trainings went alike."""
    for expected, found in zip(one, two, strict=True):
        for key in expected.keys() - {"seconds", "validation"}:
            assert found[key] == pytest.approx(expected[key], rel=rel), key
        assert found.get("validation") == pytest.approx(expected.get("validation"), abs=1e-3)


def tensors_of(work_dir: Path) -> dict[str, torch.Tensor]:
    """The averages and the weights in the last checkpoint."""
    content = torch.load(work_dir / "epoch_2.pth", weights_only=True)
    averages = {f"average of {name}": value for name, value in content["moving_average"]["averages"].items()}
    return {**averages, **content["state_dict"]}


def test_rates_averages_and_blocks_are_in_two_processes_as_in_one_and_go_on_after_a_stop(
    trained: Callable[..., list[Path]], tiny_zoo: Path
) -> None:
    weights = ["--weights", str(tiny_zoo / "tiny.safetensors")]
    options = [*weights, "--cfg-options", *(f"training.{entry}={value}" for entry, value in ALL_AT_ONCE.items())]
    plain, half = ([*options, f"training.precision={precision}"] for precision in ("float32", "float16"))
    (one,) = trained(1, {"all": plain})
    stopped = ["--max-minutes", "0", *half]
    two, whole, begun = trained(2, {"all": plain, "whole": half, "stopped": stopped})
    expected, found = tensors_of(one), tensors_of(two)
    assert [name for name in expected if name.startswith("average of ")]
    for name, value in expected.items():
        if name.startswith("average of "):
            torch.testing.assert_close(found[name], value, atol=2e-5, rtol=1e-3, msg=name)
    check_histories(history(one), history(two), rel=1e-4)

    assert not (begun / "epoch_2.pth").exists()
    (resumed,) = trained(2, {"stopped": half}, "--resume")  # in processes that know nothing of the first half
    before, after = tensors_of(whole), tensors_of(resumed)
    assert before.keys() == after.keys()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []


# A hook of one process

STOPPED_BY_ONE = """
import json, logging, sys
from pathlib import Path
import torch
from tipr_zoo.datasets import open_dataset
from tipr_zoo.distributed import is_main_process, joined_processes, process_rank
from tipr_zoo.registries import HOOKS
from tipr_zoo.training.train import train

logging.disable(logging.CRITICAL)

@HOOKS.register_module()
class Ending:
    # Measures all pairs before each epoch, and ends the training in the last process alone.

    def __init__(self, moment):
        setattr(self, moment, self.end)

    def before_epoch(self, run):
        found = run.measure_pairs(lambda batch: {"index": batch["pair_indices"], "person": batch["pids"]})
        run.note("pairs", int((found["index"] == torch.arange(len(found["index"]))).sum()))
        run.note("persons", float(found["person"].sum()))

    def end(self, run, *_):
        if process_rank() == 1:
            run.stop()

splits = [open_dataset(sys.argv[1], split=split) for split in ("train", "val")]
common = {"training.optimizer": {"type": "SGD", "lr": 0.001}, "training.clip_gradient_norm": None}
with joined_processes(torch.device("cpu")):
    for moment in sys.argv[3:]:
        overrides = common | {"training.max_epochs": 3, "training.hooks": [{"type": "Ending", "moment": moment}]}
        work_dir = Path(sys.argv[2]) / moment
        result = train("a_tiny_model", *splits, work_dir, overrides=overrides)
        if moment == "after_validation":
            train("a_tiny_model", *splits, work_dir, overrides=overrides, resume=True)
        (Path(sys.argv[2]) / f"{moment}_{process_rank()}").write_text(str(result.selected_epoch))
"""


def test_a_hook_ends_the_training_of_all_processes_in_one_of_them(
    tiny_zoo: Path,
    synthpedes: Path,
    splits: tuple[PersonDataset, PersonDataset],
    tmp_path: Path,
    free_port: int,
) -> None:
    script, moments = tmp_path / "stopped.py", ("after_step", "after_validation", "before_run")
    script.write_text(STOPPED_BY_ONE)
    torchrun(script, str(synthpedes), str(tmp_path), *moments, port=free_port, site=tiny_zoo.parents[1])
    sgd = {"training.optimizer": {"type": "SGD", "lr": 0.001}, "training.clip_gradient_norm": None}
    train("a_tiny_model", *splits, tmp_path / "one", overrides=sgd | {"training.max_epochs": 3}, max_minutes=0)
    expected = read_weights(tmp_path / "one" / "a_tiny_model.safetensors")
    for moment in moments:
        epochs, rows = int(moment != "before_run"), history(tmp_path / moment)
        assert {(tmp_path / f"{moment}_{rank}").read_text() for rank in (0, 1)} == {str(epochs)}
        assert [(row["epoch"], "validation" in row) for row in rows] == [(1, False), (1, True)][: 2 * epochs], moment
        if epochs:
            assert (rows[0]["pairs"], rows[0]["persons"]) == (24, sum(splits[0].labels) * 2)
            assert rows[0]["loss"] == pytest.approx(history(tmp_path / "one")[0]["loss"], rel=2e-5)
            weights = read_weights(tmp_path / moment / "a_tiny_model.safetensors")
            for key, value in expected.items():
                torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-5, msg=key)


# Who gets which pairs


@pytest.fixture
def as_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this process believe that it is one of several."""

    def become(rank: int, count: int) -> None:
        from tipr_zoo.training.pairs import batch_sampler

        monkeypatch.setattr(batch_sampler, "process_count", lambda: count)
        monkeypatch.setattr(batch_sampler, "process_rank", lambda: rank)

    return become


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("sampler", ["ShuffledPairs", "idrannum"])
def test_the_processes_share_each_batch_without_overlap(as_process: Any, sampler: str, count: int) -> None:
    import tipr_zoo_sen.components  # noqa: F401  registers idrannum

    identities = torch.arange(60).repeat_interleave(2)
    known = {"seed": 3, "batch_size": 16}
    known |= {"identities": identities} if sampler == "idrannum" else {"lengths": torch.full((120,), 9)}
    whole = list(BatchSampler(SAMPLERS.build({"type": sampler}, **known), 16))
    shares = []
    for rank in range(count):
        as_process(rank, count)
        shares.append(list(BatchSampler(SAMPLERS.build({"type": sampler}, **known), 16)))
    assert len(whole) >= 5
    for step, batch in enumerate(whole):
        assert [key for share in shares for key in share[step]] == batch
    seen = Counter(key for share in shares for step in share for key in step)
    assert set(seen.values()) == {1}


def test_a_batch_that_cannot_be_shared_is_told(as_process: Any) -> None:
    as_process(0, 3)
    with pytest.raises(ConfigError, match=r"training.batch_size 16 is that of all processes together and"):
        BatchSampler(SAMPLERS.build({"type": "ShuffledPairs"}, lengths=torch.ones(20), seed=0, batch_size=16), 16)


# Evaluation

EMBED = """
import sys
import torch
import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.distributed import is_main_process, joined_processes
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures

with joined_processes(torch.device("cpu")):
    model = tipr_zoo.build("irra_tiny_synth", pretrained=True)
    dataset = open_dataset(sys.argv[1], split="train")
    captions = embed_captions(model, dataset.captions, batch_size=5)
    pictures = embed_pictures(model, dataset.pictures, batch_size=5)
    torch.save((captions, pictures), sys.argv[2] + str(int(is_main_process())))
"""


def test_evaluation_in_two_processes_gives_every_one_the_embeddings_of_one(
    synthpedes: Path, tmp_path: Path, free_port: int
) -> None:
    script = tmp_path / "embed.py"
    script.write_text(EMBED)
    torchrun(script, str(synthpedes), str(tmp_path / "embeddings"), port=free_port)
    import tipr_zoo

    expected = embed_dataset(
        tipr_zoo.build("irra_tiny_synth", pretrained=True), open_dataset(str(synthpedes), split="train")
    )
    for process in (0, 1):
        captions, pictures = torch.load(tmp_path / f"embeddings{process}")
        # Batches are of other sizes in two processes, and large products are computed in another way than small ones.
        torch.testing.assert_close(captions, expected.captions, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pictures, expected.pictures, atol=1e-5, rtol=1e-5)


# One process alone


def test_a_process_alone_needs_no_other() -> None:
    rows = torch.ones(2, 3, requires_grad=True)
    assert distributed.gather_rows(rows) is rows
    assert (distributed.process_count(), distributed.process_rank(), distributed.is_main_process()) == (1, 0, True)
    assert distributed.gather_objects("a") == ["a"]
    with distributed.main_process_first():
        pass
