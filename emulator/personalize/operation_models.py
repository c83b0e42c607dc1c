"""Access to botocore's service models of Personalize, and the validation of requests."""

from collections.abc import Mapping
from functools import cache

from botocore.model import OperationModel

from emulator.personalize.errors import invalid_input
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import format_errors, load_service_model

CONTROL_SERVICE = "personalize"
RUNTIME_SERVICE = "personalize-runtime"
RESULT_FIELDS = ("itemList", "personalizedRanking", "actionList")
"""The response fields with the results. Each operation of the runtime service has one of them."""


def list_operation_names() -> list[str]:
    """List the names of all operations in `personalize` and `personalize-runtime`."""
    return [
        *load_service_model(CONTROL_SERVICE).operation_names,
        *load_service_model(RUNTIME_SERVICE).operation_names,
    ]


@cache
def find_operation_model(name: str) -> OperationModel:
    """Find the model of an operation, whichever of the two services it belongs to.

    Raises:
        ApiError: UnknownOperationException if neither of them has this operation.
    """
    for service in (CONTROL_SERVICE, RUNTIME_SERVICE):
        service_model = load_service_model(service)
        if name in service_model.operation_names:
            return service_model.operation_model(name)
    raise ApiError("UnknownOperationException", f"Amazon Personalize has no operation {name}.")


def validate_request(operation_name: str, request: Mapping[str, object]) -> None:
    """Reject a request that doesn't match the service model of its operation."""
    errors = format_errors(find_operation_model(operation_name), request)
    if errors:
        raise invalid_input(errors)
