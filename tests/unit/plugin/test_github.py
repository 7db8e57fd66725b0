"""What GitHub's runner is told: annotations as its parser reads them, and no command of a text."""

import re
from dataclasses import replace

import pytest

from alignment.errors import StoreError
from alignment.plugin.github import MOST, summarise, workflow_commands
from alignment.records.decisions import Findings, GateResult
from alignment.reporting.document import document
from alignment.reporting.gate_text import headline
from alignment.reporting.plain import plain_decision
from alignment.reporting.text import inert
from support.decisions import FAIL, PASS
from support.reporting_sample import HOSTILE, results


@pytest.fixture(autouse=True)
def _on_github(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


def told(*decisions, **changes):
    gate = GateResult("baseline", decisions) if decisions else None
    return workflow_commands(document(results(**changes), Findings(gate=gate)))


def parsed(line):
    """(command, properties, message) as the runner reads a line."""
    found = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    properties = dict(each.split("=", 1) for each in found[2].split(","))
    order = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
    for code, letter in order:
        properties = {key: value.replace(code, letter) for key, value in properties.items()}
    message = found[3]
    for code, letter in (*order[:2], order[-1]):
        message = message.replace(code, letter)
    return found[1], properties, message


def test_a_failure_is_an_error_with_the_gates_own_words():
    (line,) = told(FAIL, PASS)
    command, properties, message = parsed(line)
    assert (command, properties) == ("error", {"title": "alignment gate: sft_dpo HmR: fail"})
    assert message == headline(plain_decision(FAIL))
    assert "90.0 to 60.0 %, -30.0" in message


@pytest.mark.parametrize(
    ("own", "level"),
    [
        ("fail", "error"),
        ("invalid", "error"),
        ("inconclusive", "warning"),
        ("uninformative", "warning"),
    ],
)
def test_every_outcome_has_its_level(own, level):
    (line,) = told(replace(FAIL, own=own))
    assert parsed(line)[0] == level


def test_a_clean_pass_says_nothing():
    assert told(PASS) == told() == []


@pytest.mark.parametrize("changes", [{"complete": False}, {"limit": 3}])
def test_a_partial_run_is_a_warning(changes):
    (line,) = told(**changes)
    assert parsed(line)[0] == "warning"


def test_elsewhere_it_says_nothing(monkeypatch):
    for value in ("", "false", "1"):
        monkeypatch.setenv("GITHUB_ACTIONS", value)
        assert told(FAIL) == []


def test_at_most_ten_and_the_worst_first():
    lines = told(*(replace(FAIL, own="inconclusive", variant=f"v{i}") for i in range(12)), FAIL)
    assert len(lines) == MOST
    assert lines[0].startswith("::error ")
    assert parsed(lines[-1])[2] == "4 more in the report"


def test_hostile_names_and_reasons_stay_in_their_place():
    name = "x::error::y,file=z\r\n::stop-commands::a%0A\x1b[31m"
    lines = told(replace(FAIL, own="invalid", change=None, variant=name, reasons=(name,)))
    assert len(lines) == 1
    command, properties, message = parsed(lines[0])
    assert command == "error"
    assert properties.keys() == {"title"}
    assert r"x::error::y,file=z\r\n::stop-commands::a%0A\x1b[31m" in message
    assert not re.search("[\x00-\x1f]", lines[0])


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "  ::error::x",
        "\u3000::add-mask::x",
        "fine\n::error::x",
        "fine\n  ::error::x",
        "text ##[error]x",
        "###[error]x",
        "##vso[task.setvariable variable=x]y",
        "##teamcity[message text='x']",
    ],
)
def test_no_line_is_a_command_of_a_ci(line):
    assert not [each for each in inert(line).split("\n") if each.strip().startswith("::")]
    assert not re.search(r"##\w*\[", inert(line))


@pytest.mark.parametrize("line", ["std::vector", "a ::b", "## [x]", "test.py::test_it PASSED", ""])
def test_other_lines_are_as_they_were(line):
    assert inert(line) == line


def test_the_markdown_is_appended_to_the_steps_summary(tmp_path, monkeypatch):
    (target := tmp_path / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    summarise(document(results(text=HOSTILE)))
    assert target.read_text(encoding="utf-8").startswith("before\n## Not decided: ")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(StoreError, match="the step summary cannot be written: ") as caught:
        summarise(document(results()))
    assert "\n" not in str(caught.value)
