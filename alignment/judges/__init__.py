"""Judges: what scores a (prompt, response)."""
