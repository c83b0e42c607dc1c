"""What the emulated service says when it refuses a call, and when a job of its own fails."""


class ApiError(Exception):
    """An error answer of the API: its code, its message and its HTTP status.

    The codes are those that the service model gives to the operation, or the unmodelled ones
    that every AWS service has (ThrottlingException, AccessDeniedException).
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NoAnswer(Exception):  # noqa: N818 - not an error of the service: it stays silent
    """The operation was performed, but its answer never arrives."""


class JobFailed(Exception):  # noqa: N818 - the word of the API: CREATE FAILED
    """A job ends in CREATE FAILED; the text becomes its `failureReason`."""


class ObjectError(Exception):
    """An object could not be read for an import; the job that wanted it fails with this text."""


class AccessDenied(ObjectError):  # noqa: N818 - S3's own word
    """The role, or the bucket's policy, does not allow the read."""


class NoSuchKey(ObjectError):  # noqa: N818 - S3's own word
    """There is no such bucket or object."""


def invalid_input(message: str) -> ApiError:
    """Something in the request cannot be, whatever the state of the account."""
    return ApiError("InvalidInputException", message)


def not_found(arn: str) -> ApiError:
    """There is no such resource in the caller's account and region."""
    return ApiError("ResourceNotFoundException", f"Resource Arn {arn} does not exist.")


def already_exists(arn: str) -> ApiError:
    """The name is taken. The words are the service's."""
    return ApiError(
        "ResourceAlreadyExistsException", f"Another resource with Arn {arn} already exists."
    )


def in_use(message: str) -> ApiError:
    """The resource's present status does not allow the operation; later it may."""
    return ApiError("ResourceInUseException", message)


def limit_exceeded(message: str) -> ApiError:
    """A quota is used up."""
    return ApiError("LimitExceededException", message)
