"""Plays a scenario on a deployed stack, and collects the evidence."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import settings
from components.rules.stacks import LONGEST_STACK_NAME, pipeline_name
from emulator.deployer.configuration import read_project
from retrain.rehearsal import config_changes
from retrain.rehearsal.deployed_stack import DeployedStack, deploy_stack
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.judges import Evidence, Expectation
from retrain.rehearsal.runs import campaign_arns, read_version
from retrain.rehearsal.scenarios import IMPORT_SLOTS, Fault, Scenario
from retrain.rehearsal.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulator import Emulator
    from retrain.rehearsal.runs import Run

DEADLINE_SECONDS = 30
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ScenarioResult:
    """A scenario that was played, with its evidence and its expectations."""

    scenario: Scenario
    evidence: Evidence
    expectations: Sequence[Expectation]

    @property
    def is_as_designed(self) -> bool:
        """True if all expectations are met."""
        return all(expectation.is_met for expectation in self.expectations)


def play(deployed: DeployedStack, scenario: Scenario) -> ScenarioResult:
    """Play a scenario to its end, and judge it.

    Raises RehearsalError, FailedError, and botocore's ClientError.
    """
    deployed.report(f"\nscenario {scenario.name}")
    if scenario.start == "beside another stack":
        evidence = _play_beside_second_stack(deployed)
    else:
        evidence = _play_alone(deployed, scenario)
    return ScenarioResult(scenario, evidence, list(scenario.judge(evidence)))


def _play_alone(deployed: DeployedStack, scenario: Scenario) -> Evidence:
    previous = deployed.served_versions()
    deployed.prepare_run(new_data=scenario.new_data, spoiling=scenario.spoiling)
    if scenario.trains_automatically:
        _turn_on_automatic_training(deployed)
    with _injected(deployed.emulator, scenario.faults):
        deliveries = [deployed.start()]
        executions = list(deliveries)
        if scenario.start == "twice":
            deliveries.append(deployed.start())
            deployed.report("starting another run by hand")
            executions.append(deployed.start_by_hand())
        runs = [deployed.follow(execution_arn) for execution_arn in executions]
    return _collect(deployed, previous, runs, deliveries)


def _collect(
    deployed: DeployedStack,
    previous: Mapping[str, str],
    runs: Sequence[Run],
    deliveries: Sequence[str] = (),
) -> Evidence:
    """Return the evidence. `previous` has the version that each campaign served before."""
    trained = [run.new_versions() for run in runs]
    arns = sorted({arn for versions in trained for arn in versions.values()})
    newest = {solution: arn for versions in trained for solution, arn in versions.items()}
    return Evidence(
        runs=runs,
        campaigns=deployed.campaigns(previous, newest),
        version_statuses={
            arn: read_version(deployed.personalize, arn, "new").status for arn in arns
        },
        deliveries=deliveries,
        campaigns_without_probe=[
            str(campaign.campaign_arn)
            for solution in deployed.stack.args.solutions
            for campaign in solution.campaigns
            if campaign.probe is None
        ],
    )


@contextmanager
def _injected(emulator: Emulator, faults: Sequence[Fault]) -> Iterator[None]:
    """Inject faults into the emulator during the block."""
    for fault in faults:
        emulator.control("POST", "faults", fault)
    yield
    emulator.control("DELETE", "faults")


def _turn_on_automatic_training(deployed: DeployedStack) -> None:
    """Turn on automatic training for every solution, and wait until it is on."""
    personalize = deployed.personalize
    arns = [str(solution.solution_arn) for solution in deployed.stack.args.solutions]
    for arn in arns:
        personalize.update_solution(solutionArn=arn, performAutoTraining=True)
    deadline = time.monotonic() + DEADLINE_SECONDS
    for arn in arns:
        while not personalize.describe_solution(solutionArn=arn)["solution"]["performAutoTraining"]:
            if time.monotonic() > deadline:
                raise RehearsalError(f"{arn}: automatic training is still off")
            time.sleep(POLL_SECONDS)


def _play_beside_second_stack(first: DeployedStack) -> Evidence:
    """Deploy a second stack to the same account, and fire both schedules for the same slot."""
    with tempfile.TemporaryDirectory(prefix="second-stack-") as folder:
        second_stack = _write_second_stack(first.stack, Path(folder))
        second = deploy_stack(second_stack, first.emulator, first.console)
    second.slot = first.slot
    both = (first, second)
    previous = [deployed.served_versions() for deployed in both]
    for deployed in both:
        deployed.prepare_run()
    executions = [deployed.start() for deployed in both]
    evidence = [
        _collect(deployed, versions, [deployed.follow(execution_arn)])
        for deployed, versions, execution_arn in zip(both, previous, executions, strict=True)
    ]
    return Evidence(
        runs=[run for part in evidence for run in part.runs],
        campaigns=[campaign for part in evidence for campaign in part.campaigns],
        foreign_calls=_foreign_calls(both, evidence),
    )


def _write_second_stack(first: Stack, folder: Path) -> Stack:
    """Write a project with the config of a second stack to a folder, and read it."""
    project = read_project(first.project_dir, first.name, first.overrides)
    free_slots = IMPORT_SLOTS - len(first.args.datasets.configured())
    config = config_changes.second_stack(
        config_changes.decode(project.config, project.name), max_datasets=free_slots
    )
    name = config_changes.second_name(first.name, LONGEST_STACK_NAME)
    (folder / "Pulumi.yaml").write_text(
        json.dumps({"name": project.name, "runtime": "python", "main": str(project.program)})
    )
    provider_config = {key: text for key, text in project.config.items() if key.startswith("aws:")}
    stack_config = {f"{project.name}:{key}": value for key, value in config.items()}
    (folder / f"Pulumi.{name}.yaml").write_text(
        json.dumps({"config": {**provider_config, **stack_config}})
    )
    second = read_project(folder, name, {})
    args = settings.parse_stack(second.name, name, second.config)
    return Stack(name, folder, args, {}, first.data)


def _foreign_calls(both: Sequence[DeployedStack], evidence: Sequence[Evidence]) -> list[str]:
    """List the calls to Personalize by each stack that name a resource of the other stack.

    A stack without any call is listed too, because then the comparison proves nothing.
    """
    calls = cast("list[dict[str, object]]", both[0].emulator.control("GET", "personalize/calls"))
    messages = []
    for deployed, other, other_evidence in zip(both, both[::-1], evidence[::-1], strict=True):
        role_prefix = f":assumed-role/{pipeline_name(deployed.stack.name)}-"
        calls_of_stack = [call for call in calls if role_prefix in str(call["caller"])]
        if not calls_of_stack:
            messages.append(f"stack {deployed.stack.name} made no call")
        foreign_arns = _arns(other, other_evidence)
        for call in calls_of_stack:
            arns = re.findall(r'"(arn:[^"]+)"', json.dumps(call["request"]))
            messages += [f"{call['caller']} named {arn}" for arn in arns if arn in foreign_arns]
    return messages


def _arns(deployed: DeployedStack, evidence: Evidence) -> set[str]:
    """Return the ARNs of a stack's resources in Personalize."""
    args = deployed.stack.args
    return {
        *(str(dataset.dataset_arn) for dataset in args.datasets.configured().values()),
        *(str(solution.solution_arn) for solution in args.solutions),
        *campaign_arns(args),
        *(job.arn for run in evidence.runs for job in run.jobs),
    }
