"""Speaks to the provider as Pulumi's engine does: over gRPC, in the order of the engine's calls."""

import contextlib
from dataclasses import dataclass, field
from enum import StrEnum

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from emulator.deployer import wire
from emulator.deployer.provider import serve
from emulator.deployer.service import Provider

UNKNOWN = wire.UNKNOWN
ASSET = "c44067f5952c0a294b673a41bacd8c17"
"""The signature of an asset: pulumi/pulumi, sdk/go/common/resource/sig/sig.go."""


class Type(StrEnum):
    """Type tokens of resources."""

    FUNCTION = "aws:lambda/function:Function"
    GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
    LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
    MACHINE = "aws:sfn/stateMachine:StateMachine"
    METRIC_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
    PERMISSION = "aws:lambda/permission:Permission"
    QUEUE = "aws:sqs/queue:Queue"
    ROLE = "aws:iam/role:Role"
    ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
    RULE = "aws:cloudwatch/eventRule:EventRule"
    SCHEDULE = "aws:scheduler/schedule:Schedule"
    TOPIC = "aws:sns/topic:Topic"
    TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"


def archive(digest, assets=None, **files):
    """Return an archive of assets and Python files as the engine sends it.

    Each file is given as its name and text. Without files, the content is left out.
    """
    texts = {f"{name}.py": {"text": text} for name, text in files.items()}
    content = {
        "assets": {
            name: {wire.SIGNATURE: ASSET, "hash": f"{digest}-{name}", **asset}
            for name, asset in {**texts, **(assets or {})}.items()
        }
    }
    content = content if content["assets"] else {}
    return {wire.SIGNATURE: wire.ARCHIVE, "hash": digest, **content}


def function_inputs(role_arn, code, **inputs):
    """Return the inputs of a function with this role and archive, and with these other inputs."""
    return {
        "role": role_arn,
        "code": code,
        "handler": "work.handler",
        "runtime": "python3.12",
        **inputs,
    }


def schedule_inputs(group, role_arn, **inputs):
    """Return the inputs of a schedule in this group and with this role, and with other inputs."""
    return {
        "groupName": group,
        "scheduleExpression": "cron(0 3 * * ? *)",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:one",
            "roleArn": role_arn,
        },
        **inputs,
    }


def short_struct(properties):
    """Return properties as a structure without the content of archives.

    The engine sends them so to Diff, Read and Delete, and the old ones to Update.
    """
    short = {
        name: archive(value["hash"]) if wire.is_archive(value) else value
        for name, value in properties.items()
    }
    return wire.to_struct(short)


@dataclass
class Resource:
    """A resource as the engine keeps it in its state."""

    type: str
    name: str
    id: str = ""
    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)


class Engine:
    """The engine's side of the connection to one provider."""

    def __init__(self, stub):
        self.stub = stub

    def urn(self, type_token, name):
        """Return the URN of a resource."""
        return f"urn:pulumi:dev::sample::{type_token}::{name}"

    def check(self, type_token, name, inputs, old_inputs=None, seed=b"seed"):
        """Return the complete inputs, and a reason for each property that is refused."""
        response = self.stub.Check(
            provider_pb2.CheckRequest(
                news=wire.to_struct(inputs),
                olds=wire.to_struct(old_inputs or {}),
                randomSeed=seed,
                **self._names(type_token, name),
            )
        )
        failures = {failure.property: failure.reason for failure in response.failures}
        return wire.from_struct(response.inputs), failures

    def checked(self, type_token, name, inputs, old_inputs=None, seed=b"seed"):
        """Return the complete inputs of a resource. None of them may be refused."""
        complete, failures = self.check(type_token, name, inputs, old_inputs, seed)
        assert failures == {}, f"{type_token} {name}"
        return complete

    def diff(self, resource, inputs):
        """Return the changes between a resource and new, complete inputs."""
        response = self.stub.Diff(
            provider_pb2.DiffRequest(**self._state(resource), news=short_struct(inputs))
        )
        return {
            "changes": provider_pb2.DiffResponse.DiffChanges.Name(response.changes),
            "diffs": list(response.diffs),
            "replaces": list(response.replaces),
            "deleteBeforeReplace": response.deleteBeforeReplace,
        }

    def create(self, type_token, name, inputs):
        """Check and create a resource."""
        complete = self.checked(type_token, name, inputs)
        response = self.stub.Create(
            provider_pb2.CreateRequest(
                properties=wire.to_struct(complete), **self._names(type_token, name)
            )
        )
        outputs = wire.from_struct(response.properties)
        return Resource(type_token, name, response.id, complete, outputs)

    def preview_create(self, type_token, name, inputs):
        """Return the outputs that a preview shows for a new resource."""
        complete = self.checked(type_token, name, inputs)
        response = self.stub.Create(
            provider_pb2.CreateRequest(
                properties=wire.to_struct(complete), preview=True, **self._names(type_token, name)
            )
        )
        assert response.id == "", "the resource does not exist"
        return wire.from_struct(response.properties)

    def update(self, resource, inputs, *, preview=False):
        """Check and update a resource. Return it as it is now, or as a preview shows it."""
        complete = self.checked(resource.type, resource.name, inputs, resource.inputs)
        response = self.stub.Update(
            provider_pb2.UpdateRequest(
                **self._state(resource), news=wire.to_struct(complete), preview=preview
            )
        )
        outputs = wire.from_struct(response.properties)
        return Resource(resource.type, resource.name, resource.id, complete, outputs)

    def read(self, resource):
        """Return the resource as it is now, or None if it does not exist."""
        response = self.stub.Read(
            provider_pb2.ReadRequest(
                id=resource.id,
                inputs=short_struct(resource.inputs),
                properties=short_struct(resource.outputs),
                **self._names(resource.type, resource.name),
            )
        )
        if not response.id:
            return None
        inputs = wire.from_struct(response.inputs)
        outputs = wire.from_struct(response.properties)
        return Resource(resource.type, resource.name, response.id, inputs, outputs)

    def delete(self, resource):
        """Delete a resource."""
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=resource.id,
                old_inputs=short_struct(resource.inputs),
                properties=short_struct(resource.outputs),
                **self._names(resource.type, resource.name),
            )
        )

    def configure(self, **settings):
        """Configure the provider and return its response."""
        return self.stub.Configure(
            provider_pb2.ConfigureRequest(args=wire.to_struct(settings), acceptSecrets=True)
        )

    def _names(self, type_token, name):
        """Return the fields of a request that name a resource."""
        return {"urn": self.urn(type_token, name), "type": type_token, "name": name}

    def _state(self, resource):
        """Return the fields of a request that describe an existing resource."""
        return {
            "id": resource.id,
            "old_inputs": short_struct(resource.inputs),
            "olds": short_struct(resource.outputs),
            **self._names(resource.type, resource.name),
        }


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
    """Return what the engine prints for a call that must fail."""
    try:
        call(*arguments, **named)
    except grpc.RpcError as error:
        return error.details()
    raise AssertionError("the call did not fail")
