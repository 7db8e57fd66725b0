"""People's labels: the task as a page and as a table, labels read back, how far people agree."""
