"""What a run found, as text: JSON, Markdown and terminal lines are returned, never printed.

`document` makes the one structure that everything else is rendered from; only `write` touches
files.
"""
