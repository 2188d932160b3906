"""R-k, mAP and mINP are those of a brutally simple ranking, whatever the input type, the chunk size or the order."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.evaluation.metrics import retrieval_metrics, retrieval_metrics_from_embeddings


def metrics_by_hand(similarity, query_ids, gallery_ids, ranks=(1, 5, 10)):
    """Sort every row in plain Python, non-matches first among the tied, and read the figures off the list."""
    found_within = dict.fromkeys(ranks, 0)
    average_precisions, inverse_penalties = [], []
    for scores, query_id in zip(similarity, query_ids, strict=True):
        items = [(-float(score), gallery_id == query_id) for score, gallery_id in zip(scores, gallery_ids, strict=True)]
        places = [place for place, (_, is_match) in enumerate(sorted(items), start=1) if is_match]
        for rank in ranks:
            found_within[rank] += places[0] <= rank
        average_precisions.append(sum(found / place for found, place in enumerate(places, start=1)) / len(places))
        inverse_penalties.append(len(places) / places[-1])
    queries = len(query_ids)
    return {
        **{f"R{rank}": 100 * found / queries for rank, found in found_within.items()},
        "mAP": 100 * sum(average_precisions) / queries,
        "mINP": 100 * sum(inverse_penalties) / queries,
    }


def random_case(seed=0, queries=40, gallery=60, identities=12):
    """A random similarity in which every identity is in the gallery, some once and some often."""
    rng = np.random.default_rng(seed)
    gallery_ids = np.concatenate([np.arange(identities), rng.integers(identities, size=gallery - identities)])
    query_ids = rng.integers(identities, size=queries)
    similarity = rng.standard_normal((queries, gallery)) + (query_ids[:, None] == gallery_ids)
    return similarity.astype(np.float32), query_ids, gallery_ids


def with_ties(similarity):
    """Round to whole numbers, so that most scores are shared."""
    return np.round(similarity)


def with_infinities(similarity):
    """Let masked-out scores be minus infinity, for matches and non-matches alike."""
    return np.where(similarity < -0.5, -np.inf, np.where(similarity > 2, np.inf, similarity))


@pytest.mark.parametrize("change", [np.copy, with_ties, with_infinities, np.zeros_like])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_sorting_by_hand(seed, change):
    similarity, query_ids, gallery_ids = random_case(seed)
    similarity = change(similarity)
    expected = metrics_by_hand(similarity, query_ids, gallery_ids)
    assert retrieval_metrics(similarity, query_ids, gallery_ids) == pytest.approx(expected, abs=1e-9)


def test_a_worked_example():
    similarity = [
        [0.9, 0.8, 0.7, 0.6],  # matches at 1 and 3: AP = (1/1 + 2/3) / 2, INP = 2/3
        [0.9, 0.8, 0.1, 0.2],  # match at 2: AP = INP = 1/2
    ]
    metrics = retrieval_metrics(similarity, ["ann", "bob"], ["ann", "bob", "ann", "cid"], ranks=(1, 2))
    assert metrics == pytest.approx({"R1": 50, "R2": 100, "mAP": 100 * (5 / 6 + 1 / 2) / 2, "mINP": 100 * 7 / 12})
    assert all(type(figure) is float for figure in metrics.values())


def test_a_tie_counts_against_the_match_in_any_order():
    flat = np.zeros((1, 4))
    for match_at in range(4):
        gallery_ids = [7 if column == match_at else 0 for column in range(4)]
        assert retrieval_metrics(flat, [7], gallery_ids, ranks=(1, 3, 4)) == pytest.approx(
            {"R1": 0, "R3": 0, "R4": 100, "mAP": 25, "mINP": 25}
        )


@pytest.mark.parametrize(
    ("gallery_ids", "expected"),
    [
        pytest.param([5, 1, 2], {"R1": 100, "R5": 100, "R10": 100, "mAP": 100, "mINP": 100}, id="single match, first"),
        pytest.param([1, 2, 5], {"R1": 0, "R5": 100, "R10": 100, "mAP": 100 / 3, "mINP": 100 / 3}, id="last"),
        pytest.param([5, 5, 5], {"R1": 100, "R5": 100, "R10": 100, "mAP": 100, "mINP": 100}, id="all match"),
    ],
)
def test_edges(gallery_ids, expected):
    assert retrieval_metrics(np.array([[0.3, 0.2, 0.1]]), [5], gallery_ids) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64])
def test_a_tensor_gives_what_its_values_give_as_an_array(dtype):
    similarity, query_ids, gallery_ids = random_case()
    tensor = torch.from_numpy(similarity * 10).to(dtype)
    exact_values = tensor.double().numpy()
    from_tensor = retrieval_metrics(tensor, torch.from_numpy(query_ids), torch.from_numpy(gallery_ids))
    assert from_tensor == retrieval_metrics(exact_values, query_ids.tolist(), gallery_ids.tolist())


def test_float64_differences_below_float32_are_kept():
    similarity = np.array([[0.5, 0.5 + 1e-12]])
    assert retrieval_metrics(similarity, [1], [0, 1])["R1"] == 100


def test_a_tensor_that_requires_grad_and_a_transposed_view_are_read_too():
    similarity, query_ids, gallery_ids = random_case()
    expected = metrics_by_hand(similarity, query_ids, gallery_ids)
    view = torch.from_numpy(similarity.T.copy()).requires_grad_().T
    assert retrieval_metrics(view, query_ids, gallery_ids) == pytest.approx(expected)


@pytest.mark.parametrize("chunk_rows", [1, 7, 40, 1000])
def test_the_chunk_size_does_not_change_a_bit(chunk_rows):
    case = random_case()
    assert retrieval_metrics(*case, chunk_rows=chunk_rows) == retrieval_metrics(*case)


def test_the_order_of_the_gallery_does_not_change_a_bit():
    similarity, query_ids, gallery_ids = random_case()
    similarity = with_ties(similarity)
    order = np.random.default_rng(1).permutation(len(gallery_ids))
    shuffled = retrieval_metrics(similarity[:, order], query_ids, gallery_ids[order])
    assert shuffled == retrieval_metrics(similarity, query_ids, gallery_ids)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, torch.float32, torch.bfloat16])
def test_the_input_is_not_changed(dtype):
    similarity, query_ids, gallery_ids = random_case()
    similarity = torch.from_numpy(similarity).to(dtype) if isinstance(dtype, torch.dtype) else similarity.astype(dtype)
    before = [np.array(values.tolist()) for values in (similarity, query_ids, gallery_ids)]
    retrieval_metrics(similarity, query_ids, gallery_ids)
    for values, value_before in zip((similarity, query_ids, gallery_ids), before, strict=True):
        np.testing.assert_array_equal(np.array(values.tolist()), value_before)


@pytest.mark.parametrize("as_type", [np.asarray, torch.from_numpy, lambda array: torch.from_numpy(array).bfloat16()])
@pytest.mark.parametrize("chunk_rows", [None, 1, 7])
def test_embeddings_give_what_their_cosine_gives(as_type, chunk_rows):
    _, query_ids, gallery_ids = random_case()
    rng = np.random.default_rng(2)
    queries = as_type(rng.standard_normal((len(query_ids), 16)).astype(np.float32))
    gallery = as_type(rng.standard_normal((len(gallery_ids), 16)).astype(np.float32))
    cosine = torch.nn.functional.cosine_similarity(
        torch.as_tensor(queries).double()[:, None], torch.as_tensor(gallery).double()[None], dim=2
    )
    from_embeddings = retrieval_metrics_from_embeddings(
        queries, gallery, query_ids, gallery_ids, ranks=(1, 3), chunk_rows=chunk_rows
    )
    assert from_embeddings == pytest.approx(metrics_by_hand(cosine, query_ids, gallery_ids, ranks=(1, 3)))


NAN_IN_MATCH = np.array([[0.1, 0.2], [np.nan, 0.4]])
NAN_IN_NON_MATCH = np.array([[0.1, 0.2], [0.3, np.nan]])


@pytest.mark.parametrize(
    ("similarity", "query_ids", "gallery_ids", "message"),
    [
        (np.zeros(3), [1], [1], "similarity must be a (queries, gallery) matrix, not of shape (3,)"),
        (np.zeros((0, 3)), [], [1, 2, 3], "nothing to rank: 0 queries and 3 gallery items"),
        (np.zeros((2, 0)), [1, 2], [], "nothing to rank: 2 queries and 0 gallery items"),
        (np.zeros((2, 3)), [1], [1, 2, 3], "query_ids must be one identity for each of the 2 queries, not (1,)"),
        (np.zeros((2, 3)), [1, 2], [1, 2], "gallery_ids must be one identity for each of the 3 gallery items"),
        (np.zeros((4, 2)), [1, 8, 2, 9], [1, 2], "2 of 4 queries have no match in the gallery, the first is query 1"),
        (np.zeros((1, 1)), [1], ["1"], "1 of 1 queries have no match"),
        (NAN_IN_MATCH, [6, 6], [6, 0], "similarity has NaN in row 1 (query id 6)"),
        (NAN_IN_NON_MATCH, [6, 6], [6, 0], "similarity has NaN in row 1 (query id 6)"),
        (np.zeros((1, 1), complex), [1], [1], "similarity must hold real numbers, not complex128"),
    ],
)
def test_bad_data_is_named_in_one_line(similarity, query_ids, gallery_ids, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        retrieval_metrics(similarity, query_ids, gallery_ids)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("queries", "gallery", "message"),
    [
        (np.ones((1, 4)), np.ones((1, 5)), "query_embeddings are 4 wide and gallery_embeddings 5"),
        (np.ones(4), np.ones((1, 4)), "query_embeddings must be an (items, D) matrix, not of shape (4,)"),
        (np.ones((1, 4)), np.zeros((1, 4)), "gallery_embeddings row 0 has no direction"),
        (np.full((1, 4), np.nan), np.ones((1, 4)), "query_embeddings row 0 has no direction"),
    ],
)
def test_bad_embeddings_are_named_in_one_line(queries, gallery, message):
    with pytest.raises(DataError, match=re.escape(message)):
        retrieval_metrics_from_embeddings(queries, gallery, [1], [1])


@pytest.mark.parametrize("options", [{"ranks": (1, 0)}, {"ranks": (1.5,)}, {"chunk_rows": 0}])
def test_options_must_be_whole_numbers_from_one(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be whole numbers from 1, not"):
        retrieval_metrics(*random_case(), **options)


def test_numpy_input_does_not_import_torch():
    program = (
        "import sys; from tipr_zoo.evaluation.metrics import retrieval_metrics; "
        "print(retrieval_metrics([[0.2, 0.1]], [1], [1, 2])['R1'], 'torch' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["100.0", "False"]
