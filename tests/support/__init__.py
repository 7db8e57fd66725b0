"""What tests of several files share: data, worlds, stand-ins, and ways to damage and to kill."""
