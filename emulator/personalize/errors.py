"""The errors of the emulated service: refused calls and failed jobs."""


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


class JobFailed(Exception):  # noqa: N818  # the word of the API: CREATE FAILED
    """A job ends in CREATE FAILED. The text becomes its `failureReason`."""


def invalid_input(message: str) -> ApiError:
    """Return the error for a request that can never succeed as it is."""
    return ApiError("InvalidInputException", message)


def not_found(arn: str) -> ApiError:
    """Return the error for a resource that is not in the caller's account and region."""
    return ApiError("ResourceNotFoundException", f"Resource Arn {arn} does not exist.")


def already_exists(arn: str) -> ApiError:
    """Return the error for a name that is taken, in the words of the service."""
    message = f"Another resource with Arn {arn} already exists."
    return ApiError("ResourceAlreadyExistsException", message)


def in_use(message: str) -> ApiError:
    """Return the error for an operation that the resource's status does not allow now."""
    return ApiError("ResourceInUseException", message)
