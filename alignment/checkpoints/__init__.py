"""Model folders, looked at without torch: whether they are whole, and what their content is."""

from alignment.checkpoints.folders import Checkpoint, check_outputs, examine, locate, over
from alignment.checkpoints.templates import has_chat_template

__all__ = ["Checkpoint", "check_outputs", "examine", "has_chat_template", "locate", "over"]
