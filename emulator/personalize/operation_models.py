"""Access to botocore's service models of Personalize, and the validation of requests."""

from collections.abc import Mapping
from functools import cache

from botocore.model import OperationModel

from emulator.personalize.errors import invalid_input
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import load_service_model
from emulator.protocol.validation import format_errors

RUNTIME_SERVICE = "personalize-runtime"
EVENTS_SERVICE = "personalize-events"
SERVICES = ("personalize", RUNTIME_SERVICE, EVENTS_SERVICE)
RESULT_FIELDS = ("itemList", "personalizedRanking", "actionList")
"""The response fields with the results. Each operation of the runtime service has one of them."""


def list_operation_names() -> list[str]:
    """List the names of the operations in all services of Personalize."""
    return [name for service in SERVICES for name in load_service_model(service).operation_names]


@cache
def find_operation_model(name: str) -> OperationModel:
    """Find the model of an operation, whichever service it belongs to.

    Raises:
        ApiError: UnknownOperationException if no service has this operation.
    """
    for service in SERVICES:
        service_model = load_service_model(service)
        if name in service_model.operation_names:
            return service_model.operation_model(name)
    raise ApiError("UnknownOperationException", f"Amazon Personalize has no operation {name}.")


def validate_request(operation_name: str, request: Mapping[str, object]) -> None:
    """Reject a request that doesn't match the service model of its operation."""
    errors = format_errors(find_operation_model(operation_name), request)
    if errors:
        raise invalid_input(errors)


def find_error_status(operation_name: str, error: ApiError) -> int:
    """Find an error's HTTP status in the service model or, if it's not there, return its own.

    For example, ResourceNotFoundException has the status 404 in `personalize-runtime`, but 400 in
    `personalize`.
    """
    for shape in find_operation_model(operation_name).error_shapes:
        if shape.name == error.code:
            return int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    return error.status
