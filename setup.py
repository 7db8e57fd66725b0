"""Puts the suite of `eval_suites/` into the wheel; all else stands in pyproject.toml.

`python -m alignment init` copies that suite. In a checkout it lies beside the package, where people
look for it; a wheel holds packages only. (A `package-dir` for it would take the list of all
packages written out by hand, and a checkout on the path alone would not find it.)
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SUITE, PLACE = Path("eval_suites"), Path("alignment", "starter", "eval_suites")


class BuildWithSuite(build_py):
    """Copies the suite's modules, and no baselines, into the package."""

    def run(self) -> None:
        """Build, then copy; an editable install finds the suite where it is."""
        super().run()
        if not self.editable_mode:
            for source, target in self._suite().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs beside the packages."""
        return [*super().get_source_files(), *self._suite()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What the wheel holds."""
        return [*super().get_outputs(include_bytecode), *self._suite().values()]

    def _suite(self) -> dict[str, str]:
        place = Path(self.build_lib) / PLACE
        return {str(path): str(place / path.name) for path in sorted(SUITE.glob("*.py"))}


setup(cmdclass={"build_py": BuildWithSuite})
