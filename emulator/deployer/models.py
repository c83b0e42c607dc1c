"""Looks up the parameters of operations in botocore's models, without creating a client."""

from collections.abc import Mapping

from botocore.model import Shape

from emulator.protocol.service_models import list_members, load_service_model


def list_parameters(service: str, operation: str) -> Mapping[str, Shape]:
    """Map an operation's parameters to their shapes, in the order of botocore's model."""
    return list_members(load_service_model(service).operation_model(operation).input_shape)


def select_parameters(
    service: str, operation: str, candidates: Mapping[str, object]
) -> dict[str, object]:
    """Select those candidates that are parameters of an operation.

    Some operations expect a parameter in another form. For example, instead of `AlarmName`,
    `DescribeAlarms` expects the list `AlarmNames`, and instead of `logGroupName`,
    `DescribeLogGroups` expects `logGroupNamePrefix`.
    """
    accepted_names = list_parameters(service, operation)
    parameters: dict[str, object] = {}

    for name, value in candidates.items():
        if name in accepted_names:
            parameters[name] = value
        elif f"{name}s" in accepted_names:
            parameters[f"{name}s"] = [value]
        elif f"{name}Prefix" in accepted_names:
            parameters[f"{name}Prefix"] = value

    return parameters
