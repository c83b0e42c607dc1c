"""The two ways a call to an emulated service can fail: an error response, or no response at all."""


class ApiError(Exception):
    """An error response, with AWS's error code, a message and an HTTP status.

    botocore's service model lists the error codes of each operation. Codes that every AWS service
    has, like ThrottlingException and AccessDeniedException, needn't be listed there.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NoResponse(Exception):  # noqa: N818  # not an error of the service
    """The service has performed the operation, but its response never reaches the caller."""
