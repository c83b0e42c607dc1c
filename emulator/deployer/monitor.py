"""A Pulumi resource monitor that creates each registered resource in the emulator."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf brings no types
from pulumi.runtime.proto import resource_pb2

from emulator.deployer import invokes, lifecycle, wire
from emulator.deployer.errors import DeploymentError, InputRefusedError
from emulator.deployer.inputs import Circumstances, check
from emulator.deployer.naming import digits
from emulator.deployer.provider_settings import MEANINGLESS_HERE
from emulator.deployer.resources import ROWS
from emulator.deployer.state import Record, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws

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
    """With the physical name; an archive is here as its fingerprint."""
    id: str
    """Pulumi's id of the resource; empty for a component."""
    outputs: Mapping[str, object]
    """The inputs except archives, and the values that AWS decided."""

    @property
    def arn(self) -> str | None:
        """The ARN, for what has one."""
        arn = self.outputs.get("arn")
        return None if arn is None else str(arn)


class Monitor:
    """Serves one run of a program. Its capitalised methods are Pulumi's ResourceMonitor protocol.

    Pulumi calls them from several threads.
    """

    def __init__(
        self, aws: Aws, project: str, stack: str, default_tags: Mapping[str, str] | None = None
    ) -> None:
        self.outputs: Mapping[str, object] = {}
        """The program's exports."""
        self.resources: list[DeployedResource] = []
        """All resources but the stack, in the order in which they came to exist."""
        self._aws = aws
        self._circumstances = Circumstances(aws.region, default_tags or {})
        self._state = State(aws, project, stack)
        self._place = f"urn:pulumi:{stack}::{project}::"
        self._stack_urn = ""
        self._urns: set[str] = set()
        self._lock = Lock()

    def finish(self) -> None:
        """Raise DeploymentError if something is deployed that the program no longer declares."""
        self._state.require_all_in(self._urns)

    # --- Pulumi's protocol -----------------------------------------------------------------------

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Create the resource, or find it as it was created by an earlier run."""
        where = f"{request.type} {request.name}"
        if request.remote or request.importId:
            what = "remote components are" if request.remote else "import is"
            raise DeploymentError(f"{where}: {what} not supported by the emulator's deployer")
        urn = self._claim_urn(request)
        resource = self._deploy(request, urn, where)
        if request.type != STACK:
            self.resources.append(resource)
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=resource.id, object=wire.structure(resource.outputs)
        )

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Keep the stack's outputs, which are the program's exports."""
        if request.urn == self._stack_urn:
            self.outputs = wire.properties(request.outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer what the program asks the provider."""
        answer = invokes.invoke(request.tok, wire.properties(request.args), self._aws)
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.structure(answer)})

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Refuse: the program deploys, and looks up nothing that it did not declare."""
        raise DeploymentError(
            f"{request.type} {request.name}: get() is not supported by the emulator's deployer"
        )

    def GetDeploymentInfo(  # noqa: N802
        self, _request: empty_pb2.Empty
    ) -> resource_pb2.DeploymentInfo:
        """Say what is understood; a program that uses transforms or hooks is told so by Pulumi."""
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS]
        )

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802
        """There is nothing to wait for."""
        return empty_pb2.Empty()

    # ---------------------------------------------------------------------------------------------

    def _claim_urn(self, request: resource_pb2.RegisterResourceRequest) -> str:
        """Return the URN as Pulumi's engine makes it. Raises DeploymentError if it is taken."""
        if request.parent in ("", self._stack_urn):
            kind = request.type
        elif request.parent in self._urns:
            kind = f"{request.parent.split('::')[2]}${request.type}"
        else:
            raise DeploymentError(
                f"{request.type} {request.name}: its parent {request.parent} is not registered"
            )
        urn = f"{self._place}{kind}::{request.name}"
        with self._lock:
            if urn in self._urns:
                raise DeploymentError(f"{request.type} {request.name}: duplicate URN {urn}")
            self._urns.add(urn)
            if request.type == STACK:
                self._stack_urn = urn
        return urn

    def _deploy(
        self, request: resource_pb2.RegisterResourceRequest, urn: str, where: str
    ) -> DeployedResource:
        inputs = wire.properties(request.object)
        if not request.custom:
            return DeployedResource(urn, request.type, request.name, inputs, "", {})
        try:
            if request.type == PROVIDER:
                self._check_provider(inputs)
                identifier = hashlib.sha256(urn.encode()).hexdigest()[:32]
                return DeployedResource(urn, request.type, request.name, inputs, identifier, {})
            return self._deploy_row(request, urn, where, inputs)
        except InputRefusedError as error:
            raise DeploymentError(f"{where}: {error}") from error

    def _check_provider(self, inputs: Mapping[str, object]) -> None:
        """Accept an explicit provider that leads to the same account and region as the default."""
        for name in sorted(inputs.keys() - MEANINGLESS_HERE - {"region"}):
            raise InputRefusedError(name, "unknown or not supported")
        self._check_region(inputs)

    def _check_region(self, inputs: Mapping[str, object]) -> None:
        region = inputs.get("region", self._aws.region)
        if region != self._aws.region:
            raise InputRefusedError(
                "region", f"{region!r} is not the stack's, {self._aws.region!r}"
            )

    def _deploy_row(
        self,
        request: resource_pb2.RegisterResourceRequest,
        urn: str,
        where: str,
        declared: Mapping[str, object],
    ) -> DeployedResource:
        row = ROWS.get(request.type)
        if row is None:
            raise DeploymentError(f"{where}: this type is not supported by the emulator's deployer")
        self._check_region(declared)
        inputs, failures = check(
            row,
            declared,
            self._circumstances,
            name=request.name,
            digits=digits(urn),
            old={},
        )
        if failures:
            raise failures[0]
        asked = {*declared, row.name_input} & inputs.keys() - {"region"}
        recorded = {name: _recordable(inputs[name]) for name in sorted(asked)}

        record = self._state.find(urn, where, recorded)
        if record is None:
            try:
                created = lifecycle.create(row, inputs, self._aws)
            except lifecycle.UnfinishedError as error:
                error.reason.add_note(f"while creating {where}")
                raise error.reason from None
            except Exception as error:
                error.add_note(f"while creating {where}")
                raise
            outputs = {
                name: value
                for name, value in created.outputs.items()
                if not isinstance(value, wire.Archive)
            }
            record = Record(urn, recorded, created.id, outputs)
            self._state.add(record)
        return DeployedResource(
            urn, request.type, request.name, recorded, record.id, record.outputs
        )


def _recordable(value: object) -> object:
    """Return the value as JSON can hold it."""
    return {"sha256": value.hash} if isinstance(value, wire.Archive) else value
