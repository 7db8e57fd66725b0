"""Which texts a judge reads together."""

from alignment.judges.batching import ACCELERATOR, PROCESSOR, batches, budget


def test_batches_are_of_similar_length_and_within_the_budget():
    lengths = [5, 90, 30, 31, 90, 2, 400]
    assert list(batches(lengths, 200)) == [[6], [1, 4], [3, 2, 0, 5]]
    assert list(batches(lengths, 1)) == [[6], [1], [4], [3], [2], [0], [5]]
    assert list(batches([], 200)) == []


def test_the_budget_goes_by_size_alone():
    tiny, large = 2 * 50_000, 24 * 12_600_000
    assert budget(tiny, 2, "cpu") == PROCESSOR
    assert budget(large, 24, "cpu") < 100  # less than two texts: one at a time
    assert budget(tiny, 2, "cuda:0") == budget(large, 24, "cuda") == ACCELERATOR
    assert budget(0, 0, "cpu") == PROCESSOR
