"""The exceptions for the two ways in which a call can fail: an error response or no response."""


class ApiError(Exception):
    """An error response, with AWS's error code, a message and an HTTP status.

    The code can be one that botocore's service model lists for the operation, or one that all AWS
    services use, such as ThrottlingException and AccessDeniedException.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NoResponse(Exception):  # noqa: N818  # not an error of the service
    """Raised if the operation was performed, but its response mustn't reach the caller."""
