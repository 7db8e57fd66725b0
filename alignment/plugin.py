"""The pytest plugin: options, parametrization, fixtures, outcomes, summary; logic lives apart.

It acts only on tests marked `@pytest.mark.alignment(axis=...)` and starts without torch. The heavy
half of the package is imported when the first of them is collected.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import pytest

from alignment.errors import AlignmentError, CrashError, NegativeVerdict
from alignment.namesake import conflict

if TYPE_CHECKING:
    from alignment.analysis.verdicts import Verdict, Verdicts
    from alignment.pipeline import Study
    from alignment.profile import Profile
    from alignment.records import JudgeTrial, Prompt, Response, Score, VariantSummary
    from alignment.reporting.figures import Document
    from alignment.session import Session

MARK = "alignment"
ENVIRONMENT = "ALIGNMENT_STORE"
_SESSION = pytest.StashKey["Session"]()
_STARTED = pytest.StashKey[bool]()
_REFUSED = pytest.StashKey[bool]()
_REPORT = pytest.StashKey["tuple[Document | None, str]"]()
_PER_PROMPT = frozenset(f"alignment_{name}" for name in ("prompt", "response", "score", "verdict"))


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
    """A count for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, not {text!r}")
    return int(text)


# -- configuration -----------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; where alignment is asked for, validate everything before collecting."""
    config.addinivalue_line(
        "markers",
        "alignment(axis=None): a case of the alignment suite: parametrized over variants and the "
        "prompts of `axis`, or over variants (or axes) alone",
    )
    if _asked_for(config):
        require(config)


def require(config: pytest.Config) -> None:
    """Validate profile, prompts, models and store now. Raises pytest.UsageError with one line.

    Call it from a suite's `conftest.py` (in `pytest_configure`) so that bad input is a usage error
    even where no option and no `alignment.toml` says that alignment tests will run.
    """
    option = config.option
    if _is_worker(config) or option.help or option.version or option.markers:
        return  # the controller has looked, or nothing will run
    if not hasattr(option, "alignment_profile"):
        raise _refused(config, "the plugin is not loaded; add -p alignment.plugin")
    if owned_twice := conflict():
        raise _refused(config, owned_twice)
    try:
        _session(config).check()
    except AlignmentError as error:
        raise _refused(config, error) from None
    except OSError as error:  # a path that cannot even be looked at
        where = f"{error.filename}: " if error.filename else ""
        raise _refused(config, f"{where}{error.strerror or error}") from None


def _refused(config: pytest.Config, error: AlignmentError | str) -> Exception:
    """A usage error; where tests are being collected, what pytest shows as one line there.

    That late only where nothing said beforehand that alignment tests will run.
    """
    config.stash[_REFUSED] = True
    late = _STARTED in config.stash
    return (pytest.Collector.CollectError if late else pytest.UsageError)(_plain(error))


def _plain(error: AlignmentError | str) -> str:
    """One line whatever keys and file names it quotes."""
    from alignment.reporting.text import safe  # noqa: PLC0415

    return safe(str(error))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Configuring is over: from here on bad input is found while collecting."""
    session.config.stash[_STARTED] = True


def _asked_for(config: pytest.Config) -> bool:
    option = config.option
    given = (
        option.alignment_profile is not None,
        option.alignment_set,
        option.alignment_variant,
        option.alignment_store is not None,
        option.alignment_limit,
    )
    return any(given) or _is_configured(config.rootpath)


def _is_configured(root: Path) -> bool:
    """Whether a project has settings of ours; they are read and judged elsewhere."""
    if (root / "alignment.toml").is_file():
        return True
    try:
        tables = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    tool = tables.get("tool")
    return isinstance(tool, dict) and "alignment" in tool


def _is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def _session(config: pytest.Config) -> Session:
    """The session's study, made on first use."""
    if _SESSION not in config.stash:
        from alignment.session import Options, Session  # noqa: PLC0415

        option, worker = config.option, _is_worker(config)
        stream = _live_stream(config)
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
                live=stream is not None and not worker and stream.isatty(),
                who=f"[{os.environ.get('PYTEST_XDIST_WORKER')}] " if worker else "",
            )
        )
    return config.stash[_SESSION]


def _live_stream(config: pytest.Config) -> TextIO | None:
    """A copy of stderr, made while nothing is captured: live lines reach the terminal from tests.

    None where the user wants no lines (`-qq`).
    """
    if _verbosity(config) < -1:
        return None
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    config.add_cleanup(stream.close)
    return stream


