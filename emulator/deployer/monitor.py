"""A Pulumi resource monitor that creates each registered resource in the emulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf brings no types
from pulumi.runtime.proto import resource_pb2

from emulator.deployer import invokes, lifecycle, wire
from emulator.deployer.errors import DeploymentError, InputRefusedError
from emulator.deployer.inputs import ProviderContext, check_inputs
from emulator.deployer.naming import hexadecimal_digits
from emulator.deployer.provider_settings import IGNORED_SETTINGS
from emulator.deployer.resources import ROWS
from emulator.deployer.state import Record, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws
    from emulator.deployer.rows import Row

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
    """The declared inputs and the physical name. An archive is replaced by its hash."""
    id: str = ""
    """Pulumi's id of the resource. It is empty for a component."""
    outputs: Mapping[str, object] = field(default_factory=dict)
    """The inputs except archives, and the values that AWS decided."""


class Monitor:
    """Creates the resources of a program while the program runs.

    Pulumi's SDK calls the capitalised methods, which are the protocol ResourceMonitor, from several
    threads.
    """

    def __init__(
        self, aws: Aws, project: str, stack: str, default_tags: Mapping[str, str] | None = None
    ) -> None:
        self.outputs: Mapping[str, object] = {}
        """The program's exports."""
        self.resources: list[DeployedResource] = []
        """All resources but the stack, in the order in which they were deployed."""
        self._aws = aws
        self._provider_context = ProviderContext(aws.region, default_tags or {})
        self._state = State(aws, project, stack)
        self._urn_prefix = f"urn:pulumi:{stack}::{project}::"
        self._stack_urn = ""
        self._urns: set[str] = set()
        self._lock = Lock()

    def check_removed_resources(self) -> None:
        """Raise DeploymentError if a deployed resource is not declared any more.

        Call this after the program has ended.
        """
        self._state.check_all_declared(self._urns)

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Create the resource. If an earlier run of the program created it, return it."""
        if request.remote or request.importId:
            unsupported = "remote components are" if request.remote else "import is"
            raise DeploymentError(
                f"{_label(request)}: {unsupported} not supported by the emulator's deployer"
            )
        urn = self._claim_urn(request)
        resource = self._deploy(request, urn)
        if request.type != STACK:
            self.resources.append(resource)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=resource.id, object=wire.to_struct(resource.outputs)
        )

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keep the stack's outputs, which are the program's exports."""
        if request.urn == self._stack_urn:
            self.outputs = wire.from_struct(request.outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Return the result of a function of the provider that the program calls."""
        result = invokes.invoke(request.tok, wire.from_struct(request.args), self._aws)
        # `return` is a keyword of Python, so it cannot be written as the name of an argument.
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.to_struct(result)})

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Raise DeploymentError, because the deployer only knows resources that it created."""
        raise DeploymentError(
            f"{request.type} {request.name}: get() is not supported by the emulator's deployer"
        )

    def GetDeploymentInfo(  # noqa: N802
        self, _request: empty_pb2.Empty
    ) -> resource_pb2.DeploymentInfo:
        """Return the supported features. Pulumi itself refuses transforms and hooks."""
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS]
        )

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802
        """Return at once, because there is nothing to wait for."""
        return empty_pb2.Empty()

    def _claim_urn(self, request: resource_pb2.RegisterResourceRequest) -> str:
        """Return the URN that Pulumi's engine would give to a resource, and remember it.

        Raises DeploymentError if another resource has the URN, or if the parent does not exist.
        """
        if request.parent in ("", self._stack_urn):
            qualified_type = request.type
        elif request.parent in self._urns:
            parent_type = request.parent.split("::")[2]  # after the stack and the project
            qualified_type = f"{parent_type}${request.type}"
        else:
            raise DeploymentError(
                f"{_label(request)}: its parent {request.parent} is not registered"
            )
        urn = f"{self._urn_prefix}{qualified_type}::{request.name}"
        with self._lock:
            if urn in self._urns:
                raise DeploymentError(f"{_label(request)}: duplicate URN {urn}")
            self._urns.add(urn)
            if request.type == STACK:
                self._stack_urn = urn
        return urn

    def _deploy(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> DeployedResource:
        """Deploy a component, a provider or an AWS resource. Only an AWS resource needs calls.

        Raises DeploymentError with the name of the resource if an input is refused.
        """
        declared = wire.from_struct(request.object)
        if not request.custom:  # It is a component.
            return DeployedResource(urn, request.type, request.name, declared)
        try:
            if request.type == PROVIDER:
                self._check_provider(declared)
                identifier = hexadecimal_digits(urn)[:32]
                return DeployedResource(urn, request.type, request.name, declared, identifier)
            return self._deploy_aws_resource(request, urn, declared)
        except InputRefusedError as error:
            raise DeploymentError(f"{_label(request)}: {error}") from error

    def _check_provider(self, inputs: Mapping[str, object]) -> None:
        """Raise InputRefusedError unless a provider does what the default provider does."""
        if unsupported := sorted(inputs.keys() - IGNORED_SETTINGS - {"region"}):
            raise InputRefusedError(unsupported[0], "unknown or not supported")
        self._check_region(inputs)

    def _check_region(self, inputs: Mapping[str, object]) -> None:
        """Raise InputRefusedError if a resource or provider is in another region than the stack."""
        region = inputs.get("region", self._aws.region)
        if region != self._aws.region:
            raise InputRefusedError(
                "region", f"{region!r} is not the stack's, {self._aws.region!r}"
            )

    def _deploy_aws_resource(
        self,
        request: resource_pb2.RegisterResourceRequest,
        urn: str,
        declared: Mapping[str, object],
    ) -> DeployedResource:
        """Create an AWS resource, unless the stack's state has it with the same inputs."""
        row = ROWS.get(request.type)
        if row is None:
            raise DeploymentError(
                f"{_label(request)}: this type is not supported by the emulator's deployer"
            )
        inputs = self._checked_inputs(row, request, urn, declared)
        recorded = {
            name: _json_value(inputs[name])
            for name in sorted({*declared, row.name_input} - {"region"})
            if name in inputs
        }
        record = self._state.find(urn, _label(request), recorded)
        if record is None:
            resource = self._create(row, inputs, _label(request))
            record = Record(urn, recorded, resource.id, _without_archives(resource.outputs))
            self._state.add(record)
        return DeployedResource(
            urn, request.type, request.name, recorded, record.id, record.outputs
        )

    def _checked_inputs(
        self,
        row: Row,
        request: resource_pb2.RegisterResourceRequest,
        urn: str,
        declared: Mapping[str, object],
    ) -> wire.Properties:
        """Return the complete inputs of a resource.

        Raises InputRefusedError for the first input that is refused.
        """
        self._check_region(declared)
        inputs, failures = check_inputs(
            row,
            declared,
            self._provider_context,
            logical_name=request.name,
            digits=hexadecimal_digits(urn),
            old_inputs={},
        )
        if failures:
            raise failures[0]
        return inputs

    def _create(self, row: Row, inputs: wire.Properties, label: str) -> lifecycle.ExistingResource:
        """Create a resource. If a call fails, raise its error with a note that has the label."""
        try:
            return lifecycle.create(row, inputs, self._aws)
        except lifecycle.UnfinishedError as error:
            error.reason.add_note(f"while creating {label}")
            raise error.reason from None
        except Exception as error:
            error.add_note(f"while creating {label}")
            raise


def _label(request: resource_pb2.RegisterResourceRequest) -> str:
    """Return the type and the name of a resource, for a message."""
    return f"{request.type} {request.name}"


def _json_value(value: object) -> object:
    """Return a value that JSON can hold. An archive becomes a mapping with its hash."""
    return {"sha256": value.hash} if isinstance(value, wire.Archive) else value


def _without_archives(outputs: Mapping[str, object]) -> wire.Properties:
    """Return the outputs that are no archives, because the state does not keep archives."""
    return {name: value for name, value in outputs.items() if not isinstance(value, wire.Archive)}
