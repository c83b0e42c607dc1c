"""Replaces Pulumi's engine by creating the resources of a running program in the emulator.

Pulumi's SDK calls the *resource monitor*, a part of the engine, while a program runs.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]  # brings no types
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # no types
from pulumi.runtime.proto import engine_pb2, provider_pb2
from pulumi.runtime.proto import resource_pb2 as pb

from emulator.deployer.errors import DeploymentError
from emulator.deployer.service import UNSUPPORTED, Provider
from emulator.deployer.wire import from_struct, to_struct

logger = logging.getLogger(__name__)

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:aws"


@dataclass(frozen=True)
class DeployedResource:
    """A resource or component that was deployed for a program."""

    urn: str
    type: str
    """Pulumi's type token."""
    name: str
    """The logical name."""
    inputs: Mapping[str, object]
    """The inputs, including those that the provider filled in."""
    id: str = ""
    """Empty for a component."""
    outputs: Mapping[str, object] = field(default_factory=dict)
    """The inputs, together with the outputs that AWS decided."""


class Monitor:
    """Creates a program's resources while the program runs.

    The capitalized methods implement Pulumi's gRPC service ResourceMonitor. Pulumi's SDK calls them
    from several threads. The providers are the same ones that the engine would start as plugins,
    but they run in this process.
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
        """All resources except the stack, in the order of their deployment."""
        self.errors: list[str] = []
        """The errors that the program logged."""

        self._environment = environment
        default_provider = _configure_provider(environment, to_struct(settings))
        self._providers = {"": default_provider}
        """Provider reference in requests -> provider. The default provider's reference is ""."""
        self._urn_prefix = f"urn:pulumi:{stack}::{project}::"
        self._stack_urn = ""
        self._urns: set[str] = set()

    def RegisterResource(self, request: pb.RegisterResourceRequest) -> pb.RegisterResourceResponse:
        """Deploy a resource and respond with its URN, ID and outputs.

        Raises:
            DeploymentError: the resource can't be deployed. The message names the resource.
        """
        try:
            resource = self._deploy(request)
        except DeploymentError as error:
            raise DeploymentError(f"{request.type} {request.name}: {error}") from error

        if request.type != STACK_TYPE:
            self.resources.append(resource)
        return pb.RegisterResourceResponse(
            urn=resource.urn, id=resource.id, object=to_struct(resource.outputs)
        )

    def RegisterResourceOutputs(self, request: pb.RegisterResourceOutputsRequest) -> Empty:
        """Store the program's exports, which are registered as outputs of the stack."""
        if request.urn == self._stack_urn:
            self.outputs = from_struct(request.outputs)
        return Empty()

    def Invoke(self, request: pb.ResourceInvokeRequest) -> pb.ResourceInvokeResponse:
        """Call a provider function, such as `aws.get_region()`."""
        response = self._providers[request.provider].Invoke(
            provider_pb2.InvokeRequest(tok=request.tok, args=request.args)
        )
        # `return` is a Python keyword, so it can't be a literal keyword argument.
        return pb.ResourceInvokeResponse(**{"return": getattr(response, "return")})

    def ReadResource(self, request: pb.ReadResourceRequest) -> pb.ReadResourceResponse:
        """Reject `get()` because the deployer only knows the resources that it has created."""
        raise DeploymentError(f"{request.type} {request.name}: get() {UNSUPPORTED}")

    def GetDeploymentInfo(self, _request: Empty) -> pb.DeploymentInfo:
        """List the supported features, so that Pulumi's SDK rejects transforms and hooks."""
        return pb.DeploymentInfo(supportedFeatures=[pb.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS])

    def SignalAndWaitForShutdown(self, _request: Empty) -> Empty:
        """Return immediately because there's nothing to wait for."""
        return Empty()

    def Log(self, request: engine_pb2.LogRequest) -> None:
        """Log the program's warnings and collect its errors in `errors`.

        All other messages are dropped.
        """
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        elif request.severity == engine_pb2.WARNING:
            logger.warning("%s", request.message)

    def _claim_urn(self, request: pb.RegisterResourceRequest) -> str:
        """Reserve and return the URN that Pulumi's engine would assign to a resource.

        The URN of the stack is also stored because the stack's type isn't part of the URNs of its
        children, unlike the types of other parents.

        Raises:
            DeploymentError: another resource already has the URN.
        """
        qualified_type = request.type
        if request.parent not in ("", self._stack_urn):
            # A URN consists of urn:pulumi:<stack>::<project>::<qualified type>::<name>.
            parent_type = request.parent.split("::")[2]
            qualified_type = f"{parent_type}${request.type}"

        urn = f"{self._urn_prefix}{qualified_type}::{request.name}"
        if urn in self._urns:
            raise DeploymentError(f"duplicate URN {urn}")
        self._urns.add(urn)

        if request.type == STACK_TYPE:
            self._stack_urn = urn
        return urn

    def _deploy(self, request: pb.RegisterResourceRequest) -> DeployedResource:
        """Create an AWS resource, configure a provider, or just record a component."""
        if request.remote or request.importId:
            raise DeploymentError(f"remote components and import {UNSUPPORTED}")

        urn = self._claim_urn(request)
        if request.custom and request.type != PROVIDER_TYPE:
            return self._create_resource(request, urn)

        resource_id = ""
        if request.type == PROVIDER_TYPE:
            resource_id = request.name
            provider = _configure_provider(self._environment, request.object)
            self._providers[f"{urn}::{resource_id}"] = provider
        declared_inputs = from_struct(request.object)
        return DeployedResource(urn, request.type, request.name, declared_inputs, resource_id)

    def _create_resource(self, request: pb.RegisterResourceRequest, urn: str) -> DeployedResource:
        """Create an AWS resource, after the provider has checked its inputs.

        Raises:
            DeploymentError: the provider rejects some inputs. The message contains all reasons.
        """
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
    """Create and configure a provider. Raise DeploymentError if a setting isn't supported."""
    provider = Provider(environment)
    provider.Configure(provider_pb2.ConfigureRequest(args=settings))
    return provider
