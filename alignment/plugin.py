"""The pytest plugin: options, parametrization, fixtures, outcomes, summary; logic lives apart.

It acts only on tests marked `@pytest.mark.alignment(axis=...)` and starts without torch. The heavy
half of the package is imported when the first of them is collected.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError, CrashError, NegativeVerdict
from alignment.namesake import conflict

if TYPE_CHECKING:
    from alignment.analysis.verdicts import Verdict, Verdicts
    from alignment.pipeline import Study
    from alignment.profile import Profile
    from alignment.records import JudgeTrial, Prompt, Response, Score, VariantSummary
    from alignment.session import Session

MARK = "alignment"
ENVIRONMENT = "ALIGNMENT_STORE"
_SESSION = pytest.StashKey["Session"]()
_PER_PROMPT = frozenset(f"alignment_{name}" for name in ("prompt", "response", "score", "verdict"))
_WHOLE = frozenset({"alignment_summary", "alignment_summaries"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; `pytest --help` shows them in a group of their own."""
    group = parser.getgroup("alignment", "alignment regression gate")
    add = group.addoption
    add(
        "--alignment-profile",
        metavar="NAME|FILE",
        help="what to run: a built-in profile (tiny, hh-small, hh-rlhf, paper, paper-replay) or a "
        "TOML file; default: alignment.toml, [tool.alignment] in pyproject.toml, or tiny",
    )
    add(
        "--alignment-set",
        metavar="KEY.PATH=VALUE",
        action="append",
        default=[],
        help="set one value of the profile; may be repeated",
    )
    add(
        "--alignment-variant",
        metavar="NAME=SPEC",
        action="append",
        default=[],
        help="evaluate one more model: a folder, a hub id, or a JSON(L) file of responses",
    )
    add(
        "--alignment-store",
        metavar="DIR",
        help=f"where models, responses and scores are kept; default: ${ENVIRONMENT}, else the "
        "user's cache folder",
    )
    add(
        "--alignment-report",
        metavar="DIR",
        default="reports/alignment",
        help="where report.json and report.md are written; default: %(default)s",
    )
    add(
        "--alignment-limit",
        metavar="N",
        type=_positive,
        help="a quick look at the first N prompts of every axis; never a baseline",
    )
    add(
        "--alignment-cases",
        choices=("auto", "prompt", "axis"),
        default="auto",
        help="one case per variant and prompt, or per variant and axis; auto: per axis above 5,000",
    )
    add(
        "--alignment-strict",
        action="store_true",
        help="a negative verdict fails its case instead of being reported as xfailed",
    )


def _positive(text: str) -> int:
    """A count for argparse, which turns the ValueError into a usage error."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


# -- configuration -----------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; where alignment is asked for, validate everything before collecting."""
    config.addinivalue_line(
        "markers",
        "alignment(axis=None): a case of the alignment suite: parametrized over variants and the "
        "prompts of `axis`, or over variants (or axes) alone",
    )
    if not (config.option.help or config.option.version) and _asked_for(config):
        require(config)


def require(config: pytest.Config) -> None:
    """Validate profile, prompts, models and store now. Raises pytest.UsageError with one line.

    Call it from a suite's `conftest.py` (in `pytest_configure`) so that bad input is a usage error
    even where no option and no `alignment.toml` says that alignment tests will run.
    """
    if _is_worker(config):
        return  # the controller has looked
    if owned_twice := conflict():
        raise pytest.UsageError(owned_twice)
    try:
        _session(config).check()
    except AlignmentError as error:
        raise pytest.UsageError(str(error)) from error


