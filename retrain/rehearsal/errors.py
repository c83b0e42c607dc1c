"""The errors that end a command with a message."""


class RehearsalError(Exception):
    """The stack cannot be rehearsed. The message says why."""


class FailedError(Exception):
    """The schedule started no execution, or the emulator died. The message says which."""
