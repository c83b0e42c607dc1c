"""A Pulumi engine that records the resources of a program, and returns the names that AWS would.

Tests compare the recorded resources, inputs, parents, dependencies and aliases. Neither AWS nor the
provider checks them.
"""

import asyncio
import contextvars
import json
import logging
import time
from threading import Lock
from types import SimpleNamespace
from typing import NamedTuple

from google.protobuf import struct_pb2
from pulumi.runtime import Settings, configure, rpc, set_all_config, stack
from pulumi.runtime.mocks import MockEngine, MockMonitor, Mocks
from pulumi.runtime.proto import resource_pb2

# Pulumi waits again for all outputs whenever one of them is known, which takes a third of the time
# of a deployment. Waiting for the first error has the same result.
stack.asyncio = SimpleNamespace(**{**vars(asyncio), "FIRST_COMPLETED": asyncio.FIRST_EXCEPTION})

PROJECT = "personalize-retraining"
STACK = "dev"
ORGANIZATION = "acme"
ACCOUNT = "123456789012"
REGION = "eu-west-1"
STACK_TYPE = "pulumi:pulumi:Stack"
SCHEDULE_GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"

ARNS = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "aws:cloudwatch/eventRule:EventRule": "events:{region}:{account}:rule/{name}",
    "aws:cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "iam::{account}:role/{name}",
    "aws:lambda/function:Function": "lambda:{region}:{account}:function:{name}",
    "aws:scheduler/schedule:Schedule": "scheduler:{region}:{account}:schedule/group/{name}",
    SCHEDULE_GROUP: "scheduler:{region}:{account}:schedule-group/{name}",
    "aws:sfn/stateMachine:StateMachine": "states:{region}:{account}:stateMachine:{name}",
    "aws:sns/topic:Topic": "sns:{region}:{account}:{name}",
    "aws:sqs/queue:Queue": "sqs:{region}:{account}:{name}",
}


