"""Virtual time: state machines with their functions in this process, on a clock that jumps."""
