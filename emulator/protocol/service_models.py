"""Loads botocore's models of AWS services."""

from collections.abc import Mapping
from functools import cache

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape, StructureShape

LOADER = Loader()
"""Loads botocore's data files, each of which is parsed only once."""


@cache
def load_service_model(service_name: str) -> ServiceModel:
    """Load botocore's model of a service, for example `stepfunctions`."""
    return ServiceModel(LOADER.load_service_model(service_name, "service-2"), service_name)


def list_members(shape: Shape | None) -> Mapping[str, Shape]:
    """Map the field names of a structure to the shapes of the fields.

    Return an empty mapping for any other shape, and for None, which an operation without input or
    output has instead of a shape.
    """
    if isinstance(shape, StructureShape):
        return shape.members
    return {}
