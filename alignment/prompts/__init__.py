"""Prompts and preference pairs: read, selected, kept apart. Loads nothing heavy."""

from alignment.prompts.answered import recorded_axes, recorded_prompts, rows_of
from alignment.prompts.leakage import overlap
from alignment.prompts.preferences import Unusable, pairs
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.prompts.selection import select
from alignment.prompts.sources import Row, check, identity, read_rows
from alignment.prompts.training_data import (
    both_transcripts,
    chosen_transcripts,
    training_pairs,
    trial,
    unfiltered,
)
from alignment.prompts.transcripts import cluster_id, content_id, messages, parse, render

__all__ = [
    "RecordedRow",
    "Row",
    "Unusable",
    "both_transcripts",
    "check",
    "chosen_transcripts",
    "cluster_id",
    "content_id",
    "identity",
    "messages",
    "overlap",
    "pairs",
    "parse",
    "read_recorded",
    "read_rows",
    "recorded_axes",
    "recorded_prompts",
    "render",
    "rows_of",
    "select",
    "training_pairs",
    "trial",
    "unfiltered",
]
