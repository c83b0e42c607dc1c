"""The exceptions of the functions. The workflow matches them by their class names."""

import json
from collections.abc import Sequence

from botocore.exceptions import ClientError

from .messages import Reason, as_message


class Throttled(Exception):  # noqa: N818 - the word of the API
    """The service has limited the rate of requests. The workflow retries (`asl.py`)."""


class ServiceUnavailable(Exception):  # noqa: N818 - the word of the API
    """The service sent a 5xx response, an old response or none. The workflow retries (`asl.py`)."""


AWS_ERRORS = (ClientError, Throttled, ServiceUnavailable)
"""What a client of `aws.py` raises if a request does not succeed."""


class Refused(Exception):  # noqa: N818 - the word of `reconcile`
    """A service has certainly not done what it was asked for. `reconcile` polls again."""


class RunRefused(Exception):  # noqa: N818 - a result of planning, not a fault of the program
    """Planning refuses the run, because of problems that the report lists.

    The text of an error is all that leaves a Lambda function. So it's the problems as JSON, from
    which the report reads them again.
    """

    def __init__(self, problems: Sequence[Reason]) -> None:
        self.problems = [as_message(problem) for problem in problems]
        super().__init__(json.dumps(self.problems))
