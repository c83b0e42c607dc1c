"""The operations of Personalize's services in botocore's models, and the check of a request."""

from collections.abc import Mapping
from functools import cache

from botocore.model import OperationModel

from emulator.personalize.errors import invalid_input
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import format_errors, load_service_model

CONTROL = "personalize"
RUNTIME = "personalize-runtime"
RESULT_FIELDS = ("itemList", "personalizedRanking", "actionList")
"""The field with the results in the response of each operation of the runtime."""


def list_operation_names() -> list[str]:
    """List the operations of `personalize` and `personalize-runtime`."""
    return [
        *load_service_model(CONTROL).operation_names,
        *load_service_model(RUNTIME).operation_names,
    ]


@cache
def find_operation_model(name: str) -> OperationModel:
    """Find the model of an operation in either service.

    Raises:
        ApiError: UnknownOperationException if no service of Personalize has this operation.
    """
    for service in (CONTROL, RUNTIME):
        service_model = load_service_model(service)
        if name in service_model.operation_names:
            return service_model.operation_model(name)
    raise ApiError("UnknownOperationException", f"Amazon Personalize has no operation {name}.")


def validate(operation_name: str, request: Mapping[str, object]) -> None:
    """Reject a request that breaks the model of its operation."""
    errors = format_errors(find_operation_model(operation_name), request)
    if errors:
        raise invalid_input(errors)
