"""The state machine: its definition, the vocabulary of its states, and its functions."""
