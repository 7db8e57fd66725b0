"""`python -m alignment init`: what it writes, what it leaves alone, and what it refuses."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml

from alignment.commands.suite import start, starter
from alignment.config.layers import built_in, resolve

SUITE = "eval_suites/test_regression.py"


def uncommented(text):
    """The profile with every line that is ready to use in use."""
    return re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)


def test_it_says_what_it_wrote_and_what_to_do_next(command, tmp_path):
    status, out, err = command("init", tmp_path / "new" / "repository")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= 4
    for name in starter("tiny"):
        assert name in lines[0]
        assert (tmp_path / "new" / "repository" / name).is_file()
    assert "pytest eval_suites" in lines[1]
    assert "--snapshot-update" in lines[2]


def test_nothing_but_that_is_left_in_the_folder(tmp_path):
    start(tmp_path, "tiny")
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == starter("tiny").keys()


def test_what_is_there_is_left_alone_and_named(command, tmp_path):
    mine = tmp_path / SUITE
    mine.parent.mkdir()
    mine.write_text("# mine\n")
    (tmp_path / "alignment.toml").symlink_to(tmp_path / "not-there-yet")
    _, out, _ = command("init", tmp_path)
    left = next(line for line in out.splitlines() if line.startswith("not changed"))
    assert left == f"not changed, because they exist: alignment.toml, {SUITE}"
    assert mine.read_text() == "# mine\n"
    assert (tmp_path / "alignment.toml").is_symlink()
    assert not (tmp_path / "not-there-yet").exists()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert command("init", tmp_path)[1].startswith("wrote nothing\n")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("where", ["file", "file/below", "taken"])
def test_a_bad_folder_is_one_line(command, tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "eval_suites").write_text("")
    status, out, err = command("init", tmp_path / where)
    assert (status, out) == (2, "")
    assert err.startswith("error: init: ")
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_line(command, tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in command("init", tmp_path)[2]


def test_an_unknown_profile_is_refused_before_anything_is_written(command, tmp_path):
    status, _, err = command("init", tmp_path / "new", "--profile", "huge")
    assert status == 2
    assert "unknown profile 'huge'; start from one of hh-rlhf" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", built_in())
def test_every_profile_can_be_started_from(tmp_path, name):
    (tmp_path / "alignment.toml").write_text(starter(name)["alignment.toml"])
    profile = resolve(tmp_path)
    assert profile.name == name
    assert profile.gate.reference == "base"
    assert len(profile.variants) > 1


def test_every_line_that_is_ready_to_use_can_be_used(tmp_path):
    """All of them at once, over the profile for checkpoints."""
    text = uncommented(starter("hh-rlhf")["alignment.toml"])
    (tmp_path / "alignment.toml").write_text(text)
    profile = resolve(tmp_path)
    assert profile.name == "mine"
    assert profile.axes["harmlessness"].gate.margin == 10.0
    assert profile.axes["helpfulness"].prompts.sample == 300
    assert profile.judges.keys() == {"keywords"}
    assert profile.variants.keys() == {"base", "candidate", "served"}
    assert profile.gate.responses


def test_comments_that_are_prose_are_not_taken_for_settings():
    """Every comment begins with `# ` and prose, or with `#` and valid TOML."""
    lines = starter("tiny")["alignment.toml"].splitlines()
    settings = [each[1:] for each in lines if each.startswith("#") and each[1:2] not in {"", " "}]
    assert settings
    assert all(tomllib.loads(each) for each in settings)


def workflow():
    return yaml.safe_load(starter("tiny")[".github/workflows/alignment.yml"])


def test_the_workflow_may_do_as_little_as_it_can():
    found = workflow()
    assert found["permissions"] == {}
    assert found["jobs"]["gate"]["permissions"] == {"contents": "read"}
    assert found["jobs"]["comment"]["permissions"] == {"pull-requests": "write"}
    assert "head.repo.full_name == github.repository" in found["jobs"]["comment"]["if"]
    assert True in found  # `on`, as YAML 1.1 reads it
    assert "pull_request_target" not in found[True]
    steps = found["jobs"]["comment"]["steps"]
    assert not any("checkout" in step.get("uses", "") for step in steps)


def steps(job):
    """A job's steps by what they use, or by the first words that they run."""
    found = workflow()["jobs"][job]["steps"]
    return {(e.get("uses") or e["run"]).partition("@")[0].partition(" -")[0]: e for e in found}


def test_actions_are_pinned_and_no_expression_reaches_a_shell():
    for job in workflow()["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", "")


def test_what_was_computed_is_kept_where_the_gate_fails_too():
    found = steps("gate")
    restored, saved = found["actions/cache/restore"], found["actions/cache/save"]
    assert "actions/cache" not in found  # it saves nothing of a job that failed
    assert saved["if"] == "always()"
    assert saved["with"] == {name: restored["with"][name] for name in ("path", "key")}
    assert "run_attempt" in saved["with"]["key"]  # a key is written once
    order = [*found]
    assert order.index("actions/cache/save") > order.index("python")
    assert found["actions/upload-artifact"]["if"] == "always()"


