"""Plays a scenario on a stage: prepares what goes wrong, starts the runs, sees what came of it."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import settings
from components.rules.stacks import LONGEST_STACK_NAME, pipeline_name
from emulator.deployer.configuration import read_project
from retrain.rehearsal import changes
from retrain.rehearsal import summary as of
from retrain.rehearsal.data.world import RehearsalError
from retrain.rehearsal.judging import Ran, Seen
from retrain.rehearsal.scenarios import IMPORT_SLOTS, Scenario
from retrain.rehearsal.stage import Rehearsal, Stage, set_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PATIENCE_SECONDS = 30
TICK_SECONDS = 0.1


def play(stage: Stage, scenario: Scenario) -> Seen:
    """Play it to its end. Raises RehearsalError and FailedError, and botocore's ClientError."""
    stage.rehearsal.say(f"\nscenario {scenario.name}")
    if scenario.start == "beside another stack":
        return _beside_another_stack(stage)
    before = stage.served()
    stage.dawn(new_data=scenario.new_data, how=scenario.spoil)
    if scenario.trains_automatically:
        _train_automatically(stage)
    with _faults(stage, scenario):
        deliveries = [stage.start()]
        started = list(deliveries)
        if scenario.start == "twice":
            deliveries.append(stage.start())
            stage.rehearsal.say("starting another run by hand")
            started.append(stage.start_by_hand())
        runs = [_followed(stage, each) for each in started]
    return _seen([(stage, before, runs)], deliveries=deliveries)


def _seen(
    stages: Iterable[tuple[Stage, dict[str, str], list[Ran]]],
    *,
    deliveries: Sequence[str] = (),
    strangers: Sequence[str] = (),
) -> Seen:
    """Gather what became of each stack's runs and campaigns."""
    runs: list[Ran] = []
    campaigns: list[of.Served] = []
    versions: dict[str, str] = {}
    unprobed: list[str] = []
    for stage, before, its_runs in stages:
        found = [of.new_versions(run.report) for run in its_runs]
        new = {solution: arn for each in found for solution, arn in each.items()}
        trained = {arn for each in found for arn in each.values()}
        versions |= {
            arn: of.version(stage.personalize, arn, "new").status for arn in sorted(trained)
        }
        campaigns += stage.campaigns(before, new, ask=False)
        runs += its_runs
        unprobed += [
            str(campaign.campaign_arn)
            for solution in stage.rehearsal.args.solutions
            for campaign in solution.campaigns
            if campaign.probe is None
        ]
    return Seen(runs, campaigns, versions, deliveries, strangers, unprobed)


def _followed(stage: Stage, execution_arn: str) -> Ran:
    jobs = stage.follow(execution_arn)
    return Ran(
        execution_arn=execution_arn,
        ended=of.ending_of(stage.states, execution_arn),
        report=of.report_of(stage.states, execution_arn),
        jobs=[each.arn for each in jobs],
    )


@contextmanager
def _faults(stage: Stage, scenario: Scenario) -> Iterator[None]:
    """Order the scenario's faults, and withdraw what is left of them."""
    for fault in scenario.faults:
        stage.emulator.control("POST", "faults", fault)
    yield
    stage.emulator.control("DELETE", "faults")


def _train_automatically(stage: Stage) -> None:
    """Turn automatic training on for every solution, and wait until it is."""
    arns = [str(each.solution_arn) for each in stage.rehearsal.args.solutions]
    for arn in arns:
        stage.personalize.update_solution(solutionArn=arn, performAutoTraining=True)
    give_up = time.monotonic() + PATIENCE_SECONDS
    for arn in arns:
        while not _trains_automatically(stage, arn):
            if time.monotonic() > give_up:
                raise RehearsalError(f"{arn}: automatic training is still off")
            time.sleep(TICK_SECONDS)


def _trains_automatically(stage: Stage, arn: str) -> bool:
    return stage.personalize.describe_solution(solutionArn=arn)["solution"]["performAutoTraining"]


def _beside_another_stack(first: Stage) -> Seen:
    """Deploy a second stack to the same account, and fire both for the same slot."""
    with tempfile.TemporaryDirectory(prefix="second-stack-") as folder:
        second = set_up(_second(first.rehearsal, Path(folder)), first.emulator, beside=True)
    stages = [first, second]
    before = [stage.served() for stage in stages]
    second.slot = first.slot
    for stage in stages:
        stage.dawn()
    stage_runs = [(stage, stage.start()) for stage in stages]
    runs = [[_followed(stage, arn)] for stage, arn in stage_runs]
    return _seen(zip(stages, before, runs, strict=True), strangers=_strangers(stages, runs))


def _second(first: Rehearsal, folder: Path) -> Rehearsal:
    """Write a project with the second stack's config, and read it."""
    project = read_project(first.project_dir, first.stack, first.overrides)
    slots_left = IMPORT_SLOTS - len(first.args.datasets.configured())
    config = changes.second_stack(changes.decoded(project.config, project.name), imports=slots_left)
    stack = changes.another(first.stack, LONGEST_STACK_NAME)
    (folder / "Pulumi.yaml").write_text(
        json.dumps({"name": project.name, "runtime": "python", "main": str(project.program)})
    )
    others = {key: text for key, text in project.config.items() if key.startswith("aws:")}
    own = {f"{project.name}:{key}": value for key, value in config.items()}
    (folder / f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": {**others, **own}}))
    read = read_project(folder, stack, {})
    return replace(
        first,
        stack=stack,
        project_dir=folder,
        args=settings.parse_stack(read.name, stack, read.config),
        overrides={},
    )


def _strangers(stages: Sequence[Stage], runs: Sequence[Sequence[Ran]]) -> list[str]:
    """Give the calls to Personalize by one stack that name something of the other's."""
    owned = [
        _arns(stage) | {job for run in its_runs for job in run.jobs}
        for stage, its_runs in zip(stages, runs, strict=True)
    ]
    found = []
    silent = {stage.rehearsal.stack for stage in stages}
    calls = cast("list[dict[str, object]]", stages[0].emulator.control("GET", "personalize/calls"))
    for call in calls:
        for number, stage in enumerate(stages):
            theirs = owned[1 - number]
            if f":assumed-role/{pipeline_name(stage.rehearsal.stack)}-" in str(call["caller"]):
                silent.discard(stage.rehearsal.stack)
                named = re.findall(r'"(arn:[^"]+)"', json.dumps(call["request"]))
                found += [f"{call['caller']} named {arn}" for arn in named if arn in theirs]
    return [*found, *(f"no call by stack {each} was seen" for each in sorted(silent))]


def _arns(stage: Stage) -> set[str]:
    args = stage.rehearsal.args
    datasets = (str(dataset.dataset_arn) for dataset in args.datasets.configured().values())
    return {*datasets, *stage.served(), *(str(each.solution_arn) for each in args.solutions)}
