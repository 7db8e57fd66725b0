"""The environment of processes in which no coverage is measured."""

import os


def unmeasured():
    """This one, without what has coverage imported: its modules and its data file would show."""
    names = {"COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"}
    return {name: value for name, value in os.environ.items() if name not in names}
