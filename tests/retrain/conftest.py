"""The command line and the rehearsal do what their help says.

With the command's entry points, botocore's Stubber, and a double of the emulator. Does not prove
AWS.
"""

import json
import signal
from dataclasses import dataclass, field
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber
from rich.console import Console

from emulator import EmulatorError
from emulator.deployer.program import Deployment
from retrain.rehearsal import deployed_stack, stacks
from tests.program.sample_stack import CAMPAIGN, PROJECT_FILE, REGION, ROOT, SOLUTION, texts
from tests.retrain.builders import (
    EXECUTION,
    EXECUTION_BY_HAND,
    NEW,
    OLD,
    OUTPUTS,
    import_job,
    run_report,
    solution_report,
)

SLOTS = ("2026-11-30T03:00:00+00:00", "2026-12-07T03:00:00+00:00")
SERVICES = ("personalize", "personalize-runtime", "stepfunctions", "logs")


@dataclass
class FakeEmulator:
    """A double of the emulator that records what it is asked for."""

    account: str = "123456789012"
    region: str = REGION
    endpoint: str = "http://127.0.0.1:1"
    lifetime: int = 1_000_000
    """The number of times that it is asked whether it is alive before it dies."""
    refusal: str | None = None
    """The message with which it refuses to fire a schedule."""
    calls_to_personalize: list = field(default_factory=list)
    requests: list = field(default_factory=list)

    @property
    def exports(self):
        """The environment variables for the AWS CLI."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": self.region}

    @property
    def connection(self):
        """The arguments for boto3's clients, which send nothing in these tests."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }

    def alive(self):
        """Return True until the lifetime is over."""
        self.lifetime -= 1
        return self.lifetime >= 0

    def fire(self, schedule, group, slot):
        """Start an execution, or refuse."""
        self.requests.append(("fire", schedule, group, slot))
        if self.refusal:
            raise EmulatorError(self.refusal)
        return EXECUTION

    def control(self, method, path, document=None):
        """Record the request. Return the calls to Personalize."""
        self.requests.append((method, path, document))
        return self.calls_to_personalize


@pytest.fixture
def project(tmp_path):
    """Return a function that writes the sample stack with changes, and returns its folder."""
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))

    def write(stack_name="dev", **changes):
        config = json.dumps({"config": texts(changes)})
        (tmp_path / f"Pulumi.{stack_name}.yaml").write_text(config)
        return tmp_path

    return write


@pytest.fixture
def services(monkeypatch):
    """Replace the emulator and the services below a deployed stack. Return what they record."""
    records = SimpleNamespace(
        emulator=FakeEmulator(),
        resources_of=[],
        deployments=[],
        exports=[],
        slots=list(SLOTS),
        earlier_slots=[],
    )

    def deploy(name, **options):
        records.deployments.append((name, options["config"]))
        return Deployment(OUTPUTS, [])

    def next_slot(_emulator, _schedule_arn, after):
        records.earlier_slots.append(after)
        return records.slots.pop(0)

    replacements = {
        "create_resources": lambda _emulator, args, *_: records.resources_of.append(args),
        "deploy": deploy,
        "next_slot": next_slot,
        "write_newer_exports": lambda *_, **options: records.exports.append(options),
        "follow_jobs": lambda *_: [import_job(arn=NEW)],
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(deployed_stack, name, replacement)
    report = run_report(solution_report(SOLUTION))
    answers = {
        "read_served_versions": lambda *_: {CAMPAIGN: OLD},
        "read_newest_versions": lambda *_: {SOLUTION: OLD},
        "read_ending": lambda *_: "SUCCEEDED",
        "read_report": lambda *_: report,
        "read_steps": lambda *_: [],
        "recommended_to": lambda *_: ["film-001"],
    }
    for name, answer in answers.items():
        monkeypatch.setattr(deployed_stack.runs, name, answer)

    def read_version(_personalize, arn, age):
        return deployed_stack.runs.Version(arn, age, "ACTIVE", {})

    monkeypatch.setattr(deployed_stack.runs, "read_version", read_version)
    monkeypatch.setattr("retrain.rehearsal.play.read_version", read_version)
    return records


@pytest.fixture
def deployed(services, project, monkeypatch):
    """Return the sample stack as a deployed stack."""
    folder = project()
    with stacks.open_stack(folder, "dev", None) as stack:
        deployed_dev = deployed_stack.deploy_stack(stack, services.emulator, Console(quiet=True))
    monkeypatch.setattr(deployed_dev, "start_by_hand", lambda: EXECUTION_BY_HAND)
    return deployed_dev


@pytest.fixture(scope="session")
def clients():
    """Create the clients once, because this takes a while."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    return {name: boto3.client(name, region_name=REGION, **keys) for name in SERVICES}


@pytest.fixture
def respond(clients):
    """Return a function that adds a response of a service.

    Every request must be made, in this order. Stubber refuses fields that the real API lacks.
    """
    stubbers = {name: Stubber(client) for name, client in clients.items()}
    for stubber in stubbers.values():
        stubber.activate()

    def add_response(service, operation, response, /, **request):
        stubbers[service].add_response(operation, response, request)

    yield add_response
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()
        stubber.deactivate()


@pytest.fixture
def restored_signals():
    """Restore the handlers of the signals after the test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