def test_a_run_on_main_is_neither_cancelled_nor_replaced():
    found = workflow()["concurrency"]
    assert found["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    # GitHub cancels a waiting run of the same group, whatever `cancel-in-progress` says.
    name = "alignment-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}"
    assert found["group"] == name


def test_the_install_is_pinned_to_what_is_here():
    texts = starter("tiny")
    install = next(each["run"] for each in workflow()["jobs"]["gate"]["steps"] if "run" in each)
    version = metadata.version("alignment-gate")
    wanted = f'--constraint alignment-constraints.txt "alignment-gate=={version}"'
    assert install == f"python -m pip install {wanted}"
    lines = texts["alignment-constraints.txt"].splitlines()
    pinned = dict(each.split("==") for each in lines if not each.startswith("#"))
    # Those that we name, and what they need in turn; nothing of what only our tests need.
    for name in ("torch", "transformers", "trl", "tokenizers", "numpy", "pluggy"):
        assert pinned[name] == metadata.version(name).partition("+")[0]
    assert not {"hypothesis", "alignment-gate", "sybil"} & pinned.keys()
    python = steps("gate")["actions/setup-python"]["with"]["python-version"]
    assert python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_checkout_that_is_installed_nowhere_pins_itself_too(monkeypatch):
    known = metadata.version

    def unknown(name):
        if name == "alignment-gate":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    before = starter("tiny")
    monkeypatch.setattr(metadata, "version", unknown)
    assert starter("tiny") == before


GH = """#!{python}
import json, os, pathlib, sys
body = pathlib.Path("body.md").read_text() if pathlib.Path("body.md").exists() else None
with open("calls.jsonl", "a") as file:
    file.write(json.dumps(sys.argv[1:] + [body]) + "\\n")
if "--paginate" in sys.argv:
    print(os.environ["EARLIER"])
"""
HOSTILE = '## Alignment\n\n`$(touch pwned)` "; touch pwned; `touch pwned` ${{ github.token }} \\n'
INTRODUCED = (
    "<!-- alignment gate -->\n*Written by the code of this branch, in [this run](https://h/r/1).*\n"
)


@pytest.fixture
def posted(tmp_path):
    """Runs the step's own script over `report/`, with a stand-in for GitHub's client.

    Gives the arguments of the last call, and what was posted.
    """
    (tmp_path / "report").mkdir()
    (tmp_path / "gh").write_text(GH.format(python=sys.executable))
    (tmp_path / "gh").chmod(0o700)

    def post(earlier=""):
        script = workflow()["jobs"]["comment"]["steps"][-1]["run"]
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        given = {"GH_REPO": "o/r", "NUMBER": "7", "EARLIER": earlier, "PATH": path}
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path,
            env=given | {"RUN": "https://h/r/1", "GH_TOKEN": "a-secret"},
            capture_output=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
        *words, body = calls[-1]
        return words, body

    return post


@pytest.mark.parametrize("name", ["report.md", "report.partial.md"])
@pytest.mark.parametrize(
    ("earlier", "sent"),
    [
        ("", ["pr", "comment", "7", "--body-file", "body.md"]),
        ("11\n12", ["api", "--silent", "--method", "PATCH", "repos/o/r/issues/comments/11"]),
    ],
)
def test_the_comment_is_posted_once_and_then_replaced(tmp_path, posted, name, earlier, sent):
    (tmp_path / "report" / name).write_text(HOSTILE)
    words, body = posted(earlier)
    assert words[: len(sent)] == sent
    assert body == f"{INTRODUCED}\n{HOSTILE}"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("text", ["x" * 200_000, "é" * 100_000, "# line\n" * 20_000, "😀" * 50_000])
def test_a_comment_is_cut_and_says_so(tmp_path, posted, text):
    (tmp_path / "report" / "report.md").write_text(text)
    _, body = posted()
    note = (
        "*The report is too long for a comment and was cut: the complete report is in the "
        "artifacts of the run.*\n"
    )
    assert body.startswith(f"{INTRODUCED}{note}\n")
    assert 55_000 < len(body.encode()) < 65_536
    shown = body.removeprefix(f"{INTRODUCED}{note}\n")
    assert text.startswith(shown)


def test_what_is_no_text_is_left_out(tmp_path, posted):
    (tmp_path / "report" / "report.md").write_bytes(b"good \xff\xfe text")
    assert posted()[1] == f"{INTRODUCED}\ngood  text"


@pytest.mark.parametrize("kind", ["file", "folder", "dead", "whole", "none", "pipe"])
def test_a_report_that_is_no_file_is_not_posted(tmp_path, posted, kind):
    """The branch's code made it: a link would show what the machine that may write holds."""
    report, secret = tmp_path / "report" / "report.md", tmp_path / "secret"
    secret.mkdir()
    (secret / "report.md").write_text("secret")
    if kind == "file":
        report.symlink_to(secret / "report.md")
    elif kind == "folder":
        report.symlink_to(secret)
    elif kind == "dead":
        report.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(report)
    elif kind == "whole":
        report.parent.rmdir()
        report.parent.symlink_to(secret)
    _, body = posted("11")
    assert body == f"{INTRODUCED}*The run wrote no report: see its log.*\n"


def test_a_pull_request_from_a_fork_asks_for_nothing_that_it_may_not():
    jobs = workflow()["jobs"]
    assert (
        "github.event.pull_request.head.repo.full_name == github.repository"
        in (jobs["comment"]["if"])
    )
    assert all("write" not in job["permissions"].values() for job in [jobs["gate"]])
    assert "secrets." not in starter("tiny")[".github/workflows/alignment.yml"]
