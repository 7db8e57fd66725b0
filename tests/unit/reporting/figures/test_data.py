"""What figures show, held against the document and against numpy and scipy."""

import json

import numpy as np
import pytest

from alignment.reporting import figures
from alignment.reporting.figures import changes, means, rates, scores, tradeoff, trend
from support.figures_sample import AXES, make, with_history


def values(made, variant, axis):
    return [c["score"] for c in made["cases"] if (c["variant"], c["axis"]) == (variant, axis)]


def order(made, variant, axis):
    return [c["prompt"] for c in made["cases"] if (c["variant"], c["axis"]) == (variant, axis)]


def test_every_figure_is_plain_json():
    made = with_history(make())
    assert figures.names(made) == list(figures.TITLES)
    for drawing in figures._DRAWINGS.values():
        shown = drawing.data(made)
        assert json.loads(json.dumps(shown, allow_nan=False)) == shown
        assert drawing.caption(shown)
        assert drawing.values(shown)


def test_rates_are_those_of_the_document():
    made = make()
    shown = rates.data(made)
    assert [group["name"] for group in shown["groups"]] == [
        "R harmlessness",
        "R helpfulness",
        "CAS",
    ]
    for group in shown["groups"]:
        for row in group["rows"]:
            rate = made["variants"][row["label"]]["rates"][group["name"]]
            assert (row["value"], row["interval"]) == (rate["percent"], rate["interval"])
    assert "90 % intervals" in figures.caption(made, "rates")


def test_a_missing_rate_is_no_zero():
    made = make(missing=[("sft", "helpfulness")])
    by_rate = {group["name"]: group["rows"] for group in rates.data(made)["groups"]}
    assert by_rate["R harmlessness"][1]["value"] is not None
    for name in ("R helpfulness", "CAS"):
        assert by_rate[name][1] == {"label": "sft", "value": None, "interval": None}
    assert means.data(made)["groups"][1]["rows"][1]["value"] is None
    assert [row["label"] for row in scores.data(made)["groups"][1]["rows"]] == ["base"]
    assert [each["label"] for each in tradeoff.data(made)["variants"]] == ["base"]


def test_boxes_are_tukeys():
    made = make(prompts=31)
    for group in scores.data(made)["groups"]:
        assert (group["threshold"], group["unit"]) == (0.5, "reward")
        for row in group["rows"]:
            own = np.array(values(made, row["label"], group["name"]))
            q1, median, q3 = np.percentile(own, [25, 50, 75])
            assert [row["q1"], row["median"], row["q3"]] == pytest.approx([q1, median, q3])
            inside = own[(own >= q1 - 1.5 * (q3 - q1)) & (own <= q3 + 1.5 * (q3 - q1))]
            assert row["whiskers"] == [inside.min(), inside.max()]
            assert row["points"] == sorted(own)


def test_many_points_are_thinned_evenly_and_boxes_know_all():
    made = make(variants=("base",), axes=("only",), prompts=5000)
    (row,) = scores.data(made)["groups"][0]["rows"]
    own = values(made, "base", "only")
    assert row["total"] == 5000
    assert len(row["points"]) == scores.POINTS
    assert (row["points"][0], row["points"][-1]) == (min(own), max(own))
    assert np.median(row["points"]) == pytest.approx(np.median(own), abs=0.05)
    assert row["q1"] == pytest.approx(np.percentile(own, 25))
    assert "800 of 5,000 points are drawn" in figures.caption(made, "scores")


def test_means_have_students_interval_of_dialogues():
    """The variance is that of dialogues' totals: the sandwich of a mean with clustered errors."""
    from scipy.stats import t

    made = make(prompts=40)
    for group in means.data(made)["groups"]:
        for row in group["rows"]:
            own = values(made, row["label"], group["name"])
            mean = np.mean(own)
            totals = {}
            for prompt, score in zip(order(made, row["label"], group["name"]), own, strict=True):
                cluster = made["prompts"][prompt]["cluster"]
                totals[cluster] = totals.get(cluster, 0.0) + score - mean
            assert len(totals) == 20
            sandwich = sum(each**2 for each in totals.values()) / 40**2 * 20 / 19
            variance = max(np.var(own) / 40, sandwich) * 40 / 39
            half = t.ppf(0.95, 19) * variance**0.5
            assert row["value"] == pytest.approx(mean)
            assert row["interval"] == pytest.approx([mean - half, mean + half])


def test_changes_pair_prompts_with_the_reference():
    made = make(variants=("base", "sft", "dpo"), prompts=40)
    shown = changes.data(made)
    assert shown["before"] == "base"
    assert [(panel["variant"], panel["axis"]) for panel in shown["panels"]] == [
        (variant, axis) for variant in ("sft", "dpo") for axis in AXES
    ]
    for panel in shown["panels"]:
        before = np.array(values(made, "base", panel["axis"]))
        after = np.array(values(made, panel["variant"], panel["axis"]))
        passes = np.greater_equal if panel["axis"] == "harmlessness" else np.greater
        lost = passes(before, 0.5) & ~passes(after, 0.5)
        gained = ~passes(before, 0.5) & passes(after, 0.5)
        assert (panel["lost"], panel["gained"]) == (lost.sum(), gained.sum())
        assert panel["lost"] and panel["gained"]
        for kind, which in (("lost", lost), ("gained", gained), ("same", ~(lost | gained))):
            pairs = zip(before[which], after[which], strict=True)
            assert sorted(panel["lines"][kind]) == sorted(map(list, pairs))


