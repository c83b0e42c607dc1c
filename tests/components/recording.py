"""A Pulumi engine that records what a program registers, and answers as AWS would name it.

Proves what the program asks the engine for: exact resources, inputs, parents, dependencies,
aliases. It does not prove that AWS accepts it, nor does it run the provider's checks.
"""

import asyncio
import contextvars
import json
import logging
import time
from threading import Lock
from typing import NamedTuple

from google.protobuf import struct_pb2
from pulumi.runtime import Settings, configure, rpc, set_all_config
from pulumi.runtime.mocks import MockEngine, MockMonitor, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

PROJECT, STACK, ORGANIZATION = "personalize-retraining", "dev", "acme"
ACCOUNT, REGION = "123456789012", "eu-west-1"
STACK_TYPE = "pulumi:pulumi:Stack"
SCHEDULE_GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"

ARNS = {
    "aws:cloudwatch/eventRule:EventRule": "events:{region}:{account}:rule/{name}",
    "aws:cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "iam::{account}:role/{name}",
    "aws:lambda/function:Function": "lambda:{region}:{account}:function:{name}",
    "aws:scheduler/schedule:Schedule": "scheduler:{region}:{account}:schedule/group/{name}",
    SCHEDULE_GROUP: "scheduler:{region}:{account}:schedule-group/{name}",
    "aws:sfn/stateMachine:StateMachine": "states:{region}:{account}:stateMachine:{name}",
    "aws:sqs/queue:Queue": "sqs:{region}:{account}:{name}",
}


class Registered(NamedTuple):
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict
    dependencies: frozenset
    aliases: list
    provider: str
    delete_timeout: str
    ignored: list


class Engine(MockMonitor):
    """Registers, gives URNs as the real engine does, and refuses a URN that is taken.

    In a preview nothing but the inputs is known of a resource, as before a first deployment.
    """

    def __init__(self, *, preview, account, region, partition, answers_after=0):
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
        """Give the URN, in which the stack as a parent is left out."""
        inside = parent.split("::")[2] if parent else STACK_TYPE
        kind = type_ if inside == STACK_TYPE else f"{inside}${type_}"
        return f"urn:pulumi:{STACK}::{PROJECT}::{kind}::{name}"

    def RegisterResource(self, request):  # noqa: N802  # Pulumi's protocol
        """Record the resource and answer with what AWS would compute."""
        urn = self.make_urn(request.parent, request.type, request.name)
        registered = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
            dependencies=frozenset(request.dependencies),
            aliases=list(request.aliases),
            provider=request.provider,
            delete_timeout=request.customTimeouts.delete,
            ignored=list(request.ignoreChanges),
        )
        with self._lock:
            assert urn not in self.registered, f"{urn} is registered twice"
            self.registered[urn] = registered
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.object)
        physical = str(registered.inputs.get("name") or f"{request.name}-1234567")
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
        """Record the outputs of a component, or the program's exports."""
        with self._lock:
            self.outputs[request.urn] = rpc.deserialize_properties(
                request.outputs, keep_unknowns=True
            )
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request):  # noqa: N802  # Pulumi's protocol
        """Answer whose credentials and which region these are, `answers_after` seconds later."""
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

    # --- what a test asks ------------------------------------------------------------------------

    def all_of(self, type_):
        """Give all resources of a type, by name."""
        return {each.name: each for each in self.registered.values() if each.type == type_}

    def one(self, type_, name):
        """Give the one resource with this type and name."""
        found = [
            each for each in self.registered.values() if (each.type, each.name) == (type_, name)
        ]
        assert len(found) == 1, f"{len(found)} resources {type_} {name}"
        return found[0]

    def policy(self, name):
        """Give the document of the role policy with this name."""
        return json.loads(self.one("aws:iam/rolePolicy:RolePolicy", name).inputs["policy"])

    def trust(self, name):
        """Give the trust policy of the role with this name."""
        return json.loads(self.one("aws:iam/role:Role", name).inputs["assumeRolePolicy"])

    @property
    def exports(self):
        """What the program exports."""
        return self.outputs[self.make_urn("", STACK_TYPE, f"{PROJECT}-{STACK}")]


class NoMocks(Mocks):
    """Never asked: the engine answers itself."""

    def call(self, args):
        """Refuse."""
        raise NotImplementedError(args.token)

    def new_resource(self, args):
        """Refuse."""
        raise NotImplementedError(args.typ)


class _Messages(logging.Handler):
    def __init__(self, messages):
        super().__init__()
        self._messages = messages

    def emit(self, record):
        if record.levelno > logging.DEBUG:
            self._messages.append(record.getMessage())


def run(
    program,
    *,
    preview=False,
    account=ACCOUNT,
    region=REGION,
    partition="aws",
    answers_after=0,
    config=None,
):
    """Run a program to its end, and give the engine that recorded it; raises what it raises."""
    engine = Engine(
        preview=preview,
        account=account,
        region=region,
        partition=partition,
        answers_after=answers_after,
    )
    logger = logging.Logger("pulumi-program")  # noqa: LOG001  # one run's own, kept nowhere
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
        await run_in_stack(program)

    # A loop and a context of its own: nothing of Pulumi's global state outlives the run.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(deploy(), context=contextvars.Context())
    return engine
