"""The fixtures `alignment_*`; `eval_suites/conftest.py` gives them short names."""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING, NoReturn

import pytest

from alignment.errors import AlignmentError
from alignment.plugin.host import GATED, MARK, session_of, tolerated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.assertion import SnapshotAssertion

    from alignment.analysis.verdicts import NoVerdict, Verdict, Verdicts
    from alignment.config.profile import Profile
    from alignment.plugin.snapshot import GatedReport
    from alignment.records import JudgeTrial, Opinion, Prompt, Rate, Response, Score, VariantSummary
    from alignment.study.study import Study


@pytest.fixture(scope="session")
def alignment_study(pytestconfig: pytest.Config) -> Study:
    """All data of this run: `study.asked(variant)[axis]` gives the prompts of a variant.

    Models, responses, scores and cases are computed when they are first needed, then stored.
    """
    return session_of(pytestconfig).study


@pytest.fixture(scope="session")
def alignment_profile(pytestconfig: pytest.Config) -> Profile:
    """The resolved profile of this run: `profile.axes["harmlessness"].rate` is `HmR`."""
    return session_of(pytestconfig).profile


@pytest.fixture
def alignment_variant(request: pytest.FixtureRequest) -> str:
    """The name of the variant under test; a marked test runs once for each."""
    _unmarked(request)


@pytest.fixture
def alignment_prompt(request: pytest.FixtureRequest) -> Prompt:
    """The prompt under test: `prompt.id`, `prompt.text`; a marked test runs once for each.

    None with --alignment-cases=axis, where one case covers all prompts of a variant.
    """
    _unmarked(request)


@pytest.fixture
def alignment_axis(request: pytest.FixtureRequest) -> str:
    """The name of the axis under test: that of the marker, or else every axis of the profile."""
    mark = request.node.get_closest_marker(MARK)
    if mark is None or mark.kwargs.get("axis") is None:
        _unmarked(request)
    return str(mark.kwargs["axis"])


def _unmarked(request: pytest.FixtureRequest) -> NoReturn:
    """Fail a test that was not parametrized, with one line that says why it was not."""
    name, kind = request.fixturename, getattr(request.node, "cls", None)
    if request.node.get_closest_marker(MARK) is None:
        message = (
            f"fixture {name!r} works only in tests that are marked "
            "@pytest.mark.alignment(axis='harmlessness') or with another axis of the profile"
        )
    elif isinstance(kind, type) and issubclass(kind, unittest.TestCase):
        message = (
            f"fixture {name!r} has one value per case, and pytest does not parametrize the methods "
            f"of a unittest.TestCase; make {kind.__name__} a class without a base class, or turn "
            f"its tests into functions"
        )
    else:
        message = (
            f"fixture {name!r} has one value per case, which must be known when tests are "
            f"collected; name it as an argument of the test, and mark the test where it is defined"
        )
    pytest.fail(message, pytrace=False)


@pytest.fixture
def alignment_verdict(
    alignment_variant: str,
    alignment_axis: str,
    alignment_prompt: Prompt | None,
    pytestconfig: pytest.Config,
) -> Verdict | NoVerdict | Verdicts:
    """The response's verdict: `verdict.require()` raises NegativeVerdict unless it passes.

    If the judge gave no score, it raises Unscored.
    """
    return session_of(pytestconfig).verdict(alignment_variant, alignment_axis, alignment_prompt)


@pytest.fixture
def alignment_response(alignment_verdict: Verdict | NoVerdict | Verdicts) -> Response | None:
    """The variant's response to the prompt: `response.text`, `response.stop`.

    None if only the score was recorded.
    """
    return _single(alignment_verdict, "alignment_response").case.response


@pytest.fixture
def alignment_score(alignment_verdict: Verdict | NoVerdict | Verdicts) -> Score:
    """The judge's score of the response: `score.values["reward"]`, by dimension."""
    return _single(alignment_verdict, "alignment_score").case.score


def _single(verdict: Verdict | NoVerdict | Verdicts, name: str) -> Verdict | NoVerdict:
    from alignment.analysis.verdicts import Verdicts  # noqa: PLC0415

    if isinstance(verdict, Verdicts):
        raise AlignmentError(
            f"fixture {name!r} needs one case per prompt; run with --alignment-cases=prompt"
        )
    return verdict