def test_changes_of_5000_prompts_are_thinned_but_counted():
    made = make(prompts=5000, axes=("only",))
    (panel,) = changes.data(made)["panels"]
    drawn = {kind: len(lines) for kind, lines in panel["lines"].items()}
    assert sum(drawn.values()) <= changes.LINES + 2
    assert drawn["lost"] == round(changes.LINES * panel["lost"] / 5000)
    assert "of 5,000 lines are drawn" in figures.caption(made, "changes")


def test_few_flips_among_many_prompts_are_all_drawn():
    made = make(prompts=3000, axes=("only",))
    after = {c["prompt"]: c for c in made["cases"] if c["variant"] == "base"}
    flipped = 0
    for case in made["cases"]:
        if case["variant"] == "sft":
            case |= {key: after[case["prompt"]][key] for key in ("score", "passed")}
            if flipped < 7 and case["passed"]:
                flipped += 1
                case |= {"score": -9.0 - flipped, "passed": False}
    (panel,) = changes.data(made)["panels"]
    assert (panel["lost"], panel["gained"], len(panel["lines"]["lost"])) == (7, 0, 7)


def decision(flips, axis="harmlessness"):
    return {
        "variant": "sft",
        "axis": axis,
        "flips": flips,
        "change": {"total": 20, "lost": 1, "gained": 0},
    }


FLIP = {"prompt": "p", "before": True, "after": False, "score_before": 2.0, "score_after": -1.0}


def test_changes_against_a_baseline_show_its_flips():
    made = make()
    made["gate"] = {
        "against": "baseline",
        "decisions": [decision([FLIP]), decision([], "helpfulness")],
    }
    (panel,) = changes.data(made)["panels"]
    assert (panel["variant"], panel["axis"]) == ("sft", "harmlessness")
    assert (panel["total"], panel["lost"], panel["gained"]) == (20, 1, 0)
    assert panel["lines"] == {"same": [], "lost": [[2.0, -1.0]], "gained": []}
    assert "baseline" in figures.caption(made, "changes")
    made["gate"]["decisions"] = [decision([])]
    assert changes.data(made)["before"] == "base"


def test_changes_are_against_the_variant_that_the_gate_names():
    made = make(variants=("base", "sft"))
    made["gate"] = {"against": "variant sft", "decisions": [decision([FLIP])]}
    shown = changes.data(made)
    assert shown["before"] == "sft"
    assert {panel["variant"] for panel in shown["panels"]} == {"base"}


def test_a_curve_is_the_rates_under_other_thresholds():
    made = make(prompts=40)
    shown = tradeoff.data(made)
    spreads = [np.std([c["score"] for c in made["cases"] if c["axis"] == axis]) for axis in AXES]
    assert shown["reach"] == pytest.approx(max(spreads), rel=0.05)
    for variant in shown["variants"]:
        harm, help_ = (np.array(values(made, variant["label"], axis)) for axis in AXES)
        offsets = np.linspace(-shown["reach"], shown["reach"], 2 * tradeoff.STEPS + 1)
        offsets[tradeoff.STEPS] = 0.0
        for offset, point in zip(offsets, variant["curve"], strict=True):
            assert point[0] == pytest.approx(100 * np.mean(harm >= 0.5 + offset))
            assert point[1] == pytest.approx(100 * np.mean(help_ > 0.5 + offset))
        assert variant["curve"][tradeoff.STEPS] == pytest.approx(variant["point"])


def test_trend_has_every_run_and_its_breaks():
    made = with_history(make(), 6, changed=(2, 5))
    del made["run"]["history"][1]["variants"]["sft"]
    shown = trend.data(made)
    assert shown["breaks"] == [2, 5]
    assert shown["days"][0] == "2025-01-01"
    base, sft = shown["panels"][0]["variants"]
    assert base["points"] == [[30.0 + run, 40.0 + run, 50.0 + run] for run in range(6)]
    assert sft["points"][1] is None
    assert "cannot be compared" in figures.caption(made, "trend")


def test_figures_without_data_are_absent():
    assert figures.names(make(variants=("base",))) == ["rates", "scores", "means", "tradeoff"]
    assert figures.names(make(variants=("base",), axes=("only",))) == ["rates", "scores", "means"]
    assert "trend" not in figures.names(with_history(make(), 1))
    assert "trend" in figures.names(with_history(make(), 2))
    empty = make(missing=[(v, a) for v in ("base", "sft") for a in AXES])
    assert figures.names(empty) == []
    assert figures.render(empty, ["svg"]) == {}


def test_an_uninformative_axis_is_said_to_say_nothing():
    made, plain = with_history(make(uninformative=["helpfulness"])), with_history(make())
    for name in ("rates", "means", "scores", "tradeoff", "trend"):
        assert "not meaningful" in figures.caption(made, name)
        assert "not meaningful" not in figures.caption(plain, name)


def test_more_variants_than_can_be_told_apart_are_left_out_and_said_so():
    made = make(variants=[f"v{number}" for number in range(15)], prompts=4)
    assert len(rates.data(made)["groups"][0]["rows"]) == 12
    for name in figures.names(made):
        assert "first 12 of 15 variants" in figures.caption(made, name)


def test_the_combined_rate_is_shown_however_many_axes_are_left_out():
    made = with_history(make(axes=[f"a{number:02}" for number in range(14)], prompts=4), 2)
    for groups in (rates.data(made)["groups"], trend.data(made)["panels"]):
        assert [each["name"] for each in groups] == [*(f"R a{n:02}" for n in range(12)), "CAS"]


def test_a_figure_that_is_not_there_is_named():
    from alignment.errors import ReportError

    with pytest.raises(ReportError, match="no figure 'trend'; choose one of rates, scores"):
        figures.caption(make(), "trend")
    with pytest.raises(ReportError, match="'gif'; choose one of svg, png, pdf"):
        figures.render(make(), ["gif"])
