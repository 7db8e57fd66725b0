"""Model folders, looked at without torch: whether they are whole, and what their content is."""

from alignment.checkpoints.chat_templates import has_chat_template
from alignment.checkpoints.folders import Checkpoint, check_outputs, examine, locate, over

__all__ = ["Checkpoint", "check_outputs", "examine", "has_chat_template", "locate", "over"]
