"""Shows runs and versions: what a run would do, what it does, and what it has done."""
