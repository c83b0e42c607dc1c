"""The report of a run: what it contains, its text, and how it is sent."""
