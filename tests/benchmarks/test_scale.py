"""How cost grows with the number of prompts. Run with `--benchmark-only`; `-s` prints the table.

The time is the processor's, so that what else the machine does is left out.
"""

import json
import subprocess
import sys

from support import scale
from support.places import ROOT

SIZES = (100, 1_000, 10_000, 100_000)
COLLECT = """
import json, sys, time
import pytest
from alignment.progress import peak_memory
status = pytest.main(sys.argv[1:])
peak, seconds = peak_memory()["process"], time.process_time()
print("\\n" + json.dumps({"status": status, "seconds": seconds, "peak": peak}))
"""


def _last(command):
    """The JSON in the last line that a process prints."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured(folder):
    return _last([sys.executable, scale.__file__, folder])


def collected(folder):
    command = [
        *(sys.executable, "-c", COLLECT, "-p", "no:cacheprovider", "--collect-only", "-qq"),
        *("eval_suites", "--alignment-cases", "prompt"),
        *("--alignment-profile", folder / "scale.toml", "--alignment-store", folder / "store"),
    ]
    found = _last(command)
    assert found["status"] == 0
    return found


def rows(tmp_path, measure):
    """Size -> what was measured."""
    found = {}
    for size in SIZES:
        scale.write(tmp_path / str(size), size)
        found[size] = measure(tmp_path / str(size))
    return found


def slope(found, value):
    """What ten times the prompts cost at the upper end, in multiples of what they cost below it.

    10 is linear; what does not grow (imports, the interpreter) is in neither difference.
    """
    low, middle, high = (value(found[size]) for size in SIZES[1:])
    return (high - middle) / (middle - low)


def test_analysis_and_reports_grow_with_the_number_of_prompts(benchmark, tmp_path):
    found = benchmark.pedantic(rows, (tmp_path, measured), rounds=1)
    print("\n prompts  read  verdicts   gate  report  ms/prompt  peak MiB  .json MiB  .md KiB")  # noqa: T201
    for size, row in found.items():
        each = 1000 * (row["verdicts"] + row["gate"] + row["report"]) / size
        print(  # noqa: T201
            f"{size:>8} {row['read']:>5.1f} {row['verdicts']:>9.2f} {row['gate']:>6.2f} "
            f"{row['report']:>7.2f} {each:>10.3f} {row['peak']:>9.0f} {row['json']:>10.1f} "
            f"{row['markdown']:>8.1f}"
        )
    for part in ("verdicts", "gate", "report", "peak", "json"):
        assert slope(found, lambda row, part=part: row[part]) < 20
    assert max(row["markdown"] for row in found.values()) < 60
    per_prompt = {n: (row["gate"] + row["report"]) / n for n, row in found.items()}
    assert per_prompt[100_000] < 1.2 * per_prompt[1_000]


def test_collection_grows_with_the_number_of_cases(benchmark, tmp_path):
    found = benchmark.pedantic(rows, (tmp_path, collected), rounds=1)
    print(f"\n{'cases':>8}  seconds  peak MiB")  # noqa: T201
    for size, row in found.items():
        print(f"{2 * size:>8} {row['seconds']:>8.1f} {row['peak']:>9.0f}")  # noqa: T201
    for part in ("seconds", "peak"):
        assert slope(found, lambda row, part=part: row[part]) < 20


def test_a_baseline_of_a_hundred_thousand_prompts(benchmark, tmp_path):
    """Accepted, read again and gated against: each in seconds."""
    scale.write(tmp_path, 100_000, against="baseline")
    first = scale.session(tmp_path)
    folder = first.study_gate.run.folder
    first.accepted.update(first.profile.variants)
    first.study_gate.run.updating = True
    with first.promoted() as written:
        assert len(written) == 2
    again = scale.session(tmp_path)
    gate = benchmark.pedantic(lambda: again.study_gate.result, rounds=1)
    assert {each.outcome for each in gate.decisions} == {"pass"}
    sizes = [round(path.stat().st_size / 1024**2, 1) for path in sorted(folder.iterdir())]
    print(f"\nbaselines of {sizes} MiB")  # noqa: T201
