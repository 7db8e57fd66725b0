"""What a long run says: a live line in a terminal, plain lines elsewhere, nothing when told."""

import io
import json
import subprocess
import sys

import pytest

from alignment import progress
from alignment.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""

    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(stream):
    return stream.getvalue().splitlines()


def test_without_a_stream_nothing_is_said_and_times_are_kept(clock, capfd):
    quiet = Progress()
    for _ in range(2):
        with quiet.stage("train base", 4, "step") as advance:
            advance(2, 4)
            clock.now += 1.5
    quiet.note("waiting")
    assert quiet.seconds == {"train base": 3.0}
    assert capfd.readouterr() == ("", "")


def test_plain_lines_come_at_the_start_now_and_then_and_at_the_end(clock):
    stream = io.StringIO()
    with Progress(stream).stage("base answers", 100, "prompt") as advance:
        for done in range(1, 101):
            clock.now += 0.25
            advance(done, 100)
    said = lines(stream)
    assert said[0] == ""  # below the name of a test file
    assert len(said) == 5  # start, after 10 s, after 20 s, end: not one per step
    assert all(line.startswith("base answers: ") for line in said[1:])
    assert "0/100" in said[1]
    assert "40/100" in said[2]
    assert "80/100" in said[3]
    assert "100/100" in said[4]
    assert "\r" not in stream.getvalue()


def test_a_plain_line_says_how_long_it_takes_and_still_will(clock):
    stream = io.StringIO()
    with Progress(stream).stage("base answers", 100, "prompt") as advance:
        clock.now += progress.PLAIN_EVERY
        advance(25, 100)
    assert "25%" in lines(stream)[2]
    assert "[00:10<00:30" in lines(stream)[2]
    assert "2.50prompt/s" in lines(stream)[2]


def test_the_total_may_become_known_later(clock):
    stream = io.StringIO()
    with Progress(stream).stage("train base (sft)", 1, "step") as advance:
        advance(7, 20)
    assert "7/20" in lines(stream)[-1]


def test_a_failure_ends_the_stage_with_its_last_line(clock):
    stream = io.StringIO()
    told = Progress(stream)
    with pytest.raises(RuntimeError), told.stage("base answers", 10, "prompt") as advance:
        advance(3, 10)
        clock.now += 2
        raise RuntimeError
    assert "3/10" in lines(stream)[-1]
    assert told.seconds == {"base answers": 2.0}


def test_the_live_line_is_rewritten():
    stream = io.StringIO()
    with Progress(stream, live=True).stage("train base", 1, "step") as advance:
        for done in range(1, 5):
            advance(done, 4)
    said = stream.getvalue()
    assert said.count("\n") == 2  # one before, one after
    assert said.count("\r") >= 1
    assert "4/4" in said.rsplit("\r", 1)[-1]


def test_a_note_is_one_line_that_says_who(clock):
    stream = io.StringIO()
    told = Progress(stream, who="[gw1] ")
    told.note("waiting: base is being trained elsewhere")
    with told.stage("base answers", 2, "prompt"):
        pass
    said = lines(stream)
    assert said[:2] == ["", "[gw1] waiting: base is being trained elsewhere"]
    assert said[2].startswith("[gw1] base answers: ")


STAGES = """
import json
from alignment.progress import Progress, peak_memory

progress, before = Progress(), peak_memory()["process"]
with progress.stage("held", 1, "it"):
    held = b"x" * ((before + 64) * 2**20)
with progress.stage("freed", 1, "it"):
    del held
peaks = [progress.peaks[stage] for stage in ("held", "freed")]
print(json.dumps([before, *peaks, peak_memory()["process"]]))
"""
"""In a process of its own: this one may have taken gigabytes before, which would be taken again."""


def test_it_keeps_how_much_memory_a_stage_had_taken():
    done = subprocess.run(
        [sys.executable, "-c", STAGES], capture_output=True, text=True, check=True
    )
    before, held, freed, after = json.loads(done.stdout)
    # The system counts in batches: what it says may be off by a MiB or so.
    assert held >= before + 60
    assert freed >= held - 2
    assert after >= freed - 2


def test_what_the_process_before_it_took_is_not_its_own():
    """Linux hands the peak of whoever starts a process on to it."""
    held = b"x" * (300 * 2**20)
    told = "from alignment.progress import peak_memory; print(peak_memory()['process'])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < len(held) // 2**20
