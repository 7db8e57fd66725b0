"""Files replaced in one step: killed at every call, refused at every call, beside others' files.

As SQLite does: the N-th call fails, for N from 1 on, until an attempt comes to its end.
"""

import copy
import errno
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest

from alignment.analysis.calibration import ScoredPair, propose, youden
from alignment.commands import suite as starting
from alignment.commands.suite import start
from alignment.errors import AlignmentError
from alignment.files.sets import recover
from alignment.gating.acceptance import promoted
from alignment.reporting.document import document
from alignment.reporting.formats import FILES
from alignment.reporting.publishing import renderings
from alignment.reporting.write import write_report
from alignment.study.thresholds import write_into
from support.calls import Calls, killed, refused
from support.reporting_sample import results

PROPOSAL = propose(
    "Youden's threshold",
    youden,
    [ScoredPair(n / 7, n / 7 - 1.5, f"{n}") for n in range(20)],
    confidence=0.95,
    resamples=100,
    seed=0,
)
REPORT, BASELINES = "reports/alignment", "eval_suites/__baselines__/mine"
WHOLE, OTHER, PART = (
    document(results(**changes)) for changes in ({}, {"right": (199, 199)}, {"complete": False})
)
OTHERS = ("README.md", "figures/mine.svg", "theirs/deep/file", "junit.xml")
DRAWN = ("figures/rates.svg", "figures/trend.svg")
REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT)


class Scene:
    """Something that is written in one step into `folder`: an old state, an action, a new state."""

    def __init__(self, place, *, first):
        self.place, self.first = place, first
        (place / "eval_suites").mkdir(parents=True)
        (place / "eval_suites" / "test_mine.py").write_text("")
        subprocess.run(["git", "init", "-q", "--template=", str(place)], check=True)
        if not first:
            self.before()
        self.others()
        self.old = self.state()

    def copied(self, place):
        """The same scene once more."""
        shutil.copytree(self.place, place, symlinks=True)
        other = copy.copy(self)
        other.place = place
        return other

    def before(self):
        """Make the old state."""

    def others(self):
        """Others' files, where there is a folder to hold them."""
        for folder in (REPORT, BASELINES):
            if (self.place / folder).is_dir():
                for name in OTHERS:
                    path = self.place / folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"theirs: {name}")
                (self.place / folder / "link").symlink_to("nowhere")
                (self.place / folder / "empty").mkdir(exist_ok=True)

    def state(self):
        """Name -> bytes of everything but git's own."""
        return {
            str(path.relative_to(self.place)): content(path)
            for path in sorted(self.place.rglob("*"))
            if path.relative_to(self.place).parts[0] != ".git"
        }

    def untracked(self):
        """What `git add` would take, but for what was made to be there."""
        listed = subprocess.run(
            ["git", "-C", self.place, "ls-files", "--others", "-z"], check=True, capture_output=True
        )
        return set(os.fsdecode(listed.stdout).split("\0"))


def content(path):
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.is_file() else None


def report(place, found, formats, drawn=()):
    """Write a report as `publish` does, with figures that nobody has to draw."""
    made = renderings(found, formats, None) | {name: name.encode() * 999 for name in drawn}
    write_report(place / REPORT, found, made, owned={*FILES.values(), *DRAWN})


class Publishing(Scene):
    def before(self):
        report(self.place, WHOLE, ("json", "md", "parquet"), DRAWN)

    def act(self):
        report(self.place, OTHER, ("json", "md", "csv"), DRAWN[:1])


class PublishingPart(Publishing):
    def act(self):
        report(self.place, PART, ("json", "md", "csv"))


class Accepting(Scene):
    def before(self):
        with promoted(self.place / BASELINES, {"a": "1", "b": "1", "c": "1" * 9}):
            pass

    def act(self):
        with promoted(self.place / BASELINES, {"a": "2", "b": "1", "c": "2" * 9, "d": "2"}):
            pass


class Starting(Scene):
    """Files one by one: each is there, whole, or not."""

    def act(self):
        # Looking it up takes half a second each time.
        with patch.object(starting, "_pin_packages", lambda: ["torch==1"]):
            start(self.place, "tiny")


class Calibrating(Scene):
    def before(self):
        (self.place / "mine.toml").write_text('# mine\r\nextends = "tiny"\r\n')
        (self.place / "mine.toml").chmod(0o640)

    def act(self):
        write_into(self.place / "mine.toml", {"harmlessness": PROPOSAL}, extends="tiny")


