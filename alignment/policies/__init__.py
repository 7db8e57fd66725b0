"""Policies: what answers prompts."""
