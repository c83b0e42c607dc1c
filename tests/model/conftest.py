"""These tests prove what the rules of `functions/rules` decide, with a row for each state.

The rules are pure, so a test hands them a state and compares the step. What a function reads and
sends is in `tests/functions`. Whether the promises hold over many runs is in `tests/workflow`, in
random stories.
"""
