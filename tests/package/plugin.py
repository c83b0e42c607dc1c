"""Runs the plugin as a process, with a recording engine in place of Pulumi's engine."""

import contextlib
import subprocess
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from tests.components.recording import ACCOUNT, ORGANIZATION, PROJECT, REGION, STACK, Engine

ROOT = Path(__file__).parents[2]
COMPONENT = "personalize-retraining:index:RetrainingPipeline"
FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
)


class Services(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """The services of Pulumi's engine. A recording engine handles the requests of the plugin."""

    def __init__(self):
        self.engine = None
        self.logged = []

    def GetDeploymentInfo(self, _request, _context):  # noqa: N802  # Pulumi's protocol
        """Return the features that the engine has and the component uses."""
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(self, request, _context):  # noqa: N802
        """Record a resource."""
        return self.engine.RegisterResource(request)

    def RegisterResourceOutputs(self, request, _context):  # noqa: N802
        """Record the outputs of a component."""
        return self.engine.RegisterResourceOutputs(request)

    def Invoke(self, request, _context):  # noqa: N802
        """Return the account or the region."""
        return self.engine.Invoke(request)

    def Log(self, request, _context):  # noqa: N802
        """Record a message."""
        if request.severity != engine_pb2.DEBUG:
            self.logged.append(request.message)
        return empty_pb2.Empty()


class Plugin:
    """A running plugin."""

    def __init__(self, services, address, stub):
        self._services = services
        self._address = address
        self._stub = stub

    def schema(self):
        """Return the schema that the plugin sends."""
        return self._stub.GetSchema(provider_pb2.GetSchemaRequest()).schema

    def version(self):
        """Return the version of the plugin."""
        return self._stub.GetPluginInfo(empty_pb2.Empty()).version

    def construct(self, name, inputs, *, preview=False, type_=COMPONENT, region=REGION):
        """Create a component. Return the response and the engine that recorded it."""
        engine = Engine(preview=preview, account=ACCOUNT, region=region, partition="aws")
        self._services.engine = engine
        self._services.logged.clear()
        properties = struct_pb2.Struct()
        properties.update(inputs)
        response = self._stub.Construct(
            provider_pb2.ConstructRequest(
                project=PROJECT,
                stack=STACK,
                organization=ORGANIZATION,
                dryRun=preview,
                monitorEndpoint=self._address,
                type=type_,
                name=name,
                inputs=properties,
            )
        )

        return response, engine

    def error_of(self, name, inputs, **options):
        """Return the message of the error about a component that the plugin does not create."""
        try:
            self.construct(name, inputs, **options)
        except grpc.RpcError as error:
            return error.details()
        raise AssertionError("the plugin has created the component")

    @property
    def logged(self):
        """Return the messages that the last component logged."""
        return self._services.logged


@contextlib.contextmanager
def running(folder):
    """Run the plugin in the folder `package/` of a checkout, as a language host runs it."""
    services = Services()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(services, server)
    engine_pb2_grpc.add_EngineServicer_to_server(services, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    # A full pipe would block the plugin.
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(  # noqa: S603  # this interpreter, and the checkout's plugin
            [sys.executable, "-u", folder / "package", address],
            cwd=folder.parent,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
        )
        try:
            port = process.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Plugin(services, address, provider_pb2_grpc.ResourceProviderStub(channel))
        finally:
            process.terminate()
            process.communicate(timeout=30)
            server.stop(None).wait()
        printed.seek(0)
        assert printed.read() == "", "the plugin prints neither tracebacks nor warnings"


def output_value(value=None):
    """Return an Output as the engine sends it. Without a value it is unknown."""
    known = {} if value is None else {"value": value}
    return {rpc._special_sig_key: rpc._special_output_value_sig, **known}  # noqa: SLF001
