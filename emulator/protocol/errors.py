"""The two ways in which a call to an emulated service fails: an error response, or none at all."""


class ApiError(Exception):
    """An error response of the API with its code, its message and its HTTP status.

    The service model lists the codes of each operation. Every AWS service also has codes like
    ThrottlingException and AccessDeniedException.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NoResponse(Exception):  # noqa: N818  # not an error of the service
    """The service performs the operation, but the response never arrives."""