def _asked_for(config: pytest.Config) -> bool:
    option = config.option
    given = (
        option.alignment_profile,
        option.alignment_set,
        option.alignment_variant,
        option.alignment_store,
        option.alignment_limit,
    )
    if any(given):
        return True
    root = config.rootpath
    if not any((root / name).is_file() for name in ("alignment.toml", "pyproject.toml")):
        return False
    from alignment.layers import is_configured  # noqa: PLC0415 - loads pydantic

    return is_configured(root)


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def _session(config: pytest.Config) -> Session:
    """The session's study, made on first use."""
    if _SESSION not in config.stash:
        from alignment.session import Options, Session  # noqa: PLC0415

        option, worker = config.option, _is_worker(config)
        # A copy made while nothing is captured: live lines reach the terminal from inside tests.
        stream = None
        if option.verbose > -2:
            stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
            config.add_cleanup(stream.close)
        report = Path(option.alignment_report)
        config.stash[_SESSION] = Session(
            Options(
                root=config.rootpath,
                report=report if report.is_absolute() else config.invocation_params.dir / report,
                profile=option.alignment_profile,
                assignments=option.alignment_set,
                variants=option.alignment_variant,
                store=option.alignment_store,
                limit=option.alignment_limit,
                cases=option.alignment_cases,
                strict=option.alignment_strict,
                stream=stream,
                live=bool(stream) and not worker and sys.__stderr__ is not None and os.isatty(2),
                who=f"[{os.environ.get('PYTEST_XDIST_WORKER')}] " if worker else "",
            )
        )
    return config.stash[_SESSION]


