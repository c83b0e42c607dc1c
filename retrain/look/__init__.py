"""The commands that show runs and versions: what a run would do, is doing, or has done."""
