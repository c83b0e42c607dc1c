"""Does with a resource what Pulumi's engine does with it, and speaks to a provider over gRPC."""

import contextlib
import tempfile
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from emulator.deployer import lifecycle, wire
from emulator.deployer.aws import Aws
from emulator.deployer.check import check_inputs
from emulator.deployer.diff import compare_inputs
from emulator.deployer.provider import serve
from emulator.deployer.resources import RESOURCE_TYPES
from emulator.deployer.service import Provider

UNKNOWN = wire.UNKNOWN
FOLDER = tempfile.TemporaryDirectory()
"""The folder of all zip files."""


class Type(StrEnum):
    """Type tokens of resources."""

    FUNCTION = "aws:lambda/function:Function"
    GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
    LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
    MACHINE = "aws:sfn/stateMachine:StateMachine"
    PERMISSION = "aws:lambda/permission:Permission"
    QUEUE = "aws:sqs/queue:Queue"
    ROLE = "aws:iam/role:Role"
    ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
    RULE = "aws:cloudwatch/eventRule:EventRule"
    SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
    SCHEDULE = "aws:scheduler/schedule:Schedule"
    TOPIC = "aws:sns/topic:Topic"
    TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"


def archive(digest, code=None):
    """Return the archive of a zip file as the engine sends it. Without code, it has no content."""
    named = {wire.SIGNATURE: wire.ARCHIVE, "hash": digest}
    if code is None:
        return named
    path = Path(FOLDER.name, f"{zlib.crc32(code.encode())}.zip")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("work.py"), code)
    return {**named, "path": str(path)}


def function_inputs(role_arn, code, **inputs):
    """Return the inputs of a function with this role and archive, and with these other inputs."""
    required = {"handler": "work.handler", "runtime": "python3.12"}
    return {"role": role_arn, "code": code, **required, **inputs}


def short(properties):
    """Return properties as the engine keeps them, without the content of archives."""
    return {
        name: archive(value["hash"]) if wire.is_archive(value) else value
        for name, value in properties.items()
    }


class Resource(NamedTuple):
    """A resource as the engine keeps it in its state."""

    type: str
    name: str
    id: str
    inputs: dict
    outputs: dict


class Engine:
    """Calls what a provider calls for a request of Pulumi's engine."""

    def __init__(self, aws, **default_tags):
        self.aws = Aws(aws.endpoint, aws.account, aws.region)
        self.default_tags = default_tags

    def check(self, type_token, name, inputs, old_inputs=None, seed=b"seed"):
        """Return the complete inputs, and a reason for each input that is refused."""
        return check_inputs(
            RESOURCE_TYPES[type_token],
            inputs,
            self.default_tags,
            logical_name=name,
            seed=seed,
            old_inputs=old_inputs or {},
        )

    def checked(self, *arguments, **named):
        """Return the complete inputs of a resource. None of them may be refused."""
        complete, refused = self.check(*arguments, **named)
        assert refused == {}, arguments
        return complete

    def diff(self, resource, inputs):
        """Return the changes between a resource and new inputs."""
        new_inputs = self.checked(resource.type, resource.name, inputs, resource.inputs)
        return compare_inputs(RESOURCE_TYPES[resource.type], resource.inputs, short(new_inputs))

    def preview(self, type_token, name, inputs, old=None):
        """Return the outputs that a preview shows for a new resource, or for one that exists."""
        old_inputs, old_outputs = (old.inputs, old.outputs) if old else ({}, {})
        complete = self.checked(type_token, name, inputs, old_inputs)
        return lifecycle.plan_outputs(RESOURCE_TYPES[type_token], old_inputs, old_outputs, complete)

    def create(self, type_token, name, inputs):
        """Check and create a resource."""
        complete = self.checked(type_token, name, inputs)
        identifier, _, outputs = lifecycle.create_resource(
            RESOURCE_TYPES[type_token], complete, self.aws
        )
        return Resource(type_token, name, identifier, short(complete), short(outputs))

    def update(self, resource, inputs):
        """Check and update a resource. Return it as it is now."""
        complete = self.checked(resource.type, resource.name, inputs, resource.inputs)
        resource_type = RESOURCE_TYPES[resource.type]
        outputs = lifecycle.update_resource(
            resource_type, resource.id, resource.inputs, complete, self.aws
        )
        return resource._replace(inputs=short(complete), outputs=short(outputs))

    def read(self, resource):
        """Return the inputs and the outputs of a resource now, or None if it does not exist."""
        found = lifecycle.read_resource(
            RESOURCE_TYPES[resource.type], resource.id, resource.inputs, self.default_tags, self.aws
        )
        return found and resource._replace(inputs=found.inputs, outputs=found.outputs)

    def delete(self, resource):
        """Delete a resource."""
        lifecycle.delete_resource(
            RESOURCE_TYPES[resource.type], resource.id, resource.inputs, self.aws
        )


@contextlib.contextmanager
def provider(endpoint, **environment):
    """Serve a provider that is not configured, and yield a client of it."""
    server, port = serve(Provider({"AWS_ENDPOINT_URL": endpoint, **environment}))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    server.stop(None).wait()
