"""A stack that is deployed to the emulator: starts its runs, and reads what they did."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from components import settings
from components.args import RetrainingPipelineArgs
from components.naming import derive_job_prefix
from emulator import Emulator
from emulator.deployer.program import Deployment, deploy
from functions.run.execution_data import identify_run
from retrain.account.project_files import read_project

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60
FIRST_POLL_SECONDS = 0.05
LAST_POLL_SECONDS = 0.5
PROBE_MINUTES = 0.001
BAD_REQUEST = 400


@dataclass(frozen=True)
class Run:
    """An execution with its history."""

    arn: str
    execution: Mapping[str, object]
    events: list[Mapping[str, object]]

    @property
    def status(self) -> str:
        """The status of the execution."""
        return self.execution["status"]

    @cached_property
    def report(self):
        """The report of the run."""
        return self.output("Report outcome")["report"]

    @property
    def id(self) -> str:
        """The id of the run."""
        return identify_run(self.output("Configure run")["run"])["id"]

    @property
    def version_arn(self) -> str:
        """The ARN of the solution version that the run created."""
        return self.output("Train solution")["status"]["arn"]

    @property
    def states(self) -> list[str]:
        """The names of the states that were entered, in order, with those inside a Map."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    def output(self, state: str):
        """Return the last output of a state."""
        details = [event.get("stateExitedEventDetails", {}) for event in reversed(self.events)]
        return next(json.loads(each["output"]) for each in details if each.get("name") == state)


@dataclass(frozen=True)
class Stack:
    """A stack in the emulator."""

    emulator: Emulator
    name: str
    args: RetrainingPipelineArgs
    deployment: Deployment

    def client(self, service: str):
        """Return a client with the rights of the account's root."""
        return self.emulator.client(service)

    def resources(self, resource_type: str) -> dict[str, Mapping[str, object]]:
        """Return inputs and outputs of the resources of a type, by their logical names.

        The type is written as in `iam/role:Role`.
        """
        return {
            resource.name: {**resource.inputs, **resource.outputs}
            for resource in self.deployment.resources
            if resource.type == f"aws:{resource_type}"
        }

    def output(self, name: str) -> str:
        """Return an output of the program."""
        return self.deployment.outputs[name]

    @property
    def job_prefix(self) -> str:
        """The beginning of the names of this stack's jobs."""
        groups = self.resources("scheduler/scheduleGroup:ScheduleGroup")
        return derive_job_prefix(groups[f"retraining-{self.name}"]["arn"])

    @property
    def solution_arn(self) -> str:
        """The ARN of the stack's only solution."""
        return str(self.args.solutions[0].solution_arn)

    @property
    def campaign_arn(self) -> str:
        """The ARN of the stack's only campaign."""
        return str(self.args.solutions[0].campaigns[0].campaign_arn)

    def fire(self, slot: str) -> str:
        """Fire the schedule for a slot. Return the ARN of the execution."""
        group, schedule = self.output("schedule_arn").split(":schedule/")[1].split("/")
        return self.emulator.fire(schedule, group, slot)

    def start(self, **request: object) -> str:
        """Start an execution by hand. Return its ARN."""
        execution = self.client("stepfunctions").start_execution(
            stateMachineArn=self.output("state_machine_arn"), input=json.dumps(request)
        )
        return execution["executionArn"]

    def version_arns(self) -> list[str]:
        """Return the versions of the solution, the newest last."""
        listed = self.client("personalize").list_solution_versions(solutionArn=self.solution_arn)
        versions = sorted(listed["solutionVersions"], key=lambda row: row["creationDateTime"])
        return [version["solutionVersionArn"] for version in versions]

    def watch(self) -> None:
        """Call the watcher, as its schedule does every 15 minutes."""
        functions = self.resources("lambda/function:Function")
        (function,) = (
            function for name, function in functions.items() if name.endswith("-watch-pipeline")
        )
        event = json.dumps({"stateMachineArn": self.output("state_machine_arn")})
        self.client("lambda").invoke(FunctionName=function["name"], Payload=event)

    def wait_for(self, execution_arn: str) -> Run:
        """Return an execution after it has ended."""
        states = self.client("stepfunctions")
        eventually(
            lambda: states.describe_execution(executionArn=execution_arn)["status"],
            lambda status: status != "RUNNING",
        )
        return self.read_run(execution_arn)

    def read_run(self, execution_arn: str) -> Run:
        """Return an execution as it is now."""
        states = self.client("stepfunctions")
        execution = states.describe_execution(executionArn=execution_arn)
        pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
        events = [event for page in pages for event in page["events"]]
        return Run(execution_arn, execution, events)

    def run(self, **request: object) -> Run:
        """Start an execution by hand, and return it after it has ended."""
        return self.wait_for(self.start(**request))

    def served_version(self) -> str:
        """Return the ARN of the version that the stack's only campaign serves."""
        described = self.client("personalize").describe_campaign(campaignArn=self.campaign_arn)
        return described["campaign"]["solutionVersionArn"]

    def version_status(self, arn: str) -> str:
        """Return the status of a solution version. STOPPING counts as STOPPED."""
        described = self.client("personalize").describe_solution_version(solutionVersionArn=arn)
        return described["solutionVersion"]["status"].replace("STOPPING", "STOPPED")

    def closing_records(self, run: Run, run_id: str | None = None) -> list[Mapping[str, object]]:
        """Return what `close_run` logged about a run. A run that was not planned needs its id."""
        wanted = ("close_run", run_id or run.id)
        return [each for each in self.log() if (each.get("step"), each.get("runId")) == wanted]

    def log(self) -> list[Mapping[str, object]]:
        """Return the records in the functions' log group, sorted by time.

        A line that is no JSON is returned as `{"text": line}`.
        """
        paginator = self.client("logs").get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=self.output("log_group_name"))
        events = [event for page in pages for event in page["events"]]
        events.sort(key=lambda event: event["timestamp"])
        return [_parse(event["message"]) for event in events]

    def calls(self, action: str = ""):
        """Return the calls by this stack's roles, sorted by time.

        `action` is an action, a service such as `states:`, or the empty string.
        """
        return [
            call
            for call in self.emulator.calls(action)
            if f":assumed-role/retraining-{self.name}-" in call["caller"]
        ]

    def refused_calls(self) -> list[Mapping[str, object]]:
        """Return the calls by this stack's roles that were answered with an error."""
        return [call for call in self.calls() if call["status"] >= BAD_REQUEST]

    def dead_letters(self) -> list[Mapping[str, object]]:
        """Take the messages from the dead-letter queue: the body, and attributes by name."""
        sqs = self.client("sqs")
        queue = self.output("dead_letter_queue_url")
        letters = []
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                attributes = message.get("MessageAttributes", {})
                values = {name: value["StringValue"] for name, value in attributes.items()}
                letters.append({"body": json.loads(message["Body"]), **values})

        return letters


