"""Plays a scenario on a deployed stack, and collects the evidence."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from components import settings
from components.settings import LONGEST_STACK_NAME, pipeline_name
from emulator.deployer.configuration import read_project
from retrain.rehearsal import config_changes, judges
from retrain.rehearsal.deployed_stack import DeployedStack, deploy_stack
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.judges import Evidence
from retrain.rehearsal.runs import campaign_arns, read_version
from retrain.rehearsal.scenarios import IMPORT_SLOTS, Fault, Scenario, ScenarioResult
from retrain.rehearsal.stacks import Stack
from retrain.rehearsal.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from emulator import Emulator
    from retrain.rehearsal.runs import Run

SWITCH_SECONDS = 30
"""The emulator turns on automatic training in less time."""


def play(deployed: DeployedStack, scenario: Scenario) -> ScenarioResult:
    """Play a scenario to its end, and judge it.

    Raises RehearsalError, FailedError, and botocore's ClientError.
    """
    deployed.report(f"\nscenario {scenario.name}")
    if scenario.start == "beside another stack":
        evidence = _play_beside_second_stack(deployed)
    else:
        evidence = _play_alone(deployed, scenario)
    if scenario.judge is judges.rejected:
        evidence = replace(evidence, evaluation_users=deployed.stack.evaluation_users)
    return ScenarioResult(scenario, evidence, list(scenario.judge(evidence)))


def _play_alone(deployed: DeployedStack, scenario: Scenario) -> Evidence:
    """Play a scenario that needs no second stack, and return the evidence."""
    served_before = deployed.served_versions()
    deployed.prepare_run(new_data=scenario.new_data, spoiling=scenario.spoiling)
    if scenario.trains_automatically:
        _turn_on_automatic_training(deployed)
    with _injected(deployed.emulator, scenario.faults):
        deliveries = [deployed.start()]
        executions = list(deliveries)
        if scenario.start == "twice":
            # The second delivery finds the execution that the first delivery started.
            deliveries.append(deployed.start())
            deployed.report("starting another run by hand")
            executions.append(deployed.start_by_hand())
        executions += scenario.disturb(deployed, deliveries[0])
        runs = [deployed.follow(execution_arn) for execution_arn in executions]
    return _collect_evidence(deployed, served_before, runs, deliveries)


def _collect_evidence(
    deployed: DeployedStack,
    served_before: Mapping[str, str],
    runs: Sequence[Run],
    deliveries: Sequence[str] = (),
) -> Evidence:
    """Return the runs, and what they left behind in the account.

    `served_before` has the ARN of the version that each campaign served before the runs, by the
    ARN of the campaign. `deliveries` is described in `Evidence`.
    """
    newest_versions: dict[str, str] = {}
    trained_versions: set[str] = set()
    for run in runs:
        newest_versions |= run.new_versions()
        trained_versions.update(run.new_versions().values())
    return Evidence(
        runs=runs,
        campaigns=deployed.campaigns(served_before, newest_versions),
        version_statuses={
            arn: read_version(deployed.personalize, arn, "new").status
            for arn in sorted(trained_versions)
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
    """Inject faults into the emulator for the block. Remove them when it ends without an error."""
    for fault in faults:
        emulator.control("POST", "faults", fault)
    yield
    emulator.control("DELETE", "faults")


def _turn_on_automatic_training(deployed: DeployedStack) -> None:
    """Turn on automatic training for every solution, and wait until it is on.

    Raises RehearsalError if it is still off after SWITCH_SECONDS.
    """
    personalize = deployed.personalize

    def trains_automatically(arn: str) -> bool:
        response = personalize.describe_solution(solutionArn=arn)
        return response["solution"]["performAutoTraining"]

    for arn in (str(solution.solution_arn) for solution in deployed.stack.args.solutions):
        personalize.update_solution(solutionArn=arn, performAutoTraining=True)
        if not wait_until(partial(trains_automatically, arn), seconds=SWITCH_SECONDS):
            raise RehearsalError(
                f"{arn}: automatic training is still off after {SWITCH_SECONDS} seconds; start the "
                "command again"
            )


def _play_beside_second_stack(first: DeployedStack) -> Evidence:
    """Deploy a second stack to the same account, and fire both schedules for the same slot."""
    with tempfile.TemporaryDirectory(prefix="second-stack-") as folder:
        second_stack = _write_second_stack(first.stack, Path(folder))
        second = deploy_stack(second_stack, first.emulator, first.console)
    second.slot = first.slot
    served_before = [first.served_versions(), second.served_versions()]
    first.prepare_run()
    second.prepare_run()
    executions = [first.start(), second.start()]
    first_evidence, second_evidence = (
        _collect_evidence(deployed, versions, [deployed.follow(execution_arn)])
        for deployed, versions, execution_arn in zip(
            (first, second), served_before, executions, strict=True
        )
    )
    return Evidence(
        runs=[*first_evidence.runs, *second_evidence.runs],
        campaigns=[*first_evidence.campaigns, *second_evidence.campaigns],
        foreign_calls=[
            *_calls_naming(_resource_arns(second, second_evidence), first),
            *_calls_naming(_resource_arns(first, first_evidence), second),
        ],
    )


def _write_second_stack(first: Stack, folder: Path) -> Stack:
    """Write a project with the config of a second stack to a folder. Return the second stack.

    The second stack imports into the slots that the first stack does not use.
    """
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


def _calls_naming(foreign_arns: Collection[str], deployed: DeployedStack) -> Iterator[str]:
    """Yield a message for each call to Personalize in which a stack names a foreign ARN.

    If the stack called nothing, yield a message too, because then the calls prove nothing.
    """
    calls = cast("list[dict[str, object]]", deployed.emulator.control("GET", "personalize/calls"))
    role_prefix = f":assumed-role/{pipeline_name(deployed.stack.name)}-"
    calls_of_stack = [call for call in calls if role_prefix in str(call["caller"])]
    if not calls_of_stack:
        yield f"stack {deployed.stack.name} sent no request to Personalize"
    for call in calls_of_stack:
        for arn in re.findall(r'"(arn:[^"]+)"', json.dumps(call["request"])):
            if arn in foreign_arns:
                yield f"{call['caller']} named {arn}, a resource of the other stack"


def _resource_arns(deployed: DeployedStack, evidence: Evidence) -> set[str]:
    """Return the ARNs of a stack's resources in Personalize, and of the jobs of its runs."""
    args = deployed.stack.args
    return {
        *(str(dataset.dataset_arn) for dataset in args.datasets.configured().values()),
        *(str(solution.solution_arn) for solution in args.solutions),
        *campaign_arns(args),
        *(job.arn for run in evidence.runs for job in run.jobs),
    }