def _verbosity(config: pytest.Config) -> int:
    """Number of -v less number of -q; 0 where `-p no:terminal` has taken the options away."""
    return int(getattr(config.option, "verbose", 0))


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
        raise _refused(metafunc.config, error) from None


def _parametrize(metafunc: pytest.Metafunc, session: Session, axis: str | None) -> None:
    names, profile = set(metafunc.fixturenames), session.profile
    variants = list(profile.variants)
    if axis is not None and axis not in profile.axes:
        return  # skipped in `pytest_collection_modifyitems`
    if names & _PER_PROMPT:
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked with an axis that the profile does not have."""
    if _SESSION not in config.stash or _REFUSED in config.stash:
        return
    for item in items:
        mark = item.get_closest_marker(MARK)
        axis = None if mark is None else mark.kwargs.get("axis")
        if axis is not None and axis not in (profile := _session(config).profile).axes:
            known = ", ".join(profile.axes)
            reason = f"profile {profile.name!r} has no axis {axis!r}; it has {known}"
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the study which cases were selected, so that they are computed together."""
    if _SESSION not in session.config.stash or _REFUSED in session.config.stash:
        return
    ours = _session(session.config)
    for item in session.items:
        mark = item.get_closest_marker(MARK)
        if mark is None or not isinstance(item, pytest.Function):
            continue
        parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
        variant: Any = parameters.get("alignment_variant")
        if "alignment_summaries" in item.fixturenames:
            ours.study.want(ours.study.keys())
        elif "alignment_summary" in item.fixturenames:
            # The reference too: changes are counted from it.
            names = (variant, ours.profile.reference)
            ours.study.want(key for key in ours.study.keys() if key[0] in names)  # noqa: SIM118
        elif "alignment_prompt" in parameters:
            axis, prompt = mark.kwargs["axis"], parameters["alignment_prompt"]
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
        report.longrepr = f"{type(error).__name__}: {_plain(error)}"
    return report


# -- the end -----------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the controller what it did; the controller writes the reports."""
    config = session.config
    if _is_worker(config):
        output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        output["alignment_refused"] = _REFUSED in config.stash
        if _SESSION in config.stash and _session(config).used:
            output["alignment"] = dict(_session(config).progress.seconds)
    elif _REFUSED in config.stash:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    elif _SESSION in config.stash and _session(config).used and not config.option.collectonly:
        _report(session)
        _spare_hypothesis(config)


def _spare_hypothesis(config: pytest.Config) -> None:
    """Where nothing has imported hypothesis, its summary would, to find that it has nothing to say.

    That is 0.7 s of a warm run that has 3.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - xdist's signature
    """Take over what a worker did."""
    output = getattr(node, "workeroutput", {})
    if output.get("alignment_refused"):
        node.config.stash[_REFUSED] = True
    if output.get("alignment") is not None:
        ours = _session(node.config)
        ours.used = True
        for stage, spent in output["alignment"].items():
            ours.elsewhere[stage] = ours.elsewhere.get(stage, 0.0) + spent


def _report(session: pytest.Session) -> None:
    """Write the reports, and keep what the terminal shows of them."""
    from alignment.reporting.write import write_report  # noqa: PLC0415

    config, ours = session.config, _session(session.config)
    document: Document | None = None
    try:
        document = ours.document(int(session.exitstatus))
        if document is None:
            return
        path = write_report(ours.options.report, document)
        line = f"report: {os.path.relpath(path, config.invocation_params.dir)}"
    except AlignmentError as error:
        line = f"{type(error).__name__}: {_plain(error)}"
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if not config.pluginmanager.has_plugin("terminalreporter"):
            sys.stderr.write(f"{line}\n")
    config.stash[_REPORT] = (document, line)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and where the reports are; with -v every case, with -q only the place."""
    if _REPORT not in config.stash:
        return
    from alignment.reporting.terminal import summary as table  # noqa: PLC0415

    (document, line), ours = config.stash[_REPORT], _session(config)
    write, verbosity = terminalreporter.write_line, _verbosity(config)
    if verbosity >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
    if document is not None and verbosity >= 0:
        if verbosity > 0:
            for text in (*ours.listing(), ""):
                write(text)
        for text in table(document, width=terminalreporter._tw.fullwidth):  # noqa: SLF001
            write(text)
    failed = not line.startswith("report: ")
    if verbosity >= -1 or failed:
        write(line, red=failed)
