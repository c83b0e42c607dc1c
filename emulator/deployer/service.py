"""The AWS provider that the Pulumi engine uses with the emulator, as a gRPC service.

The engine's client of providers shows what each response must hold: pulumi/pulumi, sdk/go/common/
resource/plugin/provider_plugin.go. This provider does not accept secrets. The engine therefore
sends the plain values of secrets, and itself marks the values in the responses as secret.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from threading import Event, Lock
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf brings no types
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from emulator.deployer import invokes, lifecycle, wire
from emulator.deployer.aws import Aws, emulated_account
from emulator.deployer.differences import difference
from emulator.deployer.errors import DeploymentError, InputRefusedError
from emulator.deployer.grpc_errors import errors_sent_to
from emulator.deployer.inputs import ProviderContext, check_inputs
from emulator.deployer.naming import hexadecimal_digits
from emulator.deployer.provider_settings import (
    ProviderSettings,
    account_error,
    emulator_endpoint,
    provider_settings,
    unsupported_settings,
)
from emulator.deployer.resources import ROWS
from emulator.deployer.rows import DeletionLimit
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
    """One AWS provider of a program, for example the default provider.

    The engine calls the methods in several threads.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.cancelled = Event()
        """Set when the user cancels the deployment."""
        self._environment = environment
        self._endpoint = ""
        self._account = ""
        self._settings = ProviderSettings(region=None, allowed_accounts=None, default_tags={})
        self._aws: dict[str, Aws] = {}
        self._lock = Lock()

    def GetPluginInfo(  # noqa: N802  # Pulumi names this method and all that follow
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
        """Stop waiting for deletions, because the engine is about to end this process."""
        self.cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return the settings of the provider, with a failure for each unsupported setting.

        If the environment names no emulator, return only that failure.
        """
        try:
            emulator_endpoint(self._environment)
        except DeploymentError as error:
            no_emulator = provider_pb2.CheckFailure(reason=str(error))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[no_emulator])
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"aws:{name} {UNSUPPORTED}")
            for name in unsupported_settings(wire.from_struct(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Return the settings that differ. Another region replaces the provider's resources."""
        old, new = wire.from_struct(request.old_inputs), wire.from_struct(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(
            changes=_has_changes(changed),
            diffs=changed,
            replaces=[name for name in changed if name == "region"],
        )

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Keep the settings for the other methods.

        Fail if there is no emulator, no region, or if the account is not allowed.
        """
        with errors_sent_to(context):
            self._endpoint = emulator_endpoint(self._environment)
            self._settings = provider_settings(wire.from_struct(request.args))
            self._account = emulated_account(self._endpoint).account
            if message := account_error(self._settings, self._account):
                raise DeploymentError(message)
            self._provider_context()  # raises an error if there is no region
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return the complete inputs of a resource, and a failure for each refused value."""
        with errors_sent_to(context):
            inputs, failures = check_inputs(
                _row(request.type),
                wire.from_struct(request.news),
                self._provider_context(),
                logical_name=request.name,
                digits=hexadecimal_digits(request.randomSeed or request.urn.encode()),
                old_inputs=wire.from_struct(request.olds),
            )
        return provider_pb2.CheckResponse(
            inputs=wire.to_struct(inputs),
            failures=[
                provider_pb2.CheckFailure(
                    property=_property_name(failure.path), reason=_reason(failure)
                )
                for failure in failures
            ],
        )

    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Return the changes that an update would make, and whether it needs a new resource."""
        with errors_sent_to(context):
            diff = difference(
                _row(request.type),
                wire.from_struct(request.old_inputs),
                wire.from_struct(request.news),
            )
        details = {}
        for path, kind in diff.details:
            suffix = "_REPLACE" if _property_name(path) in diff.replacing else ""
            details[path] = provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.Kind.Value(f"{kind}{suffix}"), inputDiff=True
            )
        return provider_pb2.DiffResponse(
            changes=_has_changes(diff.changed),
            diffs=sorted(diff.changed),
            replaces=sorted(diff.replacing),
            deleteBeforeReplace=diff.delete_first,
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create a resource and return its outputs. In a preview, return the planned outputs."""
        inputs = wire.from_struct(request.properties)
        with errors_sent_to(context):
            row = _row(request.type)
            if request.preview:
                outputs = lifecycle.planned_outputs(row, inputs)
                return provider_pb2.CreateResponse(properties=wire.to_struct(outputs))
            resource = lifecycle.create(row, inputs, self._aws_for(inputs))
        return provider_pb2.CreateResponse(
            id=resource.id, properties=wire.to_struct(resource.outputs)
        )

    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Return a resource as it is now, or an empty response if it does not exist."""
        inputs = wire.from_struct(request.inputs)
        with errors_sent_to(context):
            if not inputs:
                raise DeploymentError(f"import and get() of {request.type} {UNSUPPORTED}")
            resource = lifecycle.read(
                _row(request.type),
                request.id,
                inputs,
                self._settings.default_tags,
                self._aws_for(inputs),
            )
        if resource is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=resource.id,
            inputs=wire.to_struct(resource.inputs),
            properties=wire.to_struct(resource.outputs),
        )

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Change a resource and return its outputs. In a preview, return the planned outputs."""
        old_inputs = wire.from_struct(request.old_inputs)
        new_inputs = wire.from_struct(request.news)
        with errors_sent_to(context):
            row = _row(request.type)
            if request.preview:
                outputs = lifecycle.planned_outputs_after_update(
                    row, old_inputs, wire.from_struct(request.olds), new_inputs
                )
            else:
                aws = self._aws_for(new_inputs)
                outputs = lifecycle.update(row, request.id, old_inputs, new_inputs, aws).outputs
        return provider_pb2.UpdateResponse(properties=wire.to_struct(outputs))

    def Delete(  # noqa: N802
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Delete a resource, and wait until it does not exist any more."""
        inputs = wire.from_struct(request.old_inputs)
        deletion_limit = DeletionLimit(request.timeout, self.cancelled)
        with errors_sent_to(context):
            row = _row(request.type)
            lifecycle.delete(row, request.id, inputs, self._aws_for(inputs), deletion_limit)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Return the result of a function of the provider that the program calls."""
        with errors_sent_to(context):
            arguments = wire.from_struct(request.args)
            result = invokes.invoke(request.tok, arguments, self._aws_for({}))
        # `return` is a keyword of Python, so it cannot be written as the name of an argument.
        return provider_pb2.InvokeResponse(**{"return": wire.to_struct(result)})

    def _provider_context(self) -> ProviderContext:
        """Return the region and the default tags. Raises DeploymentError if there is no region."""
        region = (
            self._settings.region
            or self._environment.get("AWS_REGION")
            or self._environment.get("AWS_DEFAULT_REGION")
        )
        if not region:
            raise DeploymentError(NO_REGION)
        return ProviderContext(region, self._settings.default_tags)

    def _aws_for(self, inputs: Mapping[str, object]) -> Aws:
        """Return the services of the region of a resource with these inputs."""
        region = str(inputs.get("region", self._provider_context().region))
        with self._lock:
            if region not in self._aws:
                self._aws[region] = Aws(self._endpoint, self._account, region)
            return self._aws[region]


def _row(type_token: str) -> Row:
    """Return the row of a resource type. Raises DeploymentError if the table does not have it."""
    if type_token not in ROWS:
        raise DeploymentError(f"{type_token} {UNSUPPORTED}")
    return ROWS[type_token]


def _property_name(path: str) -> str:
    """Return the property at the begin of a path, for example `tags` for `tags.team`."""
    return path.partition(".")[0].partition("[")[0]


def _reason(failure: InputRefusedError) -> str:
    """Return the reason of a failure, with the path if the failed value is inside an input.

    The engine itself prints the name of the input.
    """
    return failure.reason if failure.path == _property_name(failure.path) else str(failure)


def _has_changes(changed: Collection[str]) -> provider_pb2.DiffResponse.DiffChanges.ValueType:
    return provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
