"""Reads botocore's models of the AWS services, without a client."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.loaders import Loader
    from botocore.model import OperationModel, Shape, StructureShape


@cache
def loader() -> Loader:
    """Return the loader of botocore's files, which parses each file once."""
    # The import is slow, and the engine waits until the provider has started.
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader()


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of an operation, for example of `CreateRole` in the service `iam`."""
    from botocore.model import ServiceModel  # noqa: PLC0415  # slow, as above

    description = loader().load_service_model(service, "service-2")
    return ServiceModel(description, service).operation_model(operation)


def members(shape: Shape | None) -> Mapping[str, Shape]:
    """Return the members of a structure by name. The shape of a request may be None."""
    if shape is None:
        return {}
    return cast("StructureShape", shape).members


def parameters(service: str, operation: str) -> Mapping[str, Shape]:
    """Return the parameters of an operation by name, in the order of the model."""
    return members(operation_model(service, operation).input_shape)


def request(service: str, operation: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return those values that are parameters of an operation.

    A value may also be the only item of a list, or the prefix of a name: `AlarmName` is a value for
    the parameter `AlarmNames`, and `logGroupName` is one for `logGroupNamePrefix`.
    """
    shapes = parameters(service, operation)
    result: dict[str, object] = {}
    for name, value in values.items():
        if name in shapes:
            result[name] = value
        elif f"{name}s" in shapes:
            result[f"{name}s"] = [value]
        elif f"{name}Prefix" in shapes:
            result[f"{name}Prefix"] = value

    return result
