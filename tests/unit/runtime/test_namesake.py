"""Another distribution that owns the import name is found and explained; our own copies are not."""

import shutil
from pathlib import Path

import alignment
from alignment.runtime.namesake import conflict


def test_no_conflict_here():
    assert conflict() is None


def test_another_package_is_named(tmp_path, monkeypatch):
    other = tmp_path / "alignment"
    other.mkdir()
    (other / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    found = conflict()
    assert found is not None
    assert str(other) in found
    assert "uninstall" in found
    assert "\n" not in found


def test_a_checkout_beside_a_wheel_is_no_conflict(tmp_path, monkeypatch):
    other = tmp_path / "alignment"
    (other / "runtime").mkdir(parents=True)
    own = Path(alignment.__file__).parent
    for name in ("__init__.py", "runtime/namesake.py"):
        shutil.copy(own / name, other / name)
    monkeypatch.syspath_prepend(tmp_path)
    assert conflict() is None
