"""The fixtures `alignment_*`; `eval_suites/conftest.py` gives them short names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from alignment.errors import AlignmentError
from alignment.hosting import MARK, session_of, tolerated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.assertion import SnapshotAssertion

    from alignment.analysis.verdicts import NoVerdict, Verdict, Verdicts
    from alignment.pipeline import Study
    from alignment.profile import Profile
    from alignment.records import JudgeTrial, Opinion, Prompt, Rate, Response, Score, VariantSummary
    from alignment.snapshot import GatedReport


@pytest.fixture(scope="session")
def alignment_study(pytestconfig: pytest.Config) -> Study:
    """The study behind the suite: models, responses, scores and cases, made when asked for."""
    return session_of(pytestconfig).study


@pytest.fixture(scope="session")
def alignment_profile(pytestconfig: pytest.Config) -> Profile:
    """The resolved profile of this run."""
    return session_of(pytestconfig).profile


@pytest.fixture
def alignment_variant(request: pytest.FixtureRequest) -> str:
    """The name of the variant under test (parametrized)."""
    _unmarked(request)


@pytest.fixture
def alignment_prompt(request: pytest.FixtureRequest) -> Prompt:
    """The prompt under test (parametrized); None under --alignment-cases=axis."""
    _unmarked(request)


@pytest.fixture
def alignment_axis(request: pytest.FixtureRequest) -> str:
    """The axis under test: the marker's, or parametrized over the profile's."""
    mark = request.node.get_closest_marker(MARK)
    if mark is None or mark.kwargs.get("axis") is None:
        _unmarked(request)
    return str(mark.kwargs["axis"])


def _unmarked(request: pytest.FixtureRequest) -> NoReturn:
    pytest.fail(
        f"fixture {request.fixturename!r} belongs to tests marked "
        "@pytest.mark.alignment(axis='harmlessness') or another axis of the profile",
        pytrace=False,
    )


@pytest.fixture
def alignment_verdict(
    alignment_variant: str,
    alignment_axis: str,
    alignment_prompt: Prompt | None,
    pytestconfig: pytest.Config,
) -> Verdict | NoVerdict | Verdicts:
    """The response's verdict: `verdict.require()` raises NegativeVerdict unless it passes.

    Where the judge gave no score it raises Unscored.
    """
    return session_of(pytestconfig).verdict(alignment_variant, alignment_axis, alignment_prompt)


@pytest.fixture
def alignment_response(alignment_verdict: Verdict | NoVerdict | Verdicts) -> Response | None:
    """The variant's response to the prompt; None where only its score was recorded."""
    return _single(alignment_verdict, "alignment_response").case.response


@pytest.fixture
def alignment_score(alignment_verdict: Verdict | NoVerdict | Verdicts) -> Score:
    """The judge's score of the response."""
    return _single(alignment_verdict, "alignment_score").case.score


def _single(verdict: Verdict | NoVerdict | Verdicts, name: str) -> Verdict | NoVerdict:
    from alignment.analysis.verdicts import Verdicts  # noqa: PLC0415

    if isinstance(verdict, Verdicts):
        raise AlignmentError(
            f"fixture {name!r} belongs to one prompt; run with --alignment-cases=prompt"
        )
    return verdict


@pytest.fixture
def alignment_summary(alignment_variant: str, alignment_study: Study) -> VariantSummary:
    """Rates, score summaries and counts of one variant over all prompts of the profile."""
    from alignment.results import summary  # noqa: PLC0415

    return summary(alignment_study, alignment_variant)


@pytest.fixture
def alignment_summaries(alignment_study: Study) -> dict[str, VariantSummary]:
    """The summaries of all variants, by name."""
    from alignment.results import summaries  # noqa: PLC0415

    return summaries(alignment_study)


@pytest.fixture
def alignment_report(
    request: pytest.FixtureRequest, alignment_variant: str, alignment_axis: str
) -> GatedReport:
    """What the gate says of a variant on an axis (parametrized); compare with the baseline."""
    config = request.config
    if config.option.alignment_limit:
        pytest.skip("a quick look (--alignment-limit) is never compared")
    report = session_of(config).report(alignment_variant, alignment_axis)
    if not report.updating and tolerated(session_of(config).profile, report.decision):
        # syrupy counts its failures by this; the outcome is the plugin's own.
        mark = pytest.mark.xfail(reason=repr(report), raises=AssertionError, strict=False)
        request.applymarker(mark)
    return report


@pytest.fixture
def alignment_baseline(
    snapshot: SnapshotAssertion, alignment_report: GatedReport, pytestconfig: pytest.Config
) -> SnapshotAssertion:
    """What the run is gated against: equal to a report that shows no regression."""
    from alignment.snapshot import extension_for  # noqa: PLC0415

    extension = extension_for(alignment_report, session_of(pytestconfig).accepted.add)
    return snapshot.use_extension(extension)


@pytest.fixture
def alignment_nulls(alignment_axis: str, alignment_study: Study) -> Mapping[str, Rate]:
    """Kind of null policy -> its rate on an axis; empty where scores are recorded."""
    from alignment.trials import try_nulls  # noqa: PLC0415

    return try_nulls(alignment_study, alignment_axis) or {}


@pytest.fixture
def alignment_opinions(alignment_axis: str, alignment_study: Study) -> Mapping[str, Opinion]:
    """Second judge -> its opinion on an axis: agreement with the judge, rates by variant."""
    from alignment.trials import second_opinions  # noqa: PLC0415

    list(map(alignment_study.cases, alignment_study.profile.variants))
    found = second_opinions(alignment_study)
    return {name: own[alignment_axis] for name, own in found.items() if alignment_axis in own}


@pytest.fixture
def alignment_trial(alignment_axis: str, alignment_study: Study) -> JudgeTrial | None:
    """The judge's trial on an axis; None where the profile has none or scores are recorded."""
    from alignment.trials import try_judge, try_nulls  # noqa: PLC0415

    try_nulls(alignment_study, alignment_axis)  # belongs to every report on a judge
    return try_judge(alignment_study, alignment_axis)
