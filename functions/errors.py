"""The exceptions of the functions. The workflow matches them by their class names."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from .words import count_text


class Throttled(Exception):  # noqa: N818 - the word of the API
    """The service has limited the rate of requests. The workflow retries (`asl.py`)."""


class ServiceUnavailable(Exception):  # noqa: N818 - the word of the API
    """The service sent a 5xx response, an old response or none. The workflow retries (`asl.py`)."""


AWS_ERRORS = (ClientError, Throttled, ServiceUnavailable)
"""What a client of `aws.py` raises if a request does not succeed."""


class Refused(Exception):  # noqa: N818 - the word of `reconcile`
    """A service has certainly not done what it was asked for. `reconcile` polls again."""


class RunRefused(Exception):  # noqa: N818 - a result of planning, not a fault of the program
    """Planning refuses the run. The report lists the problems, each with a way out."""

    def __init__(self, problems: Sequence[str]) -> None:
        count = count_text(len(problems), "problem")
        super().__init__("\n  ".join((f"{count} with this run:", *problems)))
        self.problems = list(problems)
