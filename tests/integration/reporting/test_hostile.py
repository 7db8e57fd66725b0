"""More than 200 hostile responses through a real run, its gate, and every file that it leaves."""

import csv
import io
import json
import os
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from alignment.commands import main
from alignment.reporting.publishing import publish
from support import forks, worlds
from support.commonmark import assert_inert
from support.hostile import document, responses

EVERY = responses()
TEXTS = [text for text in EVERY if not re.search("[\ud800-\udfff]", text)]
"""What a file of recorded answers can hold; a tokenizer may decode to lone surrogates, too."""

SCORES = [-9 if "##" in text else (-1) ** i for i, text in enumerate(TEXTS)]
CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
PROMPTS = [text for text in TEXTS if text.strip() and len(text) < 400][:60]
WORLD = f"""
name = "world"
{worlds.AXES}
[variants]
base = {{ recorded = "base.jsonl" }}
[judge]
recorded = true
[gate]
responses = true
"""
SUITE = worlds.SUITE + worlds.GATE


def record(folder, texts, scores):
    """What the variant said: every hostile text once, and a few answers to hostile prompts."""
    rows = [
        {"axis": "harmlessness", "prompt": f"Human: q{i}?", "response": text, "score": score}
        for i, (text, score) in enumerate(zip(texts, scores, strict=True))
    ]
    rows += [
        {"axis": "helpfulness", "prompt": f"Human: {i} {text}", "response": text, "score": 1}
        for i, text in enumerate(PROMPTS)
    ]
    (folder / "base.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class Run:
    """The second of two runs, the first of which is its baseline: half of the verdicts are lost."""

    def __init__(self, folder):
        self.folder = folder
        self.reports = folder / "reports" / "alignment"
        (folder / "world.toml").write_text(WORLD)
        (folder / "test_suite.py").write_text(SUITE)
        record(folder, [TEXTS[-1], *TEXTS[:-1]], [1] * len(TEXTS))
        accepted = self._run("--snapshot-update", "-q")
        assert accepted.returncode == 0, accepted.stdout.decode()
        # The lowest are shown in the terminal: those that a CI would obey wherever they stand.
        record(folder, TEXTS, SCORES)
        self.result = self._run("-vv", "-rA", "--junitxml=junit.xml")

    def _run(self, *arguments):
        given = ["-pno:cacheprovider", "-pno:benchmark", "-pno:hypothesispytest", "-pno:anyio"]
        given += ["--alignment-profile=world.toml", "--alignment-store=store"]
        outside = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(self.folder / "step.md")}
        environment = os.environ | outside | {"COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}
        how = {"folder": self.folder, "environment": environment, "text": False}
        return forks.run("pytest", [*given, *arguments], **how)

    def text(self, name):
        return (self.reports / name).read_bytes().decode()

    @property
    def document(self):
        return json.loads(self.text("report.json"))


class Rendered:
    """A report with lone surrogates, too, and with hostile prompts in its flips."""

    def __init__(self, folder):
        self.reports = folder
        self.document = document()
        publish(folder, self.document)

    text = Run.text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return Rendered(tmp_path_factory.mktemp("rendered"))


@pytest.fixture(params=["run", "rendered"])
def report(request):
    """What a run left, and what is rendered from a report without one."""
    return request.getfixturevalue(request.param)


def test_the_corpus_is_large_enough():
    assert len(EVERY) == len(set(EVERY)) >= 200
    assert len(TEXTS) >= 200
    assert max(map(len, TEXTS)) > 1_000_000


def test_lone_surrogates_survive_in_the_json(rendered):
    assert json.loads(rendered.text("report.json")) == rendered.document
    assert {case["response"] for case in rendered.document["cases"]} == set(EVERY)


def test_the_json_has_every_text_exactly_as_it_was(run):
    assert run.result.returncode == 1
    cases = [case for case in run.document["cases"] if case["axis"] == "harmlessness"]
    texts = run.document["prompts"]
    said = {texts[case["prompt"]]["text"]: case["response"] for case in cases}
    assert said == {f"Human: q{i}?": text for i, text in enumerate(TEXTS)}


def test_flips_have_both_texts_exactly_as_they_were(run):
    (decision,) = (d for d in run.document["gate"]["decisions"] if d["rate"] == "HmR")
    assert decision["outcome"] == "fail"
    before = dict(zip(TEXTS, [TEXTS[-1], *TEXTS[:-1]], strict=True))
    assert len(decision["flips"]) == sum(score < 0 for score in SCORES)
    for flip in decision["flips"]:
        assert flip["response_before"] == before[flip["response_after"]]


def assert_plain(text):
    obeyed = {letter for letter in set(text) if unicodedata.category(letter) in CONTROLS}
    assert obeyed <= {"\n", "\u200c", "\u200d"}  # joiners only shape the letters beside them
    told = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert all(re.match(r"::(error|warning) title=alignment", line) for line in told)
    assert not re.search(r"##\w*\[", text)


def test_the_terminal_gets_no_control_character_and_a_ci_no_command(run):
    told = run.result.stdout.decode() + run.result.stderr.decode()
    assert_plain(told)
    assert r"\x23#[error]pwned" in told
    assert "::error title=alignment gate%3A base HmR%3A fail::base HmR: FAIL: " in told
    lines = told.splitlines()
    (place,) = (i for i, line in enumerate(lines) if line.startswith("report: "))
    headline = " ".join(lines[place - 2 : place])
    assert "Do not merge: harmlessness (HmR) of base fell from 100.0 to" in headline


def test_the_markdown_is_inert_and_short(report):
    text = report.text("report.md")
    assert_inert(text)
    assert len(text) <= 60_000
    assert text.startswith("## Do not merge: ")


def test_the_markdown_is_the_summary_of_the_step(run):
    text = run.text("report.md")
    assert text.strip() in (run.folder / "step.md").read_text(encoding="utf-8")


def is_formula(cell):
    """What is left when all that a reader may drop is dropped."""
    dropped = ("Z", "C")
    bare = cell
    while bare and (bare[0] in "\"'" or unicodedata.category(bare[0])[0] in dropped):
        bare = bare[1:]
    return unicodedata.normalize("NFKC", bare[:1])[:1] in {"=", "+", "-", "@", "\u2212"} - {""}


def test_the_csv_has_a_row_per_case_and_no_formula(report):
    text = report.text("cases.csv")
    assert text.startswith("\ufeffvariant,axis,prompt,")
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert len(rows) == len(report.document["cases"])
    numbers = {"score", "dimension_reward", "score_before"}
    for row, case in zip(rows, report.document["cases"], strict=True):
        assert (row["prompt"], float(row["score"])) == (case["prompt"], case["score"])
        for name, cell in row.items():
            assert name in numbers or not is_formula(cell) or cell.startswith("'")
            assert cell[:1] not in {"\t", "\r", "\n", "="}
            assert len(cell) <= 32_767
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", cell)
    assert "lost" in {row["flip"] for row in rows} <= {"", "lost"}
    assert all(float(row["score_before"]) == 1 for row in rows if row["flip"])


def test_parquet_and_the_terminal_again_from_the_json_alone(report, capsys, tmp_path):
    from pyarrow import parquet

    arguments = [str(report.reports), "--alignment-store", str(tmp_path / "store")]
    formats = ["--format=parquet", "--format=text", "--to", str(tmp_path)]
    assert main(["report", *arguments, *formats]) == 0
    assert_plain(capsys.readouterr().out)
    table = parquet.read_table(tmp_path / "cases.parquet").to_pydict()
    surrogate = re.compile("[\ud800-\udfff]")
    assert table["response"] == [
        surrogate.sub(lambda found: f"\\u{ord(found.group()):04x}", case["response"])
        for case in report.document["cases"]
    ]


def test_the_junit_file_is_well_formed_and_says_what_every_case_was(run):
    suite = ET.parse(run.folder / "junit.xml").getroot()[0]  # noqa: S314 - our own
    told = {each.get("name"): each.get("value") for each in suite.find("properties")}
    assert told["alignment.outcome"] == "fail"
    assert told["alignment.headline"].startswith("Do not merge: ")
    assert float(told["alignment.base.HpR"]) == 100
    cases = {case.get("name"): properties(case) for case in suite.iter("testcase")}
    found = [each for each in cases.values() if "alignment.prompt" in each]
    assert {(each["alignment.prompt"], float(each["alignment.score"])) for each in found} == {
        (case["prompt"], case["score"]) for case in run.document["cases"]
    }
    assert cases["test_gate[base-HmR]"]["alignment.outcome"] == "fail"
    assert float(cases["test_gate[base-HmR]"]["alignment.high"]) < -10


def properties(case):
    found = case.find("properties")
    return {} if found is None else {each.get("name"): each.get("value") for each in found}


def test_the_figures_are_well_formed(report):
    names = {path.name for path in (report.reports / "figures").glob("*.svg")}
    assert "rates.svg" in names
    for name in names:
        root = ET.parse(report.reports / "figures" / name).getroot()  # noqa: S314 - our own
        assert root.tag == "{http://www.w3.org/2000/svg}svg"


class Elements(HTMLParser):
    """What a page consists of: its elements with the names of their attributes, and its links."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.links, self.scripts = set(), [], 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.update({tag, *((tag, name) for name, _ in attrs)})
        self.links += [value for name, value in attrs if name in {"href", "src", "action"}]
        self.scripts += tag == "script"


def tamed(value):
    """A report in which every text that a model or a prompt brought is plain words."""
    if isinstance(value, dict):
        texts = ("text", "response", "response_before", "response_after")
        return {
            key: f"plain words {len(each)}" if key in texts and each else tamed(each)
            for key, each in value.items()
        }
    return [tamed(each) for each in value] if isinstance(value, list) else value


def test_the_page_has_no_element_that_it_would_not_have_anyway(report):
    from alignment.reporting.page import page

    drawn = {path.stem: path.read_text() for path in (report.reports / "figures").glob("*.svg")}
    hostile = Elements(report.text("report.html"))
    plain = Elements(page(tamed(report.document), drawn))
    assert hostile.elements <= plain.elements
    assert hostile.scripts == plain.scripts
    strange = set(hostile.links) - set(plain.links)
    assert all(str(link).startswith("#") for link in strange)
    assert not [name for _, name in _pairs(hostile) if name.startswith("on")]


def _pairs(found):
    return [each for each in found.elements if isinstance(each, tuple)]
