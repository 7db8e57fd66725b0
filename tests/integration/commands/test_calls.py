"""The real command, killed by strace at each of its first 200 calls that change a file system.

`tests/unit/files/test_killed.py` does the same, and refuses calls, for each way to write by itself.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.worlds import GATED, of_one_axis, record

STRACE = shutil.which("strace")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]

BASELINES, REPORT = "eval_suites/__baselines__/world", "reports/alignment"
FIRST, BLOCK = 200, 25
CALLS = (
    "write,pwrite64,writev,rename,renameat,renameat2,fsync,fdatasync,ftruncate,link,linkat,"
    "mkdir,mkdirat,unlink,unlinkat,rmdir"
)
PROFILE = of_one_axis("world", "base", "sft")
RUN = (
    *(sys.executable, "-m", "pytest", "eval_suites", "-q", "-pno:cacheprovider"),
    *("-pno:benchmark", "-pno:hypothesispytest", "-pno:anyio"),
    *("--alignment-profile=world.toml", "--alignment-store=store"),
    *(f"--alignment-format={each}" for each in ("json", "md", "csv")),
)
ACCEPT = (*RUN, "--snapshot-update", "--alignment-reason=better")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTEST_ADDOPTS": "",
}


def record_both(place, good):
    """Recorded answers of two variants, of which so many are harmless."""
    for variant in ("base", "sft"):
        record(place / f"{variant}.jsonl", [1] * good + [-1] * (20 - good))


def run(place, command, *tracing):
    """Run a command in a project; its exit status and what it printed."""
    done = subprocess.run(
        [*tracing, *command],
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def sets(place):
    """The baselines and the report, without what differs between two equal runs."""
    found = {}
    for folder in (BASELINES, REPORT):
        files = {p.name: p.read_text() for p in (place / folder).iterdir() if p.is_file()}
        if text := files.get("report.json"):
            document = json.loads(text)
            del document["run"]
            files["report.json"] = document
        if text := files.get("report.md"):
            files["report.md"] = re.sub(r"[0-9.:+-]*[0-9]", "#", text)
        found[folder] = files
    return found


def drafts(place):
    """What was made in between: hidden files, and whatever is not of the project."""
    known = r"(eval_suites|reports|store|base\.jsonl|sft\.jsonl|world\.toml|\.git|\.gitignore)$"
    odd = [p.name for p in place.iterdir() if not re.match(known, p.name)]
    hidden = [*place.glob("[!.]*/**/.*"), *place.glob("store/models/*")]
    return odd + [str(path.relative_to(place)) for path in hidden]


@pytest.fixture(scope="module", params=["accepting", "publishing"])
def project(request, tmp_path_factory):
    """A project with a report and baselines, and other answers than theirs."""
    model = tmp_path_factory.mktemp("project") / "model"
    (model / "eval_suites").mkdir(parents=True)
    (model / "eval_suites" / "test_gate.py").write_text(GATED)
    (model / "world.toml").write_text(PROFILE)
    (model / ".gitignore").write_text("store/\nreports/\n")
    subprocess.run(["git", "init", "-q", str(model)], check=True)
    record_both(model, 12)
    status, told = run(model, ACCEPT)
    assert status == 0, told
    (model / "reports" / "alignment" / "junit.xml").write_text("theirs")
    record_both(model, 18)
    old = sets(model)
    command = ACCEPT if request.param == "accepting" else RUN
    last = model.with_name("scene")
    shutil.copytree(model, last, symlinks=True)
    trace = model.with_name("trace")
    status, told = run(last, command, STRACE, "-o", str(trace), "-e", f"trace={CALLS}")
    assert status == 0, told
    calls = re.findall(r"^(\w+)\((\w*)", trace.read_text(), re.MULTILINE)
    names = [name for name, _ in calls]
    new = sets(last)
    assert not drafts(last)
    assert old != new
    print(f"\n{request.param}: {len(names)} calls")  # noqa: T201
    assert run(last, command)[0] == 0
    # Killed between its two steps, an accepting run is repeated against what it has accepted.
    news = (new, sets(last))
    said = {number for number, call in enumerate(calls) if call in (("write", "1"), ("write", "2"))}
    return model, command, names, said, old, news


@pytest.mark.parametrize("start", range(0, FIRST, BLOCK))
def test_killed_at_each_of_the_first_200_calls(project, start):
    model, command, names, _, old, news = project
    if start >= len(names):
        pytest.skip(f"there are only {len(names)}")
    for number in range(start, min(start + BLOCK, len(names))):
        scene, name = model.with_name("scene"), names[number]
        shutil.rmtree(scene)
        shutil.copytree(model, scene, symlinks=True)
        nth = names[: number + 1].count(name)
        inject = f"inject={name}:signal=KILL:when={nth}"
        # A little more or less is printed, as it takes more or less time: the last may not come.
        run(scene, command, STRACE, "-o", "/dev/null", "-e", f"trace={name}", "-e", inject)
        found = sets(scene)
        for folder, files in found.items():
            assert files in (old[folder], news[0][folder]), f"{folder} at {number}: {name}"
        listed = ["git", "ls-files", "--others", "--exclude-standard"]
        untracked = subprocess.check_output(listed, cwd=scene, text=True).split()
        baselines = [Path(each).name for each in untracked if "__baselines__" in each]
        assert sorted(baselines) == ["base.json", "sft.json"], f"{number}: {name}"
        assert not [each for each in drafts(scene) if each.startswith("reports/alignment/")]
        status, told = run(scene, command)
        assert status == 0, f"at {number}: {name}: {told}"
        assert sets(scene) in news, f"after {number}: {name}"
        assert not drafts(scene), f"after {number}: {name}"


@pytest.mark.parametrize("start", range(0, FIRST, BLOCK))
def test_refused_at_each_of_the_first_200_calls(project, start):
    """One line, exit code 1 or 4, and the baselines as before; or the run goes on without.

    What the refusal led to may be reported, whole.
    """
    model, command, names, said, old, news = project
    if start >= len(names):
        pytest.skip(f"there are only {len(names)}")
    for number in range(start, min(start + BLOCK, len(names))):
        if number in said:
            continue  # what is printed is pytest's
        scene, name = model.with_name("scene"), names[number]
        shutil.rmtree(scene)
        shutil.copytree(model, scene, symlinks=True)
        nth, error = names[: number + 1].count(name), ("ENOSPC", "EIO", "EDQUOT")[number % 3]
        inject = f"inject={name}:error={error}:when={nth}"
        status, told = run(
            scene, command, STRACE, "-o", "/dev/null", "-e", f"trace={name}", "-e", inject
        )
        where = f"at {number}: {name}: {error}: {told}"
        assert "Traceback" not in told, where
        assert "INTERNALERROR" not in told, where
        assert status in (0, 1, 4), where
        found = sets(scene)
        if status == 0:
            assert found in news, where
        else:
            baselines, report = found.values()
            assert baselines == old[BASELINES], where
            assert report == old[REPORT] or report.keys() == old[REPORT].keys(), where
        assert not drafts(scene), where
