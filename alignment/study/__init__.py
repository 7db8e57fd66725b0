"""The way of the data: what is asked, computed, stored and collected, for one profile."""
