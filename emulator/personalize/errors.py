"""The errors of Amazon Personalize: failed jobs, and the refusals that several operations share."""

from emulator.protocol.errors import ApiError


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
