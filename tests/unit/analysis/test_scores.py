import numpy as np
import pytest

from alignment.analysis.clusters import design_effect
from alignment.analysis.scores import mean_interval, summarise
from alignment.analysis.student import t_quantile


@pytest.mark.parametrize(
    "values", [[1.0, 2.0], [-3.6, -2.1, 0.4], [5.0, 1.0, 4.0, 2.0], [0.1] * 7, list(range(50))]
)
def test_summarise_agrees_with_numpy(values):
    found = summarise(values)
    q1, median, q3 = np.percentile(values, [25, 50, 75])
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert [found.q1, found.median, found.q3] == pytest.approx([q1, median, q3])


def test_one_score_has_no_spread():
    found = summarise([-2.5])
    assert (found.mean, found.sd, found.median, found.q1, found.q3) == (-2.5, 0.0, -2.5, -2.5, -2.5)


def test_no_scores_are_refused():
    with pytest.raises(ValueError, match="no scores"):
        summarise([])


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 49, 99, 1000, 4999])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_quantiles_are_students(confidence, degrees):
    from scipy.stats import t

    assert t_quantile(confidence, degrees) == pytest.approx(t.ppf(0.5 + confidence / 2, degrees))


def test_the_interval_of_a_mean_is_students():
    from scipy.stats import sem, t

    values = [-3.6, -2.1, 0.4, 1.0, 2.5]
    low, high = t.interval(0.9, 4, loc=np.mean(values), scale=sem(values))
    for clusters in (None, list("abcde")):
        found = mean_interval(values, 0.9, clusters)
        assert (found.low, found.high) == pytest.approx((low, high))


def test_the_interval_of_a_mean_published():
    """Student's (1908) own first example, section IX: extra hours of sleep, here at 95 %."""
    hours = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = mean_interval(hours, 0.95)
    # Mean 2.33, standard deviation 2.002 with n - 1, t of 9 degrees 2.262.
    assert (found.low, found.high) == pytest.approx((0.898, 3.762), abs=1e-3)


def test_values_of_one_dialogue_are_no_independent_evidence():
    values = [1.0, 1.1, 3.0, 3.1, 5.0, 5.1]
    alone, shared = mean_interval(values, 0.95), mean_interval(values, 0.95, list("aabbcc"))
    effect = design_effect([[1.0, 1.1], [3.0, 3.1], [5.0, 5.1]])
    assert effect > 1.5
    widened = (shared.high - shared.low) / (alone.high - alone.low)
    assert widened == pytest.approx(effect**0.5 * t_quantile(0.95, 2) / t_quantile(0.95, 5))


def test_one_value_or_one_dialogue_has_no_interval():
    assert mean_interval([1.0], 0.95) is None
    assert mean_interval([1.0, 2.0], 0.95, ["a", "a"]) is None
    same = mean_interval([2.0, 2.0, 2.0], 0.95)
    assert (same.low, same.high) == (2.0, 2.0)
