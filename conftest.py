"""The checkout's root: loads the plugin when it is not installed, and pytester for its tests."""

pytest_plugins = ["alignment.plugin", "pytester"]
