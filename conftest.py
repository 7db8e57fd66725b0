"""The checkout's root: loads the plugin when it is not installed, and pytester for its tests."""

import pytest

pytest_plugins = ["alignment.plugin", "pytester"]
pytest.register_assert_rewrite("support")  # what tests share has helpers that hold something too
