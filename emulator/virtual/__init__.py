"""Virtual time for tests: state machines in this process, on a clock that jumps."""
