"""A Pulumi resource monitor that creates each registered resource in the emulator."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import engine_pb2, provider_pb2
from pulumi.runtime.proto import resource_pb2 as pb

from emulator.deployer.errors import DeploymentError
from emulator.deployer.service import UNSUPPORTED, Provider
from emulator.deployer.wire import from_struct, to_struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # no types

logger = logging.getLogger(__name__)

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:aws"


@dataclass(frozen=True)
class DeployedResource:
    """A resource of the program, as it was declared and as it exists."""

    urn: str
    type: str
    """Pulumi's type token."""
    name: str
    """The logical name."""
    inputs: Mapping[str, object]
    """The inputs, completed by the provider."""
    id: str = ""
    """It is empty for a component."""
    outputs: Mapping[str, object] = field(default_factory=dict)
    """The inputs, and the values that AWS decided."""


class Monitor:
    """Creates the resources of a program while the program runs.

    Pulumi's SDK calls the capitalised methods, which are the protocol ResourceMonitor, from several
    threads. Each provider of the program is the one that the engine would start.
    """

    def __init__(
        self,
        project: str,
        stack: str,
        environment: Mapping[str, str],
        settings: Mapping[str, object],
    ) -> None:
        self.outputs: Mapping[str, object] = {}
        """The program's exports."""
        self.resources: list[DeployedResource] = []
        """All resources but the stack, in the order in which they were deployed."""
        self.errors: list[str] = []
        """The messages of severity error that the program logged."""

        self._environment = environment
        default_provider = _configure_provider(environment, to_struct(settings))
        self._providers = {"": default_provider}
        """Reference of a provider in a request -> the provider."""
        self._urn_prefix = f"urn:pulumi:{stack}::{project}::"
        self._stack_urn = ""
        self._urns: set[str] = set()

    def RegisterResource(self, request: pb.RegisterResourceRequest) -> pb.RegisterResourceResponse:
        """Deploy a resource. An error gets the type and the name of the resource."""
        try:
            resource = self._deploy(request)
        except DeploymentError as error:
            raise DeploymentError(f"{request.type} {request.name}: {error}") from error

        if request.type != STACK:
            self.resources.append(resource)
        return pb.RegisterResourceResponse(
            urn=resource.urn, id=resource.id, object=to_struct(resource.outputs)
        )

    def RegisterResourceOutputs(self, request: pb.RegisterResourceOutputsRequest) -> Empty:
        """Keep the stack's outputs, which are the program's exports."""
        if request.urn == self._stack_urn:
            self.outputs = from_struct(request.outputs)
        return Empty()

    def Invoke(self, request: pb.ResourceInvokeRequest) -> pb.ResourceInvokeResponse:
        """Let the provider call one of its functions, such as `aws.get_region()`."""
        response = self._providers[request.provider].Invoke(
            provider_pb2.InvokeRequest(tok=request.tok, args=request.args)
        )
        # `return` is a keyword of Python, so it cannot be written as the name of an argument.
        return pb.ResourceInvokeResponse(**{"return": getattr(response, "return")})

    def ReadResource(self, request: pb.ReadResourceRequest) -> pb.ReadResourceResponse:
        """Refuse `get()`, because the deployer only knows resources that it created."""
        raise DeploymentError(f"{request.type} {request.name}: get() {UNSUPPORTED}")

    def GetDeploymentInfo(self, _request: Empty) -> pb.DeploymentInfo:
        """List the supported features, so that Pulumi itself refuses transforms and hooks."""
        return pb.DeploymentInfo(supportedFeatures=[pb.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS])

    def SignalAndWaitForShutdown(self, _request: Empty) -> Empty:
        """Return at once, because there is nothing to wait for."""
        return Empty()

    def Log(self, request: engine_pb2.LogRequest) -> None:
        """Log a warning in place of Pulumi's engine, and keep an error."""
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        elif request.severity == engine_pb2.WARNING:
            logger.warning("%s", request.message)

    def _claim_urn(self, request: pb.RegisterResourceRequest) -> str:
        """Build the URN that Pulumi's engine would give to a resource.

        Raises DeploymentError if another resource has it already.
        """
        qualified_type = request.type
        if request.parent not in ("", self._stack_urn):
            parent_type = request.parent.split("::")[2]  # after the stack and the project
            qualified_type = f"{parent_type}${request.type}"

        urn = f"{self._urn_prefix}{qualified_type}::{request.name}"
        if urn in self._urns:
            raise DeploymentError(f"duplicate URN {urn}")
        self._urns.add(urn)

        if request.type == STACK:
            self._stack_urn = urn
        return urn

    def _deploy(self, request: pb.RegisterResourceRequest) -> DeployedResource:
        """Deploy a component, a provider or an AWS resource. Only an AWS resource needs calls."""
        if request.remote or request.importId:
            raise DeploymentError(f"remote components and import {UNSUPPORTED}")

        urn = self._claim_urn(request)
        if request.custom and request.type != PROVIDER:
            return self._create(request, urn)

        identifier = ""
        if request.type == PROVIDER:
            identifier = request.name
            provider = _configure_provider(self._environment, request.object)
            self._providers[f"{urn}::{identifier}"] = provider
        declared = from_struct(request.object)
        return DeployedResource(urn, request.type, request.name, declared, identifier)

    def _create(self, request: pb.RegisterResourceRequest, urn: str) -> DeployedResource:
        """Let the provider check and create an AWS resource, as the engine would."""
        provider = self._providers[request.provider]
        checked = provider.Check(
            provider_pb2.CheckRequest(
                urn=urn, type=request.type, name=request.name, news=request.object
            )
        )
        if checked.failures:
            raise DeploymentError("; ".join(failure.reason for failure in checked.failures))

        created = provider.Create(
            provider_pb2.CreateRequest(type=request.type, properties=checked.inputs)
        )
        return DeployedResource(
            urn=urn,
            type=request.type,
            name=request.name,
            inputs=from_struct(checked.inputs),
            id=created.id,
            outputs=from_struct(created.properties),
        )


def _configure_provider(environment: Mapping[str, str], settings: Struct) -> Provider:
    """Start a provider with these settings. Raises DeploymentError if one is not supported."""
    provider = Provider(environment)
    provider.Configure(provider_pb2.ConfigureRequest(args=settings))
    return provider
