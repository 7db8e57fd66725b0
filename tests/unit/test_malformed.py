"""Bad input is one line that names what is wrong, before anything is written: over 250 kinds."""

import os
from pathlib import Path

import pytest

from alignment.commands import main
from alignment.errors import AlignmentError
from alignment.plugin.host import plain
from alignment.plugin.session import Options, Session
from support import malformed

LONGEST = 500


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A good project, which is the current folder."""
    monkeypatch.delenv("ALIGNMENT_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return malformed.project(tmp_path / "project")


@pytest.fixture
def refusal(project):
    """Checks the input as a run does: gives the one line; nothing may be there that was not."""

    def refuse(profile="asked.toml", store="store", report="reports", **options):
        before = everything(project.parent)
        session = Session(
            Options(root=project, report=project / report, profile=profile, store=store, **options)
        )
        with pytest.raises(AlignmentError) as raised:
            session.check()
        assert everything(project.parent) == before
        return one_line(f"ERROR: {plain(raised.value)}")

    return refuse


def one_line(text):
    assert "\n" not in text
    assert len(text) <= LONGEST
    assert text.isprintable()
    assert "Traceback" not in text
    return text


def everything(folder):
    """Every file and folder, with its size: nothing is opened."""
    return {
        path: path.lstat().st_size
        for root, folders, files in os.walk(folder)
        for path in (Path(root, name) for name in (*folders, *files))
    }


def by(name):
    """The cases of one kind, called by a number and the beginning of what is wrong."""
    cases = getattr(malformed, name).items()
    return [
        pytest.param(given, said, id=f"{number} {given[:30]!a}")
        for number, (given, said) in enumerate(cases)
    ]


def test_the_project_itself_is_good(project):
    for profile in ("asked.toml", "told.toml"):
        session = Session(
            Options(root=project, report=project / "reports", profile=profile, store="store")
        )
        session.check()
        assert session.study.prompts["harmlessness"]


def test_there_are_enough_of_them():
    kinds = ("VALUES", "RECIPES", "FILES", "PROJECTS", "ROWS_OF", "TOLD_OF", "VARIANTS")
    assert sum(len(getattr(malformed, kind)) for kind in kinds) >= 250


@pytest.mark.parametrize(("given", "said"), by("VALUES"))
def test_a_value(refusal, given, said):
    assert said in refusal(assignments=[given])


@pytest.mark.parametrize(("given", "said"), by("RECIPES"))
def test_a_recipe(refusal, given, said):
    assert said in refusal(profile="tiny", assignments=[given])


@pytest.mark.parametrize(("given", "said"), by("FILES"))
def test_a_profile(project, refusal, given, said):
    (project / "p.toml").write_bytes(given)
    assert said in refusal(profile="p.toml")


@pytest.mark.parametrize(
    ("given", "said"), [each for each in by("FILES") if b"judge" not in each.values[0]]
)
def test_settings_of_the_project(project, refusal, given, said):
    if b"p.toml" in given or not given:
        pytest.skip("means something else there")
    (project / "alignment.toml").write_bytes(given)
    assert said in refusal(profile=None)


@pytest.mark.parametrize(("given", "said"), by("PROJECTS"))
def test_a_pyproject(project, refusal, given, said):
    (project / "pyproject.toml").write_bytes(given)
    assert said in refusal(profile=None)


@pytest.mark.parametrize("kind", malformed.SPOILED)
@pytest.mark.parametrize("name", ["asked.toml", "alignment.toml", "pyproject.toml", "rows.jsonl"])
def test_something_else_in_place_of_a_file(project, refusal, kind, name):
    malformed.SPOILED[kind](project / name)
    line = refusal(profile=None if name in {"alignment.toml", "pyproject.toml"} else "asked.toml")
    assert name in line
    assert kind in line or "unknown profile" in line or "there is no such file" in line


@pytest.mark.parametrize(("given", "said"), by("ROWS_OF"))
def test_rows(project, refusal, given, said):
    (project / "rows.jsonl").write_bytes(given)
    line = refusal()
    assert said in line
    assert "rows.jsonl" in line


@pytest.mark.parametrize(("given", "said"), by("TOLD_OF"))
def test_recorded_rows(project, refusal, given, said):
    (project / "told.jsonl").write_bytes(given)
    assert said in refusal(profile="told.toml")


@pytest.mark.parametrize(("given", "said"), by("VARIANTS"))
def test_a_variant(refusal, given, said):
    assert said in refusal(variants=[given])


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("", "unknown profile ''"),
        ("nowhere", "unknown profile 'nowhere'"),
        (".", "unknown profile '.'"),
        ("a\0b", r"unknown profile 'a\x00b'"),
        ("/dev/zero", "/dev/zero: cannot be read: it is a device"),
        ("x" * 5000, "unknown profile 'xxx"),
        ("rows.jsonl", "not valid TOML"),
        ("rows.jsonl/x", "unknown profile"),
    ],
)
def test_a_profile_that_is_none(refusal, profile, said):
    assert said in refusal(profile=profile)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"report": "rows.jsonl"}, "--alignment-report: "),
        ({"report": "rows.jsonl/a/b"}, "rows.jsonl is there and is no folder; name a folder"),
        ({"report": "/dev/null"}, "--alignment-report: /dev/null is there and is no folder"),
        ({"report": "/dev/null/a"}, "--alignment-report: /dev/null is there and is no folder"),
        ({"report": "piped"}, "piped/report.md exists and is not a regular file"),
        ({"store": "rows.jsonl"}, "rows.jsonl: cannot be opened"),
        ({"store": "rows.jsonl/a"}, "rows.jsonl/a: cannot be opened: Not a directory"),
        ({"store": "/dev/null"}, "store /dev/null: cannot be opened"),
        ({"store": "/proc/x"}, "store /proc/x: cannot be opened"),
        ({"store": "x" * 300}, "cannot be opened: File name too long"),
    ],
)
def test_a_place(project, refusal, places, said):
    (project / "piped").mkdir()
    malformed.SPOILED["FIFO"](project / "piped" / "report.md")
    assert said in refusal(**places)


DATASET = 'axes.harmlessness.prompts.origin={source="dataset", dataset="there", %s}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('data_dir="/"', "data_dir: leads out of the data set's folder"),
        ('data_dir="../.."', "data_dir: leads out of the data set's folder"),
        ('data_dir="a\\u0000"', "data_dir: contains a NUL"),
        ('split="../../x"', "split: leads out of the data set's folder"),
        ('split=""', "split: string should have at least 1 character"),
        ('revision="../../../etc/passwd"', "revision: leads out of the data set's folder"),
        ('split="fifo"', "fifo.jsonl: cannot be read: it is a FIFO"),
        ('split="device"', "device.jsonl.gz: cannot be read: it is a device"),
        ('split="absent", data_dir="empty"', "no data files; a clone of the dataset has absent"),
        ('split="x", data_dir="pipes"', "train.csv: cannot be read: it is a FIFO"),
        ('split="x", data_dir="many"', "more than 10,000 files and folders, which is the limit"),
    ],
)
def test_a_folder_of_a_data_set(project, refusal, given, said, monkeypatch):
    from alignment.prompts import dataset_folders as folders

    for name in ("empty", "pipes", "many"):
        (project / "there" / name).mkdir(parents=True)
    malformed.SPOILED["FIFO"](project / "there" / "fifo.jsonl")
    malformed.SPOILED["FIFO"](project / "there" / "pipes" / "train.csv")
    malformed.SPOILED["device"](project / "there" / "device.jsonl.gz")
    (project / "there" / "pipes" / "up").symlink_to("..")
    if "many" in given:
        monkeypatch.setattr(folders, "MOST", 100)
        said = said.replace("10,000", "100")
        for number in range(101):
            (project / "there" / "many" / f"{number}.txt").touch()
    assert said in refusal(assignments=[DATASET % given])


# -- the command line -----------------------------------------------------------------------------

COMMANDS = [
    ((), "the following arguments are required: COMMAND"),
    (("nonsense",), "invalid choice: 'nonsense'"),
    (("plan", "--nonsense"), "unrecognized arguments: --nonsense"),
    (("plan", "--prompts"), "argument --prompts: expected one argument"),
    *(
        (("plan", f"--prompts={value}"), "--prompts: needs a whole number from 1 to 100,000")
        for value in ("0", "-1", "x", "1.5", "1e9", "nan", "9" * 5000, "", "1_0", "²")
    ),
    *(
        (("plan", f"--{option}={value}"), f"--{option}: needs a number from 0 to")
        for option in ("flips", "margin", "confidence")
        for value in ("nan", "inf", "-1", "x", "1e400", "")
    ),
    (("plan", "--confidence=1"), "confidence and power must be between 0 and 1"),
    (("plan", "--variants=1000000000"), "--variants: needs a whole number from 1 to 1,000"),
    (("simulate", "--runs=1000000000000"), "--runs: needs a whole number from 1 to 1,000,000"),
    (("simulate", "--seed=-1"), "--seed: needs a whole number from 0 to 4,294,967,295"),
    (("compare", "a"), "the following arguments are required: after"),
    (("compare", "nowhere", "rows.jsonl"), "nowhere: there is no such report folder"),
    (("compare", "a\0b", "a\0b"), "there is no such report folder"),
    (("compare", ".", "."), "report.json: cannot be read: there is no such file"),
    (("report", "nowhere"), "nowhere: cannot be read: there is no such file"),
    (("report", "."), "contains no report.json"),
    (("report", "rows.jsonl"), "rows.jsonl: is no JSON"),
    (("report", "/dev/zero"), "/dev/zero: cannot be read: it is a device"),
    (("report", "fifo"), "fifo: cannot be read: it is a FIFO"),
    (("report", "deep.json"), "deep.json: is no JSON that can be read: nested deeper than 100"),
    (("report", "nan.json"), "nan.json: is no JSON (NaN is no number of JSON)"),
    (("report", "x" * 5000), "File name too long"),
    (("report", ".", "--format=docx"), "argument --format: invalid choice: 'docx'"),
    (("history", "--figure=x.txt"), "--figure x.txt: the name must end in"),
    (("history", "--figure=fifo.svg"), "fifo.svg: exists and is not a regular file"),
    (("history", "nobody"), "the store has no complete run of profile 'nobody'"),
    (("history", "--alignment-store=rows.jsonl"), "store rows.jsonl: is a file"),
    (("store", "--alignment-store=rows.jsonl"), "store rows.jsonl: is a file"),
    (("store", "prune"), "the following arguments are required: --older-than"),
    *(
        (("store", "prune", f"--older-than={value}"), "--older-than")
        for value in ("x", "-1d", "1y", "1.5d", "", "nan", "\uff19d")
    ),
    (("init", "--profile=nowhere", "new"), "init: unknown profile 'nowhere'"),
    (("init", "rows.jsonl"), "init: rows.jsonl"),
    (("init", "/dev/null"), "init: /dev/null"),
    (("init", "x" * 300), "File name too long"),
    (("profile", "nowhere"), "unknown profile 'nowhere'"),
    (("profile", "fifo"), "fifo: cannot be read: it is a FIFO"),
    (("profile", "asked.toml", "--set=seed=nan"), "seed: input should be a valid integer"),
    (("train", "asked.toml", "--set=threads=-1"), "threads: input should be greater than"),
    (("train", "asked.toml", "--variant", "nobody"), "nobody"),
    (("train", "nowhere"), "unknown profile 'nowhere'"),
    (("calibrate", "asked.toml", "--set=x=1"), "x: unknown key"),
    (("calibrate", "asked.toml", "--false-passes=2"), "--false-passes: needs a number from 0 to 1"),
    (("calibrate", "asked.toml", "--false-passes=nan"), "needs a number from 0 to 1, not 'nan'"),
    (("calibrate", "asked.toml", "--write=fifo"), "--write fifo: cannot be read: it is a FIFO"),
    (("calibrate", "asked.toml", "--write=."), "--write .: cannot be read: it is a folder"),
    (("calibrate", "asked.toml", "--write=rows.jsonl"), "--write rows.jsonl: not valid TOML"),
    (("calibrate", "asked.toml", "--write=rows.jsonl/x"), "is there and is no folder"),
    (("check-invariance",), "the following arguments are required: MODEL"),
    (("check-invariance", "m", "--prompts=0"), "--prompts: needs a whole number from 1 to"),
    (("check-invariance", "m", "--dtype=int3", "--profile=asked.toml"), "dtype: input should be"),
    (("check-invariance", "m", "--device=x", "--profile=asked.toml"), "device: string should"),
    (("check-invariance", "m", "--profile=nowhere"), "unknown profile 'nowhere'"),
]


@pytest.mark.parametrize(
    ("arguments", "said"),
    COMMANDS,
    ids=[f"{number} {' '.join(each)[:40]!a}" for number, (each, _) in enumerate(COMMANDS)],
)
def test_a_command(project, capsys, arguments, said):
    for name in ("fifo", "fifo.svg"):
        malformed.SPOILED["FIFO"](project / name)
    (project / "deep.json").write_text("[" * 100_000)
    (project / "nan.json").write_text('{"schema": NaN}')
    before = everything(project.parent)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = one_line(captured.err.removesuffix("\n"))
    assert line.startswith("error: ")
    assert said in line
    assert everything(project.parent) == before
