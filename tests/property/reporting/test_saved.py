"""Whatever is wrong within a report or a baseline, reading it is a success or one line of ours."""

import copy
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alignment.commands import main
from alignment.errors import BaselineError
from alignment.gating.baseline import Baseline, BaselineCase, Manifest, ProbeScore
from alignment.gating.baseline_files import dumps, loads
from alignment.reporting.document import document
from support.reporting_sample import results

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(("__proto__", "base", "sft", "HmR", "1e999", "\ud800")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def places(value, path=()):
    children = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        children = list(enumerate(value))[:2]
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def damaged(whole):
    """A document in which one thing is replaced or taken out."""
    known = list(places(whole))

    @st.composite
    def changed(draw):
        value = copy.deepcopy(whole)
        *above, last = draw(st.sampled_from(known))
        holder = value
        for key in above:
            holder = holder[key]
        assume(not (isinstance(holder, list) and last >= len(holder)))
        if draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = draw(VALUES)
        return value

    return changed()


def small():
    """A small report as it is written, with a run that could be the last of a history."""
    found = document(results())
    found["run"] |= {"id": "0" * 16, "history": [], "started": "2025-01-01T00:00:00+00:00"}
    return json.loads(json.dumps(found))


REPORT = small()
BASELINE = json.loads(
    dumps(
        Baseline(
            profile="p",
            variant="v",
            reason=None,
            manifest=Manifest(
                prompts={"a": "1 prompts x"},
                criteria={"a": "reward >= 0"},
                judge={"identity": "x"},
                decoding=None,
                format=None,
            ),
            model={"recorded": True},
            probe=(ProbeScore(prompt="p", response="r", score=1.0),),
            cases={"a": {"p": BaselineCase(score=1.0, passed=True, anchor=True)}},
        )
    )
)


def rendered(folder, capsys, changed, *formats):
    (folder / "report.json").write_text(json.dumps(changed))
    arguments = [f"--format={each}" for each in ("text", "md", "csv", *formats)]
    to = folder / "to"
    status = main(["report", str(folder), *arguments, "--to", str(to)])
    captured = capsys.readouterr()
    if status:
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert len(captured.err) <= 500
        assert not to.exists()
    shutil.rmtree(to, ignore_errors=True)
    return status


@given(damaged(REPORT))
@FEW
def test_a_damaged_report_is_rendered_or_refused(tmp_path_factory, capsys, changed):
    assert rendered(tmp_path_factory.mktemp("report"), capsys, changed) in {0, 2}


@pytest.mark.slow
@given(damaged(REPORT))
@settings(FEW, max_examples=300)
def test_so_is_the_page_of_one(tmp_path_factory, capsys, changed):
    folder, more = tmp_path_factory.mktemp("report"), ("html", "svg", "parquet")
    assert rendered(folder, capsys, changed, *more) in {0, 2}


@given(damaged(BASELINE))
@settings(FEW, max_examples=200)
def test_a_damaged_baseline_is_refused(changed):
    try:
        found = loads(json.dumps(changed), Path("baseline.json"))
    except BaselineError as error:
        assert "\n" not in str(error)
    else:  # what was taken out, or put in, is what stands there anyway
        assert json.loads(dumps(found)) == BASELINE
