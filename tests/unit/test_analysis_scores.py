import numpy as np
import pytest

from alignment.analysis.scores import summarise


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
