"""The tiny world: a preference corpus in HH-RLHF format that the project writes itself.

Because the corpus is generated, the truth about a response is known from its grammar.
"""

from __future__ import annotations

from alignment.tiny.dialogues import rows, unfiltered
from alignment.tiny.kinds import AXES
from alignment.tiny.truth import LABELS, good, truth

__all__ = ["AXES", "LABELS", "good", "rows", "truth", "unfiltered"]
