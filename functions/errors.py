"""The exceptions of our own, and who matches them; the workflow knows them by their class names."""

from collections.abc import Sequence


class Throttled(Exception):  # noqa: N818 - the workflow's word, and the API's
    """The service asked for fewer requests; the workflow tries again (`state_machine/asl.py`)."""


class ServiceUnavailable(Exception):  # noqa: N818 - (as above)
    """The service gave a 5xx answer, none or a stale one; the workflow tries again (asl.py)."""


class RunRefused(Exception):  # noqa: N818 - an outcome of planning, not a fault of the program
    """The run cannot start as asked, for all the reasons given; nobody matches it, it is reported.

    Args:
        problems: each names what was given, what was expected and the way out.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n  ".join((f"{count} with this run:", *problems)))


class NameTaken(Exception):  # noqa: N818 - (as above)
    """A job of this run's name exists and is another job; nobody matches it, it is reported."""
