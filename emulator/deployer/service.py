"""The AWS provider of the Pulumi engine, for the emulator: the resource table behind gRPC.

The client in the engine defines what each answer must hold: pulumi/pulumi, sdk/go/common/resource/
plugin/provider_plugin.go. This provider does not accept secrets, so the engine sends their plain
values and marks the answers as secret itself.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from threading import Event, Lock
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf brings no types
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from emulator.deployer import invokes, lifecycle, wire
from emulator.deployer.aws import Aws, home
from emulator.deployer.differences import difference
from emulator.deployer.errors import DeploymentError, InputRefusedError
from emulator.deployer.grpc_errors import errors_answered
from emulator.deployer.inputs import Circumstances, check
from emulator.deployer.naming import digits
from emulator.deployer.provider_settings import (
    ProviderSettings,
    account_problem,
    emulator_endpoint,
    provider_settings,
    unsupported,
)
from emulator.deployer.resources import ROWS
from emulator.deployer.rows import Patience
from emulator.deployer.schema import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import grpc  # type: ignore[import-untyped]  # brings no types

    from emulator.deployer.rows import Row

VERSION = version("pulumi-aws")
"""The version of the real provider that this provider replaces."""
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
UNSUPPORTED = "is not supported by the emulator's provider"


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one provider resource of a program. The engine calls from several threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.cancelled = Event()
        self._environment = environment
        self._endpoint = ""
        self._account = ""
        self._settings = ProviderSettings(None, None, {})
        self._aws: dict[str, Aws] = {}
        self._lock = Lock()

    def GetPluginInfo(  # noqa: N802  # Pulumi's names, as all that follow
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """Return the version of the provider."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(  # noqa: N802
        self, _request: provider_pb2.GetSchemaRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Return the names of the types and of their properties. YAML programs need them."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema(VERSION)))

    def Attach(  # noqa: N802
        self, _request: plugin_pb2.PluginAttach, _context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Accept an engine that did not start this provider."""
        return empty_pb2.Empty()

    def Cancel(  # noqa: N802
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Stop waiting, because the engine is about to end this process."""
        self.cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return a failure for each unknown setting, or one failure if there is no emulator."""
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"aws:{name} {UNSUPPORTED}")
            for name in unsupported(wire.properties(request.news))
        ]
        try:
            emulator_endpoint(self._environment)
        except DeploymentError as error:
            failures = [provider_pb2.CheckFailure(reason=str(error))]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Compare two configurations. Another region replaces the resources of the provider."""
        old, new = wire.properties(request.old_inputs), wire.properties(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(
            changes=_changes(changed),
            diffs=changed,
            replaces=[name for name in changed if name == "region"],
        )

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Read the settings. Fail without emulator or region, or if the account is not allowed."""
        with errors_answered(context):
            self._endpoint = emulator_endpoint(self._environment)
            self._settings = provider_settings(wire.properties(request.args))
            self._account, _ = home(self._endpoint)
            if problem := account_problem(self._settings, self._account):
                raise DeploymentError(problem)
            self._circumstances()
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def _circumstances(self) -> Circumstances:
        """Return the region and the default tags. Raises DeploymentError without a region."""
        region = (
            self._settings.region
            or self._environment.get("AWS_REGION")
            or self._environment.get("AWS_DEFAULT_REGION")
        )
        if not region:
            raise DeploymentError(NO_REGION)
        return Circumstances(region, self._settings.default_tags)

    def _aws_in(self, inputs: Mapping[str, object]) -> Aws:
        """Return the services of the region that the inputs of a resource name."""
        region = str(inputs.get("region", self._circumstances().region))
        with self._lock:
            if region not in self._aws:
                self._aws[region] = Aws(self._endpoint, self._account, region)
            return self._aws[region]

    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return the complete inputs, and a failure for each one that AWS would refuse."""
        with errors_answered(context):
            inputs, failures = check(
                _row(request.type),
                wire.properties(request.news),
                self._circumstances(),
                name=request.name,
                digits=digits(request.randomSeed or request.urn.encode()),
                old=wire.properties(request.olds),
            )
        return provider_pb2.CheckResponse(
            inputs=wire.structure(inputs),
            failures=[
                provider_pb2.CheckFailure(property=_top(each.path), reason=_reason(each))
                for each in failures
            ],
        )

    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Return what an update would change, and whether it needs a new resource."""
        with errors_answered(context):
            found = difference(
                _row(request.type),
                wire.properties(request.old_inputs),
                wire.properties(request.news),
            )
        details = {
            path: provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.Kind.Value(
                    f"{kind}_REPLACE" if _top(path) in found.replacing else kind
                ),
                inputDiff=True,
            )
            for path, kind in found.details
        }
        return provider_pb2.DiffResponse(
            changes=_changes(found.changed),
            diffs=sorted(found.changed),
            replaces=sorted(found.replacing),
            deleteBeforeReplace=found.delete_first,
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create a resource. In a preview, only return the outputs that are known."""
        inputs = wire.properties(request.properties)
        with errors_answered(context):
            row = _row(request.type)
            if request.preview:
                outputs = lifecycle.planned(row, inputs)
                return provider_pb2.CreateResponse(properties=wire.structure(outputs))
            created = lifecycle.create(row, inputs, self._aws_in(inputs))
        return provider_pb2.CreateResponse(
            id=created.id, properties=wire.structure(created.outputs)
        )

    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Return a resource as it is now, or an empty answer if it does not exist."""
        inputs = wire.properties(request.inputs)
        with errors_answered(context):
            if not inputs:
                raise DeploymentError(f"import and get() of {request.type} {UNSUPPORTED}")
            found = lifecycle.read(
                _row(request.type),
                request.id,
                inputs,
                self._settings.default_tags,
                self._aws_in(inputs),
            )
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id,
            inputs=wire.structure(found.inputs),
            properties=wire.structure(found.outputs),
        )

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change a resource in place. In a preview, only return the outputs that are known."""
        old, new = wire.properties(request.old_inputs), wire.properties(request.news)
        with errors_answered(context):
            row = _row(request.type)
            if request.preview:
                before = wire.properties(request.olds)
                outputs = lifecycle.planned_update(row, old, before, new)
            else:
                aws = self._aws_in(new)
                outputs = lifecycle.update(row, request.id, old, new, aws).outputs
        return provider_pb2.UpdateResponse(properties=wire.structure(outputs))

    def Delete(  # noqa: N802
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Delete a resource."""
        inputs = wire.properties(request.old_inputs)
        with errors_answered(context):
            row, aws = _row(request.type), self._aws_in(inputs)
            patience = Patience(request.timeout, self.cancelled)
            lifecycle.delete(row, request.id, inputs, aws, patience)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Answer a function call of the program."""
        with errors_answered(context):
            arguments = wire.properties(request.args)
            answer = invokes.invoke(request.tok, arguments, self._aws_in({}))
        return provider_pb2.InvokeResponse(**{"return": wire.structure(answer)})


def _row(type_: str) -> Row:
    if type_ not in ROWS:
        raise DeploymentError(f"{type_} {UNSUPPORTED}")
    return ROWS[type_]


def _top(path: str) -> str:
    """Return the name of the property at which a path begins."""
    return path.partition(".")[0].partition("[")[0]


def _reason(failure: InputRefusedError) -> str:
    """Return what is wrong with an input. The engine already prints the name of the input."""
    return failure.reason if failure.path == _top(failure.path) else str(failure)


def _changes(changed: Collection[str]) -> provider_pb2.DiffResponse.DiffChanges.ValueType:
    return provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
