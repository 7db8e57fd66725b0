"""The alignment regression gate: did this checkpoint become less harmless or less helpful?"""

from __future__ import annotations

from alignment.errors import AlignmentError, NegativeVerdict, Unscored

__all__ = ["AlignmentError", "NegativeVerdict", "Unscored"]
