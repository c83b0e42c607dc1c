"""Looks up the parameters of operations in botocore's models, which needs no client."""

from collections.abc import Mapping

from botocore.model import Shape

from emulator.protocol.service_models import list_members, load_service_model


def list_parameters(service: str, operation: str) -> Mapping[str, Shape]:
    """Map the parameters of an operation, in the order of the model, to their shapes."""
    return list_members(load_service_model(service).operation_model(operation).input_shape)


def select_parameters(
    service: str, operation: str, candidates: Mapping[str, object]
) -> dict[str, object]:
    """Select the parameters that an operation accepts, and drop all others.

    Some operations take a parameter in another form: `DescribeAlarms` has `AlarmNames`, a list,
    instead of `AlarmName`, and `DescribeLogGroups` has `logGroupNamePrefix` instead of
    `logGroupName`.
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
