"""The rules of a run: pure functions, which read no clock and call no service."""
