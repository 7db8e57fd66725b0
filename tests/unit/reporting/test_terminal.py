from dataclasses import replace

import pytest

from alignment.analysis.rollup import summarise_variants
from alignment.reporting.columns import Column, tables
from alignment.reporting.document import document
from alignment.reporting.terminal import summary
from support.reporting_sample import AXES, HOSTILE, results


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_of_a_whole_run(width, snapshot):
    assert "\n".join(summary(document(results(right=(150, 140))), width=width)) == snapshot


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_of_a_doubtful_run(width, snapshot):
    report = document(results(complete=False, limit=10))
    assert "\n".join(summary(report, width=width)) == snapshot


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    for right in ((150, 140), (104, 50)):
        report = document(results(complete=False, limit=3, right=right))
        assert max(map(len, summary(report, width=width))) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_is_there_at_every_width(width):
    lines = summary(document(results()), width=width)
    rows = "\n".join(line for line in lines if line.startswith("base"))
    for figure in ("40.0 [16.8, 68.7]", "20.0 [ 5.7, 51.0]", "30.0 [16.4, 51.1]", "6/20", "-3.12"):
        assert figure in rows


def test_full_rates_keep_the_points_in_line():
    sample = results()
    passed = tuple(replace(each, passed=each.variant == "sft") for each in sample.cases)
    summaries = summarise_variants(passed, AXES, reference="base", confidence=0.95)
    lines = summary(document(replace(sample, summaries=summaries)), width=80)
    table = [line for line in lines if line.startswith(("base", "sft ", "dpo"))][:3]
    assert "100.0 [ 72.2, 100.0]" in table[1]
    assert len({line.index("[") for line in table}) == 1


def test_hostile_names_and_texts_never_reach_the_terminal():
    sample = results(text=HOSTILE)
    hostile = replace(
        sample,
        summaries={HOSTILE: sample.summaries["base"]},
        profile=sample.profile | {"name": HOSTILE},
    )
    shown = "\n".join(summary(document(hostile), width=80))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.encode()


def test_a_judge_that_was_not_tried_is_said_to_be():
    lines = summary(document(results(trials={}, agreements={})), width=80)
    assert "judge not evaluated on harmlessness and helpfulness" in lines


def test_a_judge_worse_than_chance_is_said_to_be():
    lines = summary(document(results(right=(50, 150))), width=200)
    assert lines[-1].startswith("UNINFORMATIVE: HmR and CAS are not meaningful")
    assert lines[-1].endswith("worse than chance.")


def test_a_run_without_a_case_has_no_table():
    report = document(results(cases=(), summaries={}, complete=False))
    assert not any(line.startswith("variant") for line in summary(report, width=80))


def test_scores_without_responses_have_no_count_of_degenerate_ones():
    sample = results()
    bare = tuple(replace(case, response=None) for case in sample.cases)
    lines = summary(document(replace(sample, cases=bare)), width=120)
    assert lines[3].split()[-3] == "-"


def test_columns_that_do_not_fit_start_a_table_or_are_left_out():
    names = Column("n", ["a", "b"])
    columns = [
        Column("one", ["1", "2"]),
        Column("gone", ["1", "2"], optional=True),
        Column("two", ["33", "4"]),
    ]
    assert tables(names, columns, 7) == [
        "n  one",
        "a    1",
        "b    2",
        "",
        "n  two",
        "a   33",
        "b    4",
    ]
