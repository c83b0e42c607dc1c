"""Rehearses a stack in the emulator: deploys it, runs its pipeline, and plays scenarios."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from emulator import running
from emulator.personalize.timeline import Duration, FixedTimings
from functions.report.text import text_of
from retrain.rehearsal import config_changes
from retrain.rehearsal.commands import (
    ERRORS,
    EXIT_FAILED,
    PROJECT_DIR,
    print_error,
    until_interrupted,
)
from retrain.rehearsal.deployed_stack import deploy_stack
from retrain.rehearsal.errors import FailedError, RehearsalError
from retrain.rehearsal.kept_stack import KeptStack
from retrain.rehearsal.play import play
from retrain.rehearsal.scenarios import Name, Scenario, select
from retrain.rehearsal.screens import (
    print_overview,
    print_progress,
    print_result,
    print_summary,
)
from retrain.rehearsal.shell import FUNCTIONS, export_lines, guide_variables
from retrain.rehearsal.stacks import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from emulator import Emulator
    from retrain.rehearsal.config_changes import Change
    from retrain.rehearsal.deployed_stack import DeployedStack
    from retrain.rehearsal.runs import Summary
    from retrain.rehearsal.scenarios import ScenarioResult
    from retrain.rehearsal.stacks import Stack

TIMINGS = FixedTimings(jobs=Duration(pending=0.3, in_progress=0.7))
"""Seconds that a job takes. They are long enough to see each status of a job."""


class Deployment(NamedTuple):
    """A stack that is deployed to a new emulator, and the scenarios that are played on it."""

    stack: Stack
    scenarios: Sequence[Scenario]
    shows_first_run: bool


@dataclass
class RehearsalResult:
    """The results of a rehearsal so far."""

    first_run: Summary | None = None
    """The first run of the unchanged stack. None if it is not shown."""
    scenarios: list[ScenarioResult] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """True if the first run succeeded and every scenario ended as designed."""
        first_run_succeeded = self.first_run is None or self.first_run.succeeded
        return first_run_succeeded and all(result.is_as_designed for result in self.scenarios)


def rehearse(
    stack_name: str,
    *,
    scenarios: Sequence[Name] = (Name.HAPPY_PATH,),
    keep: bool = False,
    as_json: bool = False,
    data_dir: Path | None = None,
    project_dir: Path = PROJECT_DIR,
) -> int:
    """Rehearse a stack. Return the exit code of the command.

    `data_dir` contains CSV files to use instead of the sample data (`data/custom_data.py`).
    """
    console = Console(quiet=as_json, soft_wrap=True)
    try:
        with open_stack(project_dir, stack_name, data_dir) as stack:
            playable = _select_playable(console, stack, scenarios)
            shows_first_run = bool({Name.HAPPY_PATH, Name.ALL} & set(scenarios))
            deployments = _deployments(stack, playable, shows_first_run=shows_first_run)
            return _rehearse(console, deployments, keep=keep)
    except ERRORS as error:
        return print_error(error)


def _select_playable(console: Console, stack: Stack, names: Sequence[Name]) -> list[Scenario]:
    """Return the scenarios with these names. ALL leaves out scenarios that the stack cannot play.

    Raises RehearsalError if the stack cannot play a scenario that was requested by its name.
    """
    scenarios = select(names)
    obstacles = {
        scenario.name: obstacle
        for scenario in scenarios
        if (obstacle := scenario.obstacle(stack.args)) is not None
    }
    refused = [f"  {name}: {reason}" for name, reason in obstacles.items() if name in names]
    if refused:
        count = "1 scenario" if len(refused) == 1 else f"{len(refused)} scenarios"
        heading = f"{count} that stack {stack.name} cannot play:"
        raise RehearsalError("\n".join([heading, *refused]))
    for name, obstacle in obstacles.items():
        print_progress(console, f"left out: {name}: {obstacle}")
    return [scenario for scenario in scenarios if scenario.name not in obstacles]


def _deployments(
    stack: Stack, scenarios: Sequence[Scenario], *, shows_first_run: bool
) -> list[Deployment]:
    """List a deployment for each config that the scenarios need.

    If a scenario needs the config of the stack's file, or if the first run is shown, the first
    deployment has this config.
    """
    unchanged = [row for row in scenarios if row.change == config_changes.no_change]
    deployments = []
    if shows_first_run or unchanged:
        deployments.append(Deployment(stack, unchanged, shows_first_run))
    scenarios_by_change: dict[Change, list[Scenario]] = {}
    for scenario in scenarios:
        if scenario.change != config_changes.no_change:
            scenarios_by_change.setdefault(scenario.change, []).append(scenario)
    for change, matching in scenarios_by_change.items():
        deployments.append(Deployment(stack.with_change(change), matching, shows_first_run=False))
    return deployments


def _rehearse(console: Console, deployments: Sequence[Deployment], *, keep: bool) -> int:
    """Rehearse one deployment after another, each in a new emulator. Return the exit code.

    With `keep`, the emulator of the last deployment runs until Ctrl-C.
    """
    result = RehearsalResult()
    for deployment in deployments:
        with _running_emulator(console, deployment) as emulator:
            deployed = deploy_stack(deployment.stack, emulator, console)
            first_run = deployed.first_run()
            if deployment.shows_first_run:
                result.first_run = first_run
                print_summary(console, first_run)
            result.scenarios += _play_scenarios(deployed, first_run, deployment.scenarios)
            if deployment is deployments[-1]:
                _print_end(console, deployment.stack.name, result)
                if keep:
                    _keep(deployed, Console(stderr=console.quiet, soft_wrap=True))
    return 0 if result.succeeded else EXIT_FAILED


@contextmanager
def _running_emulator(console: Console, deployment: Deployment) -> Iterator[Emulator]:
    """Run an emulator of the account and the region of a stack during the block."""
    home = deployment.stack.home
    with running(account=home.account, region=home.region, timings=TIMINGS) as emulator:
        print_progress(console, f"account {home.account}, {home.region}: {emulator.endpoint}")
        yield emulator


def _play_scenarios(
    deployed: DeployedStack, first_run: Summary, scenarios: Sequence[Scenario]
) -> list[ScenarioResult]:
    """Play the scenarios and print each result. Raises FailedError if the first run failed."""
    if scenarios and not first_run.succeeded:
        reason = text_of(first_run.report).rstrip() if first_run.report else first_run.ending
        raise FailedError(f"no scenario was played, because the first run failed: {reason}")
    results = []
    for scenario in scenarios:
        try:
            results.append(play(deployed, scenario))
        except ERRORS as error:
            raise FailedError(f"scenario {scenario.name} did not end: {error}") from error
        print_result(deployed.console, results[-1])
    return results


def _print_end(console: Console, stack_name: str, result: RehearsalResult) -> None:
    """Print the result of each scenario, and then which of them failed.

    The console is quiet if the command was called with `--json`. Then print the JSON document.
    """
    if console.quiet:
        document = json.dumps(_json_document(stack_name, result), indent=2, default=str)
        print(document, flush=True)  # noqa: T201  # the output of the command
    elif result.scenarios:
        print_overview(console, result.scenarios)


def _json_document(stack_name: str, result: RehearsalResult) -> dict[str, object]:
    """Return what `--json` prints. The keys are the fields of the dataclasses, in camelCase."""
    document: dict[str, object] = {"stack": stack_name, "succeeded": result.succeeded}
    if result.first_run:
        document |= asdict(result.first_run, dict_factory=_camel_case_keys)
    if result.scenarios:
        document["scenarios"] = [_scenario_document(row) for row in result.scenarios]
    return document


def _scenario_document(result: ScenarioResult) -> dict[str, object]:
    """Return the part of the JSON document about a scenario."""
    return {
        "scenario": result.scenario.name,
        "isAsDesigned": result.is_as_designed,
        "story": result.scenario.story,
        "expected": result.scenario.expected,
        "prevented": result.scenario.prevented,
        "wayOut": None if result.is_as_designed else result.scenario.way_out,
        "messages": result.evidence.messages(),
        "expectations": [
            asdict(expectation, dict_factory=_camel_case_keys)
            for expectation in result.expectations
        ],
        **asdict(result.evidence, dict_factory=_camel_case_keys),
    }


def _camel_case_keys(fields: list[tuple[str, object]]) -> dict[str, object]:
    """Return the names and values of fields as a dict: `solution_arn` becomes `solutionArn`."""
    document = {}
    for name, value in fields:
        first_word, *other_words = name.split("_")
        document["".join([first_word, *map(str.title, other_words)])] = value
    return document


def _keep(deployed: DeployedStack, console: Console) -> None:
    """Print how to use the emulator, and keep it running until Ctrl-C.

    S3 has a newer export, so that the user can start a run by hand. Raises FailedError if the
    emulator dies.
    """
    kept = KeptStack(deployed)
    with until_interrupted(deployed.emulator, while_waiting=kept.refresh):
        kept.write_export()
        variables = {**deployed.emulator.exports, **guide_variables(deployed)}
        console.print(
            "\nThe emulator runs until you press Ctrl-C. Paste these lines into bash in another "
            "shell.\nThen boto3 and the AWS CLI use it, and so do the commands of "
            'docs/operations.md with\n--state-machine-arn "$MACHINE" in place of -s "$STACK":\n\n'
            f"{export_lines(variables)}\n{FUNCTIONS}\n"
            f"S3 has a newer export{kept.place} for a run by hand, and it stays there.\n"
            "To write another one, press Enter here.\n",
            highlight=False,
            markup=False,
        )
