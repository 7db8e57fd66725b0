"""Prompts and preference pairs: reading, selection, holding out. Loads nothing heavy."""
