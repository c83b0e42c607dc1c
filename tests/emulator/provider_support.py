"""Speaks to the provider as Pulumi's engine does: over gRPC, in the order of the engine's calls."""

import contextlib
import json
from dataclasses import dataclass, field

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from emulator.deployer import wire
from emulator.deployer.provider import serve
from emulator.deployer.service import Provider

UNKNOWN = wire.UNKNOWN

FUNCTION = "aws:lambda/function:Function"
GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
MACHINE = "aws:sfn/stateMachine:StateMachine"
PERMISSION = "aws:lambda/permission:Permission"
QUEUE = "aws:sqs/queue:Queue"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
RULE = "aws:cloudwatch/eventRule:EventRule"
SCHEDULE = "aws:scheduler/schedule:Schedule"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"


def struct(properties):
    """Return a protobuf structure. Archives are in the wire format already."""
    result = struct_pb2.Struct()
    result.update(properties)
    return result


def plain(structure):
    """Return what a structure holds. Unknown values are as they are on the wire."""
    return wire.from_struct(structure)


def archive(digest, **files):
    """Return an archive as the engine sends it: with a hash, and with files unless left out."""
    assets = {
        name.replace("__", "/") + ".py": {
            wire.SIGNATURE: wire.ASSET,
            "hash": f"{digest}-{name}",
            "text": text,
        }
        for name, text in files.items()
    }
    content = {"assets": assets} if files else {}
    return {wire.SIGNATURE: wire.ARCHIVE, "hash": digest, **content}


def elided(properties):
    """Return properties as Diff, Read, Delete and, for the old ones, Update get them."""
    return {
        name: archive(value["hash"])
        if isinstance(value, dict) and value.get(wire.SIGNATURE) == wire.ARCHIVE
        else value
        for name, value in properties.items()
    }


def raw(properties):
    """Return plain properties in the wire format."""
    return json.loads(json.dumps(properties, default=lambda archive: dict(archive.raw)))


@dataclass
class Resource:
    """A resource as the engine keeps it in its state."""

    type: str
    name: str
    id: str = ""
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)


class Engine:
    """The engine's side of one provider."""

    def __init__(self, stub):
        self.stub = stub

    def urn(self, type_, name):
        """Return the URN of a resource."""
        return f"urn:pulumi:dev::sample::{type_}::{name}"

    def _named(self, type_, name):
        return {"urn": self.urn(type_, name), "type": type_, "name": name}

    def check(self, type_, name, inputs, old=None, seed=b"seed"):
        """Return the complete inputs, and a reason for each property that is refused."""
        answer = self.stub.Check(
            provider_pb2.CheckRequest(
                news=struct(raw(inputs)),
                olds=struct(raw(old or {})),
                randomSeed=seed,
                **self._named(type_, name),
            )
        )
        failures = {failure.property: failure.reason for failure in answer.failures}
        return plain(answer.inputs), failures

    def checked(self, type_, name, inputs, old=None, seed=b"seed"):
        """Return the complete inputs of a resource, none of which is refused."""
        complete, failures = self.check(type_, name, inputs, old, seed)
        assert failures == {}, f"{type_} {name}"
        return complete

    def diff(self, resource, inputs):
        """Return what the provider finds changed in new, complete inputs."""
        answer = self.stub.Diff(
            provider_pb2.DiffRequest(
                id=resource.id,
                old_inputs=struct(elided(raw(resource.inputs))),
                olds=struct(elided(raw(resource.outputs))),
                news=struct(elided(raw(inputs))),
                **self._named(resource.type, resource.name),
            )
        )
        kinds = provider_pb2.PropertyDiff.Kind
        return {
            "changes": provider_pb2.DiffResponse.DiffChanges.Name(answer.changes),
            "diffs": list(answer.diffs),
            "replaces": list(answer.replaces),
            "deleteBeforeReplace": answer.deleteBeforeReplace,
            "detailedDiff": {
                path: kinds.Name(detail.kind) for path, detail in answer.detailedDiff.items()
            },
        }

    def create(self, type_, name, inputs):
        """Check and create a resource."""
        complete = self.checked(type_, name, inputs)
        answer = self.stub.Create(
            provider_pb2.CreateRequest(properties=struct(raw(complete)), **self._named(type_, name))
        )
        return Resource(type_, name, answer.id, complete, plain(answer.properties))

    def preview_create(self, type_, name, inputs):
        """Return the outputs that a preview shows for a new resource."""
        answer = self.stub.Create(
            provider_pb2.CreateRequest(
                properties=struct(raw(self.checked(type_, name, inputs))),
                preview=True,
                **self._named(type_, name),
            )
        )
        assert answer.id == "", "it does not exist"
        return plain(answer.properties)

    def update(self, resource, inputs, *, preview=False):
        """Check and update a resource. Return it as it is now, or as a preview shows it."""
        complete = self.checked(resource.type, resource.name, inputs, resource.inputs)
        answer = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=resource.id,
                old_inputs=struct(elided(raw(resource.inputs))),
                olds=struct(elided(raw(resource.outputs))),
                news=struct(raw(complete)),
                preview=preview,
                **self._named(resource.type, resource.name),
            )
        )
        outputs = plain(answer.properties)
        return Resource(resource.type, resource.name, resource.id, complete, outputs)

    def read(self, resource):
        """Return the resource as it is now, or None if it does not exist."""
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                id=resource.id,
                inputs=struct(elided(raw(resource.inputs))),
                properties=struct(elided(raw(resource.outputs))),
                **self._named(resource.type, resource.name),
            )
        )
        if not answer.id:
            return None
        inputs, outputs = plain(answer.inputs), plain(answer.properties)
        return Resource(resource.type, resource.name, answer.id, inputs, outputs)

    def delete(self, resource, seconds=0.0):
        """Delete a resource."""
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=resource.id,
                old_inputs=struct(elided(raw(resource.inputs))),
                properties=struct(elided(raw(resource.outputs))),
                timeout=seconds,
                **self._named(resource.type, resource.name),
            )
        )

    def configure(self, **settings):
        """Configure the provider. Return its answer."""
        return self.stub.Configure(
            provider_pb2.ConfigureRequest(args=struct(settings), acceptSecrets=True)
        )


@contextlib.contextmanager
def connected(endpoint, environment=None):
    """Serve a provider that is not configured, and yield an engine that is connected to it."""
    server, port = serve(Provider({"AWS_ENDPOINT_URL": endpoint, **(environment or {})}))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Engine(provider_pb2_grpc.ResourceProviderStub(channel))
    server.stop(None).wait()


@contextlib.contextmanager
def provider(aws, **settings):
    """Serve a provider for the emulator, and yield an engine that is connected to it."""
    with connected(aws.endpoint) as engine:
        engine.configure(**{"region": aws.region, **settings})
        yield engine


def message(call, *arguments, **named):
    """Return what the engine prints for a call that fails."""
    try:
        call(*arguments, **named)
    except grpc.RpcError as error:
        return error.details()
    raise AssertionError("it was not refused")
