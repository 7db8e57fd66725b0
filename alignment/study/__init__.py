"""The data flow of one profile: prompts, responses and scores, computed, stored and collected."""
