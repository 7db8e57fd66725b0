"""Files: what somebody else wrote is read as what it must be, ours appear whole or not at all."""
