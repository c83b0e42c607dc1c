"""The errors of Amazon Personalize: failed jobs, and the API errors of several operations."""

from emulator.protocol.errors import ApiError


class JobFailed(Exception):  # noqa: N818  # named after the status CREATE FAILED
    """Makes the current job end as CREATE FAILED. The message becomes its `failureReason`."""


def invalid_input(message: str) -> ApiError:
    """Build the error for a request that wouldn't succeed later either."""
    return ApiError("InvalidInputException", message)


def not_found(arn: str) -> ApiError:
    """Build the error for a resource that doesn't exist in the caller's account and region."""
    return ApiError("ResourceNotFoundException", f"Resource Arn {arn} does not exist.")


def already_exists(arn: str) -> ApiError:
    """Build the error for a name that's already taken, with the same message as in AWS."""
    message = f"Another resource with Arn {arn} already exists."
    return ApiError("ResourceAlreadyExistsException", message)


def in_use(message: str) -> ApiError:
    """Build the error for a request that may succeed later, when a resource is no longer in use."""
    return ApiError("ResourceInUseException", message)
