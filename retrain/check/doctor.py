"""The command `doctor`: checks what a pipeline needs in its account, and says how to mend it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from botocore.exceptions import ClientError
from rich.text import Text

from functions.common import clock
from functions.common.formatting import format_count
from retrain.account.errors import (
    AWS_ERRORS,
    DENIED_CODES,
    EXIT_FAILED,
    OperatorError,
    aws_error,
    code_of,
)
from retrain.account.output import (
    message_console,
    print_json,
    print_result,
    result_console,
    wrap_text,
)
from retrain.account.permissions import build_operator_policy
from retrain.account.target import PipelineOptions
from retrain.check import caller, data_access, deployed, deployment, parts, readiness
from retrain.check.comparison import compare, explain_comparison
from retrain.check.deployed_account import DeployedAccount
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.findings import Account, Finding
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from types import ModuleType

    from rich.console import Console
    from rich.status import Status

    from retrain.check.comparison import Comparison
    from retrain.check.examined_pipeline import ExaminedPipeline

    Check = Callable[[Any], Iterator[Finding]]

PREREQUISITES = (caller, readiness, data_access, deployment)
"""The modules whose checks do not need a deployed pipeline, in the order of the screen."""
MANY = 4
"""So many resources without a problem are counted instead of named."""
SYMBOLS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "missing": ("✗", "red")}


class CheckResult(NamedTuple):
    """One finding of a check, and the title of the check."""

    title: str
    finding: Finding


@command
def doctor(
    options: PipelineOptions,
    *,
    policy: Annotated[
        bool,
        typer.Option(
            "--policy", help="Print only the IAM policy that all commands need for this pipeline."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Check everything that a pipeline needs in its account, and print how to repair it.

    For example: retrain doctor --stack prod

    The pipeline need not be deployed. Nothing is changed in the account.

    Exit code 0: nothing is missing. There may be warnings.
    Exit code 1: something is missing, or the deployed pipeline cannot be read or compared.
    Exit code 2: the stack's file cannot be used, or there is no pipeline.
    """
    pipeline = find_pipeline(*options)
    if policy:
        print_json(build_operator_policy(pipeline))
        return 0

    results = list(run_checks(pipeline))
    if as_json:
        checks = [{"check": result.title, **result.finding._asdict()} for result in results]
        print_json({"source": pipeline.source, "checks": checks})
    else:
        _print_screen(results)
        _print_gap(pipeline)

    if any(result.finding.level == "missing" for result in results):
        return EXIT_FAILED
    return 0


def run_checks(pipeline: ExaminedPipeline) -> Iterator[CheckResult]:
    """Run all checks. What cannot be read is a warning."""
    caller_arn = pipeline.access.caller()
    now = clock.now()
    with (
        message_console().status("checking the account") as status,
        ThreadPoolExecutor(max_workers=1) as executor,
    ):
        # Pulumi takes some seconds, in which the account is checked.
        running_comparison = executor.submit(compare, pipeline)
        account = Account(pipeline, caller_arn, now)
        for module in PREREQUISITES:
            yield from _run_module(module, account, status)

        if pipeline.target is not None:
            deployed_account = DeployedAccount(pipeline, caller_arn, now, pipeline.target)
            yield from _check_deployed_pipeline(deployed_account, running_comparison, status)


def _check_deployed_pipeline(
    account: DeployedAccount, running_comparison: Future[Comparison | None], status: Status
) -> Iterator[CheckResult]:
    """Check what exists only after a deployment, as far as Pulumi does not compare it."""
    status.update("comparing: pulumi preview --refresh")
    comparison = running_comparison.result()
    for finding in explain_comparison(comparison, account.pipeline):
        yield CheckResult("stack", finding)

    # Pulumi knows better than we do whether each part of the stack still exists.
    if comparison is None or comparison.problem:
        yield from _run_module(parts, account, status)
    yield from _run_module(deployed, account, status)


def _run_module(module: ModuleType, account: Account, status: Status) -> Iterator[CheckResult]:
    """Run each check of a module, in the module's order."""
    for name, check in list(vars(module).items()):
        if name.startswith("check_"):
            title = name.removeprefix("check_").replace("_", " ")
            status.update(f"checking: {title}")
            yield from _run_check(title, check, account)


def _run_check(title: str, check: Check, account: Account) -> Iterator[CheckResult]:
    try:
        for finding in check(account):
            yield CheckResult(title, finding)
    except (*AWS_ERRORS, OperatorError) as error:
        yield CheckResult(title, _explain_error(account.pipeline, error))


def _explain_error(pipeline: ExaminedPipeline, error: Exception) -> Finding:
    """Build the finding of a check that an error has ended."""
    if isinstance(error, ClientError) and code_of(error) in DENIED_CODES:
        text = f"cannot be checked: these credentials may not call {error.operation_name}"
        return Finding("warn", text, pipeline.command("doctor", "--policy"))

    if not isinstance(error, OperatorError):
        error = aws_error(error)
    return Finding("warn", f"cannot be checked: {error.text}", error.command)


def _print_screen(results: Sequence[CheckResult]) -> None:
    """Print a line for each finding, and below it how to mend it. The last line counts them."""
    console = result_console()
    for title, results_of_check in groupby(results, key=attrgetter("title")):
        _print_check(console, title, [result.finding for result in results_of_check])

    counts = Counter(result.finding.level for result in results)
    problems = "No problems"
    if counts["missing"]:
        problems = format_count(counts["missing"], "problem")
    warnings = format_count(counts["warn"], "warning")
    console.print(f"{problems}, {warnings}, {counts['ok']} ok.")


def _print_gap(pipeline: ExaminedPipeline) -> None:
    """Say what was not checked. Otherwise, nobody would notice that its lines are missing."""
    if pipeline.target is None:
        print_result("The deployed pipeline was not checked, because it was not found.")
    elif pipeline.stack is None:
        print_result(
            "Changes by hand and what is not deployed yet were not looked for, because only a "
            "stack can be compared: run `retrain doctor -s STACK` in the folder of the project."
        )


def _print_check(console: Console, title: str, findings: Sequence[Finding]) -> None:
    """Print the findings of a check. What is intact comes last, in one line."""
    _print_faults(console, title, [finding for finding in findings if finding.level != "ok"])

    intact = [finding.text for finding in findings if finding.level == "ok"]
    if len(intact) >= MANY:
        intact = [f"{len(intact)} ok"]
    if intact:
        _print_finding(console, title, Finding("ok", "; ".join(intact)))


def _print_faults(console: Console, title: str, faults: Sequence[Finding]) -> None:
    """Print faults with the commands that mend them.

    Faults in a row that the same command mends share one line with it, below the last of them.
    """
    for command_to_mend, similar_faults in groupby(faults, key=attrgetter("command")):
        for fault in similar_faults:
            _print_finding(console, title, fault)
        if command_to_mend:
            console.print(f"  {command_to_mend}", style="cyan", soft_wrap=True)


def _print_finding(console: Console, title: str, finding: Finding) -> None:
    """Print a finding. A terminal shows its level as a symbol, and breaks its lines."""
    symbol, colour = SYMBOLS[finding.level]
    if not console.is_terminal:
        symbol = f"{finding.level}:"

    first_line, *more_lines = wrap_text(f"{title}: {finding.text}", max(console.width - 2, 1))
    console.print(Text.assemble((symbol, colour), f" {first_line}"), soft_wrap=True)
    for line in more_lines:
        console.print(f"  {line}", soft_wrap=True)
