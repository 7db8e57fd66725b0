"""The configuration of a run: the schema of a profile, and the layers that are merged to one."""
