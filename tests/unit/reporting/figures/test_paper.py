"""The paper's three figures from its own data, read back from what is drawn, beside its numbers."""

from statistics import quantiles

import pytest

from alignment.config.layers import resolve
from alignment.progress import Progress
from alignment.reporting.document import document
from alignment.reporting.figures import means, rates, scores
from alignment.store import Store
from alignment.study.results import collect
from alignment.study.study import Study

VARIANTS = ["base", "sft", "dpo", "sft_dpo"]
FIGURE_1 = {"HmR": [42, 48, 36, 44], "HpR": [22, 56, 46, 66], "CAS": [32, 52, 41, 55]}
FIGURE_2 = {"harmlessness": -3.0, "helpfulness": -2.0}
FIGURE_3 = {
    "harmlessness": [-3.60, -3.52, -3.58, -3.68],
    "helpfulness": [-2.89, -1.32, -2.35, -1.15],
}


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    root = tmp_path_factory.mktemp("paper")
    profile = resolve(root, selected="paper-replay")
    study = Study(profile, Store(root / "store"), progress=Progress())
    return document(collect(study, {}))


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def points(ax):
    """Where the single markers of a panel stand, from its first row to its last."""
    found = [line for line in ax.lines if len(line.get_xdata()) == 1]
    return [line.get_xdata()[0] for line in sorted(found, key=lambda line: line.get_ydata()[0])]


def lay_beside(figure, drawn, published):
    """Print both, so that `-rP` shows them beside each other."""
    print(f"\n{figure}")  # noqa: T201
    for name, ours in drawn.items():
        told = "  ".join(
            f"{variant} {one:.2f} ({other})"
            for variant, one, other in zip(VARIANTS, ours, published[name], strict=True)
        )
        print(f"  {name}, drawn (published): {told}")  # noqa: T201


def test_figure_1(replayed):
    panels = rates.draw(rates.data(replayed)).axes
    assert all(labels(ax) == VARIANTS for ax in panels)
    drawn = {ax.get_title("left"): points(ax) for ax in panels}
    lay_beside("Figure 1, %", drawn, FIGURE_1)
    assert drawn.keys() == FIGURE_1.keys()
    for name, published in FIGURE_1.items():
        assert drawn[name] == pytest.approx(published)
    written = [[text.get_text() for text in ax.texts] for ax in panels]
    assert written == [[f"{each:.1f}" for each in published] for published in FIGURE_1.values()]


def test_figure_2(replayed):
    """The paper gives no numbers for its box plots: these are held against its scores."""
    panels = scores.draw(scores.data(replayed)).axes
    assert [ax.get_title("left") for ax in panels] == list(FIGURE_2)
    own = {}
    for case in replayed["cases"]:
        own.setdefault((case["axis"], case["variant"]), []).append(case["score"])
    for ax in panels:
        axis = ax.get_title("left")
        assert labels(ax) == VARIANTS
        assert any(list(line.get_xdata()) == [FIGURE_2[axis]] * 2 for line in ax.lines)
        clouds = [line for line in ax.lines if line.get_linestyle() == "None"]
        middles = [line for line in ax.lines if line.get_linewidth() == 2.4]
        edges = [line for line in ax.lines if len(line.get_xdata()) == 5]
        medians = []
        for variant, cloud, middle, edge in zip(VARIANTS, clouds, middles, edges, strict=True):
            q1, median, q3 = quantiles(own[axis, variant], n=4, method="inclusive")
            assert sorted(cloud.get_xdata()) == sorted(own[axis, variant])
            assert list(middle.get_xdata()) == pytest.approx([median, median])
            assert (min(edge.get_xdata()), max(edge.get_xdata())) == pytest.approx((q1, q3))
            medians.append(median)
        lay_beside(f"Figure 2, medians of {axis}", {axis: medians}, {axis: ["-"] * 4})


def test_figure_3(replayed):
    panels = means.draw(means.data(replayed)).axes
    assert all(labels(ax) == VARIANTS for ax in panels)
    drawn = {ax.get_title("left"): points(ax) for ax in panels}
    lay_beside("Figure 3, mean reward", drawn, FIGURE_3)
    assert {name: [round(each, 2) for each in found] for name, found in drawn.items()} == FIGURE_3
