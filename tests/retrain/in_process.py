"""An account with a pipeline in this process, on virtual time, for the commands of `retrain`.

    with account(MOVIES) as prod:               # the stack `prod` at the time of its slot
        prod.pipeline.run()                     # what happens in the account (tests/workflow)
        prod.retrain("history")                 # (exit code, stdout, stderr)
        golden("history.txt", prod.transcript("history", "history --json"))

Personalize, Step Functions, S3 and STS answer as in the emulator. Every other service denies every
request, as it would to somebody without permissions.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

import boto3

from components.args import to_config
from retrain import cli
from retrain.account import access, function_clients, pulumi_cli, target
from retrain.account.errors import OperatorError
from tests.program.sample_stack import PROJECT_FILE, ROOT
from tests.workflow.clients import shared_clients
from tests.workflow.pipeline import Pipeline, deploy
from tests.world import ACCOUNT, REGION, DatasetGroup

STACK = "prod"
UNCHANGED = {
    "steps": [
        {
            "op": "refresh",
            "urn": "personalize-retraining:index:RetrainingPipeline$aws:sns/topic:Topic::reports",
            "oldState": {},
        }
    ]
}
"""The preview of a stack that is as deployed."""
CALLER = f"arn:aws:iam::{ACCOUNT}:user/ops"


class Result(NamedTuple):
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The JSON document on stdout."""
        return json.loads(self.out)


@dataclass
class Account:
    """An account with the pipeline of the stack `prod`."""

    pipeline: Pipeline
    folder: Path
    """The folder with the project and the file of the stack."""
    services: dict[str, object] = field(default_factory=dict)
    """The clients of services that a test adds or replaces, by boto3's name of the service."""
    previews: dict[bool, object] = field(default_factory=dict)
    """Whether AWS is read -> the preview of the Pulumi CLI, or why there is none. Without one,
    Pulumi would change nothing."""
    state: dict[str, object] = field(default_factory=dict)
    """The state of the stack after the preview."""

    def client(self, service: str, **_: object):
        """Return the client of a service, as a session of boto3 does."""
        clients = {
            "personalize": shared_clients()["operator"],
            "personalize-runtime": shared_clients()["personalize_runtime_client"],
            "stepfunctions": shared_clients()["stepfunctions"],
            "s3": _S3(self.pipeline.bucket),
            "sts": SimpleNamespace(get_caller_identity=lambda: {"Arn": CALLER}),
            **self.services,
        }

        return clients[service] if service in clients else _denied(service)

    def preview(self, _stack: str, *, refresh: bool, **_: object):
        """Return the preview of the Pulumi CLI, or raise the error without one."""
        document = self.previews.get(refresh, UNCHANGED)
        if isinstance(document, OperatorError):
            raise document
        return document

    def retrain(self, command: str) -> Result:
        """Run a command on the stack, written as in a shell. Return what it prints."""
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            code = cli.main(shlex.split(command))
        return Result(code, out.getvalue(), err.getvalue())

    def transcript(self, *commands: str) -> str:
        """Run commands. Return what a person would see: stdout, then stderr, then the exit code."""
        return "\n".join(_shown(command, self.retrain(command)) for command in commands)


@contextmanager
def account(group: DatasetGroup | None = None, **options: object) -> Iterator[Account]:
    """Deploy a dataset group as the stack `prod`. `options` are those of `deploy`."""
    with TemporaryDirectory() as name, deploy(group, **options) as pipeline:
        folder = Path(name)
        project = {**PROJECT_FILE, "main": str(ROOT)}
        (folder / "Pulumi.yaml").write_text(json.dumps(project))
        config = to_config(pipeline.args, keep_none=False)
        keys = {f"{project['name']}:{key}": value for key, value in config.items()}
        stack = {"config": {"aws:region": REGION, **keys}}
        (folder / f"Pulumi.{STACK}.yaml").write_text(json.dumps(stack))

        account = Account(pipeline, folder)
        outputs = {"state_machine_arn": pipeline.machine.arn}
        with (
            patch.object(access.Access, "session", account),
            patch.object(function_clients, "CLIENT_FACTORIES", ()),
            patch.object(target, "read_outputs", lambda _: outputs),
            patch.object(pulumi_cli, "PROJECT_DIR", folder),
            patch.object(pulumi_cli, "preview", account.preview),
            patch.object(pulumi_cli, "read_state", lambda _: account.state),
        ):
            yield account


class _S3:
    """A client that lists and reads the exports, and gets AccessDenied for all other requests."""

    def __init__(self, bucket):
        self.bucket = bucket

    def __getattr__(self, name: str):
        return getattr(self.bucket if hasattr(self.bucket, name) else _denied("s3"), name)


def _shown(command: str, result: Result) -> str:
    code = f"(exit code {result.code})\n" if result.code else ""
    return f"$ retrain {command}\n{result.out}{result.err}{code}"


@cache
def _denied(service: str):
    """Return a client that gets AccessDenied for every request."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    client = boto3.client(service, region_name=REGION, **keys)
    client.meta.events.register("before-call", _deny)
    return client


def _deny(model, **_: object):
    """Return the response to a request without permission, so that botocore sends nothing."""
    message = f"{CALLER} may not call {model.name}"
    return SimpleNamespace(status_code=403), {
        "Error": {"Code": "AccessDenied", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