class Registered(NamedTuple):
    """A resource as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict
    dependencies: frozenset
    """The URNs of the resources that are created before."""
    after: frozenset
    """The dependencies that no input refers to."""
    aliases: list
    provider: str
    delete_timeout: str


class Engine(MockMonitor):
    """Records resources under the URNs of the real engine, and refuses a URN that is taken.

    In a preview only the inputs of a resource are known, as before a first deployment.
    """

    def __init__(
        self, *, preview=False, account=ACCOUNT, region=REGION, partition="aws", answers_after=0
    ):
        super().__init__(NoMocks())
        self._answers_after = answers_after
        self.registered = {}
        self.outputs = {}
        self.invokes = []
        self.messages = []
        self._known = not preview
        self._home = {"account": account, "region": region}
        self._partition = partition
        self._lock = Lock()

    def make_urn(self, parent, type_, name):
        """Return the URN of a resource. A stack is not named in the URNs of its children."""
        inside = parent.split("::")[2] if parent else STACK_TYPE
        kind = type_ if inside == STACK_TYPE else f"{inside}${type_}"
        return f"urn:pulumi:{STACK}::{PROJECT}::{kind}::{name}"

    def RegisterResource(self, request):  # noqa: N802  # Pulumi's protocol
        """Record the resource, and return the outputs that AWS would compute."""
        urn = self.make_urn(request.parent, request.type, request.name)
        referred = {
            dependency
            for property_ in request.propertyDependencies.values()
            for dependency in property_.urns
        }
        registered = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
            dependencies=frozenset(request.dependencies),
            after=frozenset(request.dependencies) - referred,
            aliases=list(request.aliases),
            provider=request.provider,
            delete_timeout=request.customTimeouts.delete,
        )
        with self._lock:
            assert urn not in self.registered, f"{urn} is registered twice"
            self.registered[urn] = registered
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.object)
        given = registered.inputs.get("name") or registered.inputs.get("alarmName")
        physical = str(given or f"{request.name}-1234567")
        if self._known and request.custom:
            outputs.update(self._computed(request.type, physical))

        return resource_pb2.RegisterResourceResponse(
            urn=urn,
            id=physical if self._known and request.custom else "",
            object=outputs,
        )

    def _computed(self, type_, physical):
        computed = {"name": physical}
        if type_ in ARNS:
            tail = ARNS[type_].format(**self._home, name=physical)
            computed["arn"] = f"arn:{self._partition}:{tail}"
        if type_ == "aws:lambda/function:Function":
            computed["qualifiedArn"] = f"{computed['arn']}:1"
        if type_ == "aws:sqs/queue:Queue":
            computed["url"] = f"https://queues/{physical}"

        return computed

    def RegisterResourceOutputs(self, request):  # noqa: N802  # Pulumi's protocol
        """Record the outputs of a component, or the exports of the program."""
        with self._lock:
            self.outputs[request.urn] = rpc.deserialize_properties(
                request.outputs, keep_unknowns=True
            )
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request):  # noqa: N802  # Pulumi's protocol
        """Return the account or the region after `answers_after` seconds."""
        time.sleep(self._answers_after)
        with self._lock:
            self.invokes.append(request)
        answer = struct_pb2.Struct()
        answer.update(
            {
                "aws:index/getCallerIdentity:getCallerIdentity": {
                    "accountId": self._home["account"]
                },
                "aws:index/getRegion:getRegion": {"region": self._home["region"]},
            }[request.tok]
        )

        return resource_pb2.ResourceInvokeResponse(**{"return": answer})

    # --- for tests -------------------------------------------------------------------------------

    def all_of(self, type_):
        """Return all resources of a type, by name."""
        return {
            resource.name: resource
            for resource in self.registered.values()
            if resource.type == type_
        }

    def one(self, type_, name):
        """Return the resource with this type and name. There must be exactly one."""
        resources = [
            resource
            for resource in self.registered.values()
            if (resource.type, resource.name) == (type_, name)
        ]
        assert len(resources) == 1, f"{len(resources)} resources {type_} {name}"
        return resources[0]

    def policy(self, name):
        """Return the document of the role policy with this name."""
        return json.loads(self.one("aws:iam/rolePolicy:RolePolicy", name).inputs["policy"])

    @property
    def exports(self):
        """The exports of the program."""
        return self.outputs[self.make_urn("", STACK_TYPE, f"{PROJECT}-{STACK}")]


class NoMocks(Mocks):
    """Mocks that are never called, because the engine returns the outputs itself."""

    def call(self, args):
        """Raise NotImplementedError."""
        raise NotImplementedError(args.token)

    def new_resource(self, args):
        """Raise NotImplementedError."""
        raise NotImplementedError(args.typ)


class _Messages(logging.Handler):
    def __init__(self, messages):
        super().__init__()
        self._messages = messages

    def emit(self, record):
        if record.levelno > logging.DEBUG:
            self._messages.append(record.getMessage())


def run(program, *, preview=False, config=None, **options):
    """Run a program to its end, and return the engine that recorded it.

    `options` are those of the engine. An error in the program is raised.
    """
    engine = Engine(preview=preview, **options)
    logger = logging.Logger("pulumi-program")  # noqa: LOG001  # no other run uses it
    logger.addHandler(_Messages(engine.messages))

    async def deploy():
        configure(
            Settings(
                monitor=engine,
                engine=MockEngine(logger),
                project=PROJECT,
                stack=STACK,
                dry_run=preview,
                organization=ORGANIZATION,
            )
        )
        set_all_config(config or {}, [])
        await stack.run_in_stack(program)

    # A new loop and a new context keep Pulumi's global state out of the next run.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        # Each resource leaves the error of the program to the loop, which would write it out.
        runner.get_loop().set_exception_handler(lambda _loop, _context: None)
        runner.run(deploy(), context=contextvars.Context())
    return engine
