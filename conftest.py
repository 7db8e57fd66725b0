"""The checkout's root: loads the plugin when it is not installed."""

pytest_plugins = ["alignment.plugin"]
