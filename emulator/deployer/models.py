"""Reads the parameters of operations from botocore's models, without a client."""

from collections.abc import Mapping

from botocore.model import Shape

from emulator.protocol.service_models import list_members, load_service_model


def list_parameters(service: str, operation: str) -> Mapping[str, Shape]:
    """Return the parameters of an operation by name, in the order of the model."""
    return list_members(load_service_model(service).operation_model(operation).input_shape)


def build_request(service: str, operation: str, values: Mapping[str, object]) -> dict[str, object]:
    """Pick those values that are parameters of an operation.

    A value may also be the only item of a list, or the prefix of a name: `AlarmName` is a value for
    the parameter `AlarmNames`, and `logGroupName` is one for `logGroupNamePrefix`.
    """
    shapes = list_parameters(service, operation)
    request: dict[str, object] = {}
    for name, value in values.items():
        if name in shapes:
            request[name] = value
        elif f"{name}s" in shapes:
            request[f"{name}s"] = [value]
        elif f"{name}Prefix" in shapes:
            request[f"{name}Prefix"] = value
    return request
