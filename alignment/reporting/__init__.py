"""The results of a run as text: JSON, Markdown and terminal lines are returned, never printed.

`document` makes the one structure that everything else is rendered from; only `write` writes files.
"""
