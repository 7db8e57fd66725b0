"""Prompts and preference pairs: read, selected, kept apart. Loads nothing heavy."""
