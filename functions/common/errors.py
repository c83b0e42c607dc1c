"""The exceptions of the functions. The state machine matches them by their class names."""

import json
from collections.abc import Sequence

from botocore.exceptions import ClientError

from .messages import Reason, as_message


class Throttled(Exception):  # noqa: N818 - the word of the API
    """AWS throttled the request. The state machine retries (`asl.py`)."""


class ServiceUnavailable(Exception):  # noqa: N818 - the word of the API
    """AWS sent a 5xx, a stale response or none. The state machine retries (`asl.py`)."""


AWS_ERRORS = (ClientError, Throttled, ServiceUnavailable)
"""What the clients of `common/aws.py` raise if a request fails."""


class RequestRefused(Exception):  # noqa: N818 - the word of `reconcile`
    """AWS certainly did not do what was requested. `reconcile` polls again."""


class RunRefused(Exception):  # noqa: N818 - a result of planning, not a fault of the program
    """Planning refuses the run, because of problems that the report lists.

    Of an exception, Lambda only returns the text. So the text is the list of problems as JSON,
    which the report parses.
    """

    def __init__(self, problems: Sequence[Reason]) -> None:
        self.problems = [as_message(problem) for problem in problems]
        super().__init__(json.dumps(self.problems))