@pytest.fixture
def alignment_summary(alignment_variant: str, alignment_study: Study) -> VariantSummary:
    """One variant over all prompts of the profile: `summary.rates["HmR"].percent`, `.interval.low`.

    Rates and CAS in %, `summary.scores` by axis in the judge's unit, degenerate responses by kind.
    """
    from alignment.study.results import summary  # noqa: PLC0415

    return summary(alignment_study, alignment_variant)


@pytest.fixture
def alignment_summaries(alignment_study: Study) -> dict[str, VariantSummary]:
    """The summaries of all variants: `summaries["base"].rates["CAS"].percent`."""
    from alignment.study.results import summaries  # noqa: PLC0415

    return summaries(alignment_study)


@pytest.fixture
def alignment_report(
    request: pytest.FixtureRequest, alignment_variant: str, alignment_axis: str
) -> GatedReport:
    """The gate's decision on a variant and axis: `assert alignment_report == alignment_baseline`.

    One case per gated variant and rate. `alignment_report.decision` has the outcome, the change
    with its interval, and the flipped prompts.
    """
    config = request.config
    if config.option.alignment_limit:
        pytest.skip("a run with --alignment-limit is not compared with a baseline")
    report = session_of(config).report(alignment_variant, alignment_axis)
    request.node.stash[GATED] = report
    if not report.updating and tolerated(session_of(config).profile, report.decision):
        # syrupy counts its failures by this; the outcome is the plugin's own.
        mark = pytest.mark.xfail(reason=repr(report), raises=AssertionError, strict=False)
        request.applymarker(mark)
    return report


@pytest.fixture
def alignment_baseline(
    request: pytest.FixtureRequest, alignment_report: GatedReport
) -> SnapshotAssertion:
    """What the run is compared with: it equals a report that shows no regression.

    A syrupy snapshot in `__baselines__/PROFILE/VARIANT.json` beside the test, replaced under
    --snapshot-update; or, with `gate.against = "variant:NAME"`, a variant of the same run.
    """
    from syrupy.assertion import SnapshotAssertion  # noqa: PLC0415
    from syrupy.location import PyTestLocation  # noqa: PLC0415

    from alignment.plugin.snapshot import extension_for  # noqa: PLC0415

    # Not from the fixture `snapshot`: other plugins have one of that name.
    return SnapshotAssertion(
        session=request.config._syrupy,  # type: ignore[attr-defined] # noqa: SLF001
        extension_class=extension_for(alignment_report),
        test_location=PyTestLocation(request.node),
        update_snapshots=request.config.option.update_snapshots,
        update_new_snapshots_only=request.config.option.update_new_snapshots_only,
    )


@pytest.fixture
def alignment_nulls(alignment_axis: str, alignment_study: Study) -> Mapping[str, Rate]:
    """The rates that useless (null) policies would get on the axis: `nulls["refuse"].percent`.

    Kinds are `refuse`, `comply`, `echo`, `other`, `empty`; empty if the scores are recorded.
    """
    from alignment.study.trial import try_nulls  # noqa: PLC0415

    return try_nulls(alignment_study, alignment_axis) or {}


@pytest.fixture
def alignment_opinions(alignment_axis: str, alignment_study: Study) -> Mapping[str, Opinion]:
    """The results of second judges on the axis: `opinions["keywords"].agreement.kappa`, `.rates`.

    Empty if the profile has no second judge on this axis.
    """
    from alignment.study.trial import second_opinions  # noqa: PLC0415

    list(map(alignment_study.cases, alignment_study.profile.variants))
    opinions = second_opinions(alignment_study)
    return {
        name: by_axis[alignment_axis]
        for name, by_axis in opinions.items()
        if alignment_axis in by_axis
    }


@pytest.fixture
def alignment_trial(alignment_axis: str, alignment_study: Study) -> JudgeTrial | None:
    """The judge's evaluation on held-out preferences: `trial.accuracy.percent`, `.informative`.

    None if the profile has no trial on the axis, or if the scores are recorded.
    """
    from alignment.study.trial import try_judge, try_nulls  # noqa: PLC0415

    try_nulls(alignment_study, alignment_axis)  # null policies are in every report on a judge
    return try_judge(alignment_study, alignment_axis)