def _short_waits() -> dict[str, str]:
    config = read_project(PROJECT, "dev", {}).config
    solutions = json.loads(config["personalize-retraining:solutions"])
    for solution in solutions:
        for campaign in solution["campaigns"]:
            campaign["probe"]["minutes"] = PROBE_MINUTES
    return {"solutions": json.dumps(solutions)}


SHORT_WAITS = _short_waits()
"""The config of the sample stack with probes that take less than a second."""


def deploy_stack(emulator: Emulator, name: str, project: Path = PROJECT, **config: str) -> Stack:
    """Deploy a stack with some keys of its config replaced.

    The resources that the stack names must exist.
    """
    read = read_project(project, name, config)
    args = settings.parse_stack_config(read.name, name, read.config)
    deployment = deploy(
        name,
        project=read.name,
        program=read.program,
        config=read.config,
        endpoint=emulator.endpoint,
    )
    return Stack(emulator, name, args, deployment)


def eventually(read, is_enough):
    """Call `read` until `is_enough` accepts its result, and return the result.

    The pauses grow, because each call takes time from the emulator.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = FIRST_POLL_SECONDS
    while True:
        result = read()
        if is_enough(result):
            return result
        assert time.monotonic() < deadline, f"still {result} after {DEADLINE_SECONDS} s"
        time.sleep(pause)
        pause = min(1.5 * pause, LAST_POLL_SECONDS)


def _parse(message: str) -> Mapping[str, object]:
    try:
        return json.loads(message)
    except ValueError:
        return {"text": message}
