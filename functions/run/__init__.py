"""What is known about a run and its execution, and whether it may begin."""
