"""The state machine: its definition, and functions that build its states."""