SCENES = [Publishing, PublishingPart, Accepting, Calibrating, Starting]


@pytest.fixture(params=SCENES, ids=lambda scene: scene.__name__.lower())
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["again", "first"])
def first(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["exchanged", "moved"])
def exchange(request):
    return request.param


@pytest.fixture
def memory(tmp_path):
    """A folder in memory, where there is one: syncing a disk some thousand times takes minutes."""
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            yield Path(folder)
    except FileNotFoundError:
        yield tmp_path


@pytest.fixture(params=[4, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def step(request, kind, exchange):
    """How many calls lie between two scenes: those of acceptance and reports are all tried."""
    thorough = exchange and kind in (Publishing, Accepting)
    if thorough and request.param == 1:
        pytest.skip("all are tried anyway")
    return 1 if thorough else request.param


@pytest.fixture
def scenes(memory, kind, first, exchange, step):
    """Gives one scene after the other, and the state that each should come to."""
    if not exchange and (first or kind in (Calibrating, Starting)):
        pytest.skip("no folders are exchanged")
    if kind is Starting and not first:
        pytest.skip("what is there is left alone")
    last = kind(memory / "undisturbed", first=first)
    model = last.copied(memory / "model")
    with Calls(lambda _: False, None).noted(exchange=exchange):
        last.act()
    new = last.state()

    def made():
        for number in itertools.count(1, step):
            yield number, model.copied(memory / str(number))
            shutil.rmtree(memory / str(number))

    return made(), new


def whole(state, old, new, exchange):
    """Whether what there is, is the old or the new; where files are moved, a part without a seal.

    Empty folders, and drafts outside of the folders that are uploaded, are no part of it.
    """
    found = {n: c for n, c in state.items() if c is not None and ".alignment-draft-" not in n}
    sides = [{n: c for n, c in side.items() if c is not None} for side in (old, new)]
    if found in sides:
        return True
    theirs = {n: c for n, c in sides[0].items() if n.endswith(OTHERS)}
    part = any(found.items() <= side.items() for side in sides) and theirs.items() <= found.items()
    seal = f"{REPORT}/report.{'partial.' * (f'{REPORT}/report.partial.json' in new)}json"
    return not exchange and part and seal not in found


def test_killed_at_any_call(scenes, kind, exchange):
    made, new = scenes
    for number, scene in made:
        ended = not killed(number, scene.act, exchange=exchange)
        state = scene.state()
        if kind is not Starting:
            assert whole(state, scene.old, new, exchange), number
        assert all(
            state[name] == new[name] for name in state.keys() & new.keys() - scene.old.keys()
        )
        assert scene.untracked() <= scene.old.keys() | new.keys() | {""}, number
        if exchange:
            assert not [n for n in state if ".alignment-draft-" in n and n.startswith(REPORT)]
        scene.act()
        assert scene.state() == new, number
        assert ended or number < 300
        if ended:
            return


def test_what_a_killed_one_left_goes_without_another(scenes, kind, exchange):
    """A run that replaces nothing sweeps too, and finds the old or the new."""
    if kind is not Accepting:
        pytest.skip("others are swept by the next of their kind")
    made, new = scenes
    for number, scene in made:
        ended = not killed(number, scene.act, exchange=exchange)
        recover(scene.place / BASELINES)
        state = scene.state()
        if scene.first:
            assert whole(state, scene.old, new, exchange=True)
            assert not [name for name in state if ".alignment-draft-" in name]
        else:
            assert state in (scene.old, new), number
        if ended:
            return


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_refused_at_any_call(scenes, kind, exchange, lasting):
    made, new = scenes
    for (number, scene), error in zip(made, itertools.cycle(REFUSALS), strict=False):
        try:
            reached = refused(number, error, scene.act, lasting=lasting, exchange=exchange)
        except AlignmentError as failure:
            assert "\n" not in str(failure)
            assert len(str(failure)) < 500
            assert ".alignment-draft-" not in str(failure)
            if not lasting:
                assert scene.state() == scene.old, number
            elif kind is not Starting:
                assert whole(scene.state(), scene.old, new, exchange), number
            scene.act()
            assert scene.state() == new, number
        else:
            assert whole(scene.state(), scene.old, new, exchange=True)
            assert lasting or scene.state() == new
            if not reached:
                return
