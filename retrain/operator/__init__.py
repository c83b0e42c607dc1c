"""The commands for a pipeline in a real account. The development requirements are not needed."""
