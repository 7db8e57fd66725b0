"""What a run does: the schema of a profile, and the layers that one is made of."""
