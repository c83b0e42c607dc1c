"""A stack deployed to the emulator: start its runs, and read what became of them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import settings
from components.args import RetrainingPipelineArgs
from components.naming import job_prefix
from emulator import Emulator
from emulator.deployer import Deployment, deploy
from emulator.deployer.configuration import read_project

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
PROBE_MINUTES = 0.001
BAD_REQUEST = 400


@dataclass(frozen=True)
class Run:
    """An execution that has ended."""

    arn: str
    execution: Mapping[str, object]
    events: list[Mapping[str, object]]

    @property
    def status(self) -> str:
        """How the execution ended."""
        return self.execution["status"]

    @cached_property
    def report(self):
        """The run's report."""
        return self.output("Report outcome")["outcome"]

    @property
    def outcomes(self) -> dict[str, str] | None:
        """What became of everything: dataset type, solution or campaign -> outcome.

        None where the run could not even report.
        """
        if "Did the run succeed?" not in self.states:
            return None
        found = {each["type"]: each["outcome"] for each in self.report["imports"]}
        for solution in self.report["solutions"]:
            found[solution["solutionArn"]] = solution["outcome"]
            found |= {each["campaignArn"]: each["outcome"] for each in solution["campaigns"]}
        return found

    @property
    def version(self) -> str:
        """The solution version that the run created."""
        return self.output("Create solution version")["version"]["arn"]

    @property
    def states(self) -> list[str]:
        """The names of the states entered, in order; those inside a Map too."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    def output(self, state: str):
        """What the document was after a state, the last time."""
        details = [event.get("stateExitedEventDetails", {}) for event in reversed(self.events)]
        return next(json.loads(each["output"]) for each in details if each.get("name") == state)


@dataclass(frozen=True)
class Stack:
    """One stack, as it runs in an emulator."""

    emulator: Emulator
    name: str
    args: RetrainingPipelineArgs
    deployment: Deployment

    def client(self, service: str):
        """A client as the account's root."""
        return self.emulator.client(service)

    def resources(self, kind: str) -> dict[str, Mapping[str, object]]:
        """What was deployed of a type, `iam/role:Role`: logical name -> inputs and outputs."""
        return {
            each.name: {**each.inputs, **each.outputs}
            for each in self.deployment.resources
            if each.type == f"aws:{kind}"
        }

    def output(self, name: str) -> str:
        """An export of the program."""
        return self.deployment.outputs[name]

    @property
    def prefix(self) -> str:
        """The beginning of the names of all jobs of this stack."""
        groups = self.resources("scheduler/scheduleGroup:ScheduleGroup")
        return job_prefix(groups[f"retraining-{self.name}"]["arn"])

    @property
    def schedule(self) -> tuple[str, str]:
        """The schedule's name and its group's."""
        group, name = self.output("schedule_arn").split(":schedule/")[1].split("/")
        return name, group

    def fire(self, slot: str) -> str:
        """Fire the schedule for a slot; the execution's ARN."""
        name, group = self.schedule
        return self.emulator.fire(name, group, slot)

    def start(self, **request: object) -> str:
        """Start an execution by hand; its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.output("state_machine_arn"), input=json.dumps(request)
        )
        return started["executionArn"]

    def ended(self, execution_arn: str) -> Run:
        """The execution, once it has ended."""
        states = self.client("stepfunctions")
        eventually(
            lambda: states.describe_execution(executionArn=execution_arn)["status"],
            lambda status: status != "RUNNING",
        )
        return self.look(execution_arn)

    def look(self, execution_arn: str) -> Run:
        """The execution as it is now."""
        states = self.client("stepfunctions")
        execution = states.describe_execution(executionArn=execution_arn)
        pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        events = [event for page in pages for event in page["events"]]
        return Run(execution_arn, execution, events)

    def run(self, **request: object) -> Run:
        """Start an execution by hand and wait for its end."""
        return self.ended(self.start(**request))

    def served(self, campaign: str | None = None) -> str:
        """The version that a campaign serves, by default the stack's only one."""
        arn = campaign or str(self.args.solutions[0].campaigns[0].campaign_arn)
        described = self.client("personalize").describe_campaign(campaignArn=arn)
        return described["campaign"]["solutionVersionArn"]

    def version_status(self, arn: str) -> str:
        """A solution version's status; one that stops has stopped."""
        described = self.client("personalize").describe_solution_version(solutionVersionArn=arn)
        return described["solutionVersion"]["status"].replace("STOPPING", "STOPPED")

    def steps(self, run: Run) -> list[str]:
        """The steps of the state machine that logged something since a run began."""
        since = run.execution["startDate"]
        return sorted({each["step"] for each in self.log(since) if "step" in each} - {"close_run"})

    def closed(self, run: Run) -> list[Mapping[str, object]]:
        """What `close_run` logged of a run that was planned."""
        run_id = run.output("Plan retraining")["run"]["id"]
        return self.closed_by(run_id, run.execution["startDate"])

    def closed_by(self, run_id: str, since: datetime) -> list[Mapping[str, object]]:
        """What `close_run` logged of a run by its id."""
        wanted = ("close_run", run_id)
        return [each for each in self.log(since) if (each.get("step"), each.get("runId")) == wanted]

    def log(self, since: datetime | None = None) -> list[Mapping[str, object]]:
        """What is in the functions' log group, in order; what is no JSON, as `text`."""
        start = 0 if since is None else int(since.timestamp() * 1000)
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.output("log_group_name"), startTime=start)
        )
        events = [event for page in pages for event in page["events"]]
        return [_parsed(each["message"]) for each in sorted(events, key=lambda e: e["timestamp"])]

    def refused(self) -> list[Mapping[str, object]]:
        """The calls so far that were not answered as they should."""
        return [call for call in self.emulator.calls() if call["status"] >= BAD_REQUEST]

    def dead_letters(self) -> list[Mapping[str, object]]:
        """Take what is in the dead-letter queue: body, and attributes by name."""
        sqs, queue = self.client("sqs"), self.output("dead_letter_queue_url")
        taken = []
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for each in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
                attributes = each.get("MessageAttributes", {})
                values = {name: value["StringValue"] for name, value in attributes.items()}
                taken.append({"body": json.loads(each["Body"]), **values})
        return taken


def _short_probes() -> dict[str, str]:
    solutions = json.loads(
        read_project(PROJECT, "dev", {}).config["personalize-retraining:solutions"]
    )
    for solution in solutions:
        for campaign in solution["campaigns"]:
            campaign["probe"]["minutes"] = PROBE_MINUTES
    return {"solutions": json.dumps(solutions)}


SHORT_PROBES = _short_probes()
"""What differs from the sample stack's file: its campaigns are asked for less than a second."""


def deployed(emulator: Emulator, name: str, project: Path = PROJECT, **config: str) -> Stack:
    """Deploy a stack, with some of its config overridden; the resources it names are there."""
    read = read_project(project, name, config)
    args = settings.parse_stack(read.name, name, read.config)
    made = deploy(name, endpoint=emulator.endpoint, project_dir=project, config=config)
    return Stack(emulator, name, args, made)


def eventually(look, enough):
    """The first look that is enough."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        seen = look()
        if enough(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen} after {PATIENCE_SECONDS} s"
        time.sleep(0.03)


def _parsed(message: str) -> Mapping[str, object]:
    try:
        return json.loads(message)
    except ValueError:
        return {"text": message}