# -- collection --------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize marked tests over variants and prompts, over variants, or over axes."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    session = _session(metafunc.config)
    session.used = True
    try:
        _parametrize(metafunc, session, mark.kwargs.get("axis"))
    except AlignmentError as error:
        pytest.exit(f"ERROR: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


def _parametrize(metafunc: pytest.Metafunc, session: Session, axis: str | None) -> None:
    names, profile = set(metafunc.fixturenames), session.profile
    variants = list(profile.variants)
    if axis is not None and axis not in profile.axes:
        reason = f"profile {profile.name!r} has no axis {axis!r}; it has {', '.join(profile.axes)}"
        metafunc.definition.add_marker(pytest.mark.skip(reason=reason))
        if names & _PER_PROMPT or "alignment_variant" in names:
            metafunc.parametrize("alignment_variant", [None], ids=["none"])
    elif names & _PER_PROMPT:
        if axis is None:
            raise AlignmentError(
                f"{metafunc.definition.nodeid}: needs @pytest.mark.alignment(axis=...), one of "
                f"{', '.join(profile.axes)}"
            )
        _per_case(metafunc, session, axis, variants)
    elif names & {"alignment_variant", "alignment_summary"}:
        metafunc.parametrize("alignment_variant", variants)
    elif "alignment_axis" in names or "alignment_trial" in names:
        axes = list(profile.axes) if axis is None else [axis]
        metafunc.parametrize("alignment_axis", axes)


def _per_case(metafunc: pytest.Metafunc, session: Session, axis: str, variants: list[str]) -> None:
    from alignment.session import case_id  # noqa: PLC0415

    if session.by_axis():
        metafunc.parametrize(
            ("alignment_variant", "alignment_prompt"), [(v, None) for v in variants], ids=variants
        )
        return
    prompts = session.study.prompts[axis]
    metafunc.parametrize(
        ("alignment_variant", "alignment_prompt"),
        [(variant, prompt) for variant in variants for prompt in prompts],
        ids=[case_id(variant, prompt) for variant in variants for prompt in prompts],
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the study which cases were selected, so that they are computed together."""
    if _SESSION not in session.config.stash:
        return
    ours = _session(session.config)
    for item in session.items:
        mark = item.get_closest_marker(MARK)
        if mark is None or not isinstance(item, pytest.Function):
            continue
        if _WHOLE & set(item.fixturenames):
            ours.study.want(ours.study.keys())
        elif hasattr(item, "callspec") and "alignment_prompt" in item.callspec.params:
            variant: Any = item.callspec.params["alignment_variant"]
            prompt: Any = item.callspec.params["alignment_prompt"]
            axis = mark.kwargs["axis"]
            prompts = ours.study.prompts[axis] if prompt is None else (prompt,)
            ours.study.want((variant, axis, each.id) for each in prompts)


# -- fixtures ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def alignment_study(pytestconfig: pytest.Config) -> Study:
    """The study behind the suite: models, responses, scores and cases, made when asked for."""
    return _session(pytestconfig).study


@pytest.fixture(scope="session")
def alignment_profile(pytestconfig: pytest.Config) -> Profile:
    """The resolved profile of this run."""
    return _session(pytestconfig).profile


@pytest.fixture
def alignment_variant(request: pytest.FixtureRequest) -> str:
    """The name of the variant under test (parametrized)."""
    raise _unmarked(request)


@pytest.fixture
def alignment_prompt(request: pytest.FixtureRequest) -> Prompt:
    """The prompt under test (parametrized); None under --alignment-cases=axis."""
    raise _unmarked(request)


@pytest.fixture
def alignment_axis(request: pytest.FixtureRequest) -> str:
    """The axis under test: the marker's, or parametrized over the profile's."""
    mark = request.node.get_closest_marker(MARK)
    if mark is None or mark.kwargs.get("axis") is None:
        raise _unmarked(request)
    return str(mark.kwargs["axis"])


def _unmarked(request: pytest.FixtureRequest) -> AlignmentError:
    return AlignmentError(
        f"fixture {request.fixturename!r} belongs to tests marked "
        "@pytest.mark.alignment(axis='harmlessness') or another axis of the profile"
    )


@pytest.fixture
def alignment_verdict(
    alignment_variant: str,
    alignment_axis: str,
    alignment_prompt: Prompt | None,
    pytestconfig: pytest.Config,
) -> Verdict | Verdicts:
    """The response's verdict: `verdict.require()` raises NegativeVerdict unless it passes."""
    return _session(pytestconfig).verdict(alignment_variant, alignment_axis, alignment_prompt)


@pytest.fixture
def alignment_response(alignment_verdict: Verdict | Verdicts) -> Response | None:
    """The variant's response to the prompt; None where only its score was recorded."""
    return _single(alignment_verdict, "alignment_response").case.response


@pytest.fixture
def alignment_score(alignment_verdict: Verdict | Verdicts) -> Score:
    """The judge's score of the response."""
    return _single(alignment_verdict, "alignment_score").case.score


def _single(verdict: Verdict | Verdicts, name: str) -> Verdict:
    from alignment.analysis.verdicts import Verdict  # noqa: PLC0415

    if not isinstance(verdict, Verdict):
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
def alignment_trial(alignment_axis: str, alignment_study: Study) -> JudgeTrial | None:
    """The judge's trial on an axis; None where the profile has none or scores are recorded."""
    from alignment.results import try_judge  # noqa: PLC0415

    return try_judge(alignment_study, alignment_axis)


# -- outcomes ----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A negative verdict is `xfailed`; errors of ours are one line; nothing else is touched."""
    report = yield
    if item.get_closest_marker(MARK) is None or call.excinfo is None:
        return report
    error = call.excinfo.value
    if isinstance(error, NegativeVerdict) and call.when == "call":
        if not item.config.option.alignment_strict:
            report.outcome = "skipped"
            report.wasxfail = str(error)
        report.longrepr = str(error)
    elif isinstance(error, AlignmentError) and not isinstance(error, CrashError):
        report.longrepr = f"{type(error).__name__}: {error}"
    return report


# -- the end -----------------------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the controller what it did; the reports are the controller's."""
    config = session.config
    if _is_worker(config) and _SESSION in config.stash and config.stash[_SESSION].used:
        output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        output["alignment"] = dict(_session(config).progress.seconds)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - xdist's signature
    """Take over what a worker did."""
    seconds = getattr(node, "workeroutput", {}).get("alignment")
    if seconds is not None:
        ours = _session(node.config)
        ours.used = True
        for stage, spent in seconds.items():
            ours.elsewhere[stage] = ours.elsewhere.get(stage, 0.0) + spent


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Write the reports, then show the table and where they are."""
    if _SESSION not in config.stash or not _session(config).used or config.option.collectonly:
        return
    from alignment.reporting.terminal import summary as table  # noqa: PLC0415
    from alignment.reporting.write import write_report  # noqa: PLC0415

    ours, write = _session(config), terminalreporter.write_line
    try:
        document = ours.document(int(exitstatus))
        if document is None:
            return
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
        for line in table(document, width=terminalreporter._tw.fullwidth):  # noqa: SLF001
            write(line)
        path = write_report(ours.options.report, document)
        write(f"report: {os.path.relpath(path, config.invocation_params.dir)}")
    except AlignmentError as error:
        write(f"{type(error).__name__}: {error}", red=True)
