"""The AWS provider of the Pulumi engine, for the emulator: the resource table behind gRPC.

Pulumi starts it as a plugin (`plugin/pulumi-resource-aws`). What the engine expects of each answer
is in its own client: sdk/go/common/resource/plugin/provider_plugin.go. The engine hands secrets
over as bare values, because this provider does not ask for them in another form, and marks them in
what it gets back.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event, Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf brings no types
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from emulator.deployer import invokes, lifecycle, wire
from emulator.deployer.aws import Aws, home
from emulator.deployer.differences import difference
from emulator.deployer.errors import DeploymentError, GoneError, InputRefusedError
from emulator.deployer.inputs import Circumstances, check
from emulator.deployer.naming import digits
from emulator.deployer.provider_settings import (
    ProviderSettings,
    account_problem,
    provider_settings,
    unsupported,
)
from emulator.deployer.resources import ROWS

if TYPE_CHECKING:
    from emulator.deployer.rows import Row

VERSION = "7.51.1"
"""The version of the real provider that this one stands for: the one of pulumi_aws in
requirements.txt."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
NO_EMULATOR = (
    "this pulumi-resource-aws is a stand-in that works with the emulator only, and "
    "AWS_ENDPOINT_URL {is_wrong}; start an emulator with 'python -m emulator' and export what it "
    "prints, or take emulator/deployer/plugin off the PATH and install the real provider with "
    "'pulumi plugin install resource aws'"
)
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
UNSUPPORTED = "is not supported by the emulator's provider"


def endpoint_from(environment: Mapping[str, str]) -> str:
    """Return the emulator's endpoint. Raises DeploymentError if it is not on this machine."""
    endpoint = environment.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise DeploymentError(NO_EMULATOR.format(is_wrong="is not set"))
    if urlsplit(endpoint).hostname not in LOOPBACK:
        raise DeploymentError(NO_EMULATOR.format(is_wrong=f"is {endpoint!r}, not this machine"))
    return endpoint


class Provider(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]  # has no types
    """Serves one provider resource of a program. The engine calls from several threads."""

    def __init__(self, endpoint: str, environment: Mapping[str, str]) -> None:
        self.cancelled = Event()
        self._endpoint = endpoint
        self._environment = environment
        self._account = ""
        self._settings = ProviderSettings(None, None, {})
        self._aws: dict[str, Aws] = {}
        self._lock = Lock()

    # --- the plugin ------------------------------------------------------------------------------

    def GetPluginInfo(  # noqa: N802  # Pulumi's names, as all that follow
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """Return the version of the provider."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(  # noqa: N802
        self, _request: provider_pb2.GetSchemaRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Return a schema with the names of the types, which is all that the engine asks for."""
        schema = {"name": "aws", "version": VERSION, "resources": dict.fromkeys(ROWS, {})}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Attach(  # noqa: N802
        self, _request: plugin_pb2.PluginAttach, _context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Accept an engine that did not start this provider."""
        return empty_pb2.Empty()

    def Cancel(  # noqa: N802
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Stop waiting: the engine is about to end this process."""
        self.cancelled.set()
        return empty_pb2.Empty()

    # --- its configuration -----------------------------------------------------------------------

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Refuse each setting that is not understood."""
        settings = wire.properties(request.news)
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[
                provider_pb2.CheckFailure(property=name, reason=f"aws:{name} {UNSUPPORTED}")
                for name in unsupported(settings)
            ],
        )

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Compare two configurations. Another region replaces what the provider has made."""
        old, new = wire.properties(request.old_inputs), wire.properties(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(
            changes=_changes(bool(changed)),
            diffs=changed,
            replaces=[name for name in changed if name == "region"],
        )

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Take the settings, and refuse an account that they do not allow."""
        with _errors(context):
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

    # --- resources -------------------------------------------------------------------------------

    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return complete inputs, with all that AWS would refuse in them."""
        with _errors(context):
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
                provider_pb2.CheckFailure(property=failure.path, reason=str(failure))
                for failure in failures
            ],
        )

    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Return what an update would change, and whether it needs a new resource."""
        with _errors(context):
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
            changes=_changes(bool(found.changed)),
            diffs=sorted(found.changed),
            replaces=sorted(found.replacing),
            deleteBeforeReplace=found.delete_first,
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create a resource; in a preview, return what is known of it."""
        inputs = wire.properties(request.properties)
        with _errors(context):
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
        """Return a resource as it is now; nothing, if it does not exist."""
        inputs = wire.properties(request.inputs)
        with _errors(context):
            if not inputs:
                raise DeploymentError(f"import and get() of {request.type}: {UNSUPPORTED}")
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
        """Change a resource in place; in a preview, return what is known of it."""
        old, new = wire.properties(request.old_inputs), wire.properties(request.news)
        with _errors(context):
            row = _row(request.type)
            changed = difference(row, old, new).changed
            if request.preview:
                before = wire.properties(request.olds)
                outputs = lifecycle.planned_update(row, old, before, new, changed)
            else:
                aws = self._aws_in(new)
                outputs = lifecycle.update(row, request.id, old, new, changed, aws).outputs
        return provider_pb2.UpdateResponse(properties=wire.structure(outputs))

    def Delete(  # noqa: N802
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Delete a resource."""
        inputs = wire.properties(request.old_inputs)
        with _errors(context):
            row, aws = _row(request.type), self._aws_in(inputs)
            lifecycle.delete(row, request.id, inputs, aws, request.timeout)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        """Answer what the program asks the provider."""
        with _errors(context):
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


def _changes(some: bool) -> provider_pb2.DiffResponse.DiffChanges:  # noqa: FBT001
    return provider_pb2.DiffResponse.DIFF_SOME if some else provider_pb2.DiffResponse.DIFF_NONE


@contextmanager
def _errors(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer the engine with what goes wrong; other exceptions are this provider's own faults."""
    try:
        yield
    except lifecycle.UnfinishedError as error:
        reason = str(error.__cause__)
        failed = provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=wire.structure(error.outputs), reasons=[reason]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
        status.details.add().Pack(failed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, reason)
    except (DeploymentError, InputRefusedError, GoneError, ClientError, BotoCoreError) as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def serve(provider: Provider) -> tuple[grpc.Server, int]:
    """Serve on a free port of 127.0.0.1. Returns the server and the port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve until the engine ends this process."""
    try:
        endpoint = endpoint_from(os.environ)
    except DeploymentError as error:
        sys.exit(f"error: {error}")
    server, port = serve(Provider(endpoint, os.environ))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):  # the engine ends its plugins by this signal
        server.wait_for_termination()


if __name__ == "__main__":
    main()
