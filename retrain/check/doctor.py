"""The command `doctor`: checks what a pipeline needs in its account, and says how to mend it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Annotated, Any

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
    wrapped,
)
from retrain.account.permissions import policy_of
from retrain.account.target import PipelineOptions
from retrain.check import deployed, parts, prerequisites
from retrain.check.comparison import compare, explain_comparison
from retrain.check.deployed_account import DeployedAccount
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.findings import Account, Finding
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from rich.console import Console
    from rich.status import Status

    from retrain.check.examined_pipeline import ExaminedPipeline

    Check = Callable[[Any], Iterator[Finding]]

MANY = 4
"""So many resources without a problem are counted, and not named."""
SYMBOLS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "missing": ("✗", "red")}


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
        print_json(policy_of(pipeline))
        return 0

    findings = list(run_checks(pipeline))
    if as_json:
        checks = [{"check": title, **finding._asdict()} for title, finding in findings]
        print_json({"source": pipeline.source, "checks": checks})
    else:
        _print_screen(findings)
        _print_gap(pipeline)

    is_anything_missing = any(finding.level == "missing" for _, finding in findings)
    return EXIT_FAILED if is_anything_missing else 0


def run_checks(pipeline: ExaminedPipeline) -> Iterator[tuple[str, Finding]]:
    """Yield the title and each finding of each check. What cannot be read is a warning."""
    caller = pipeline.access.caller()
    now = clock.now()
    with (
        message_console().status("checking the account") as status,
        ThreadPoolExecutor(max_workers=1) as executor,
    ):
        # Pulumi takes some seconds, in which the account is checked.
        running_comparison = executor.submit(compare, pipeline)
        yield from _run_module(prerequisites, Account(pipeline, caller, now), status)
        if pipeline.target is None:
            return

        status.update("comparing: pulumi preview --refresh")
        comparison = running_comparison.result()
        for finding in explain_comparison(comparison, pipeline):
            yield "stack", finding

        account = DeployedAccount(pipeline, caller, now, pipeline.target)
        # Pulumi knows better than we do whether each part of the stack still exists.
        if comparison is None or comparison.problem:
            yield from _run_module(parts, account, status)
        yield from _run_module(deployed, account, status)


def _run_module(
    module: ModuleType, account: Account, status: Status
) -> Iterator[tuple[str, Finding]]:
    """Run each check of a module, in the module's order."""
    for name, check in list(vars(module).items()):
        if name.startswith("check_"):
            title = name.removeprefix("check_").replace("_", " ")
            status.update(f"checking: {title}")
            yield from _run_check(title, check, account)


def _run_check(title: str, check: Check, account: Account) -> Iterator[tuple[str, Finding]]:
    try:
        for finding in check(account):
            yield title, finding
    except (*AWS_ERRORS, OperatorError) as error:
        yield title, _explain_error(account.pipeline, error)


def _explain_error(pipeline: ExaminedPipeline, error: Exception) -> Finding:
    """Build the finding of a check that an error has ended."""
    if isinstance(error, ClientError) and code_of(error) in DENIED_CODES:
        text = f"cannot be checked: these credentials may not call {error.operation_name}"
        return Finding("warn", text, pipeline.command("doctor", "--policy"))

    explained = error if isinstance(error, OperatorError) else aws_error(error)
    return Finding("warn", f"cannot be checked: {explained.text}", explained.command)


def _print_screen(findings: Sequence[tuple[str, Finding]]) -> None:
    """Print a line for each finding, and below it how to mend it."""
    console = result_console()
    for title, pairs in groupby(findings, key=itemgetter(0)):
        _print_check(console, title, [finding for _, finding in pairs])

    counts = Counter(finding.level for _, finding in findings)
    problems = "No problems"
    if counts["missing"]:
        problems = format_count(counts["missing"], "problem")
    warnings = format_count(counts["warn"], "warning")
    console.print(f"{problems}, {warnings}, {counts['ok']} ok.")


def _print_gap(pipeline: ExaminedPipeline) -> None:
    """Say what was not checked, because what was found there would have been shown."""
    if pipeline.target is None:
        print_result("The deployed pipeline was not checked, because it was not found.")
    elif pipeline.stack is None:
        print_result(
            "Changes by hand and what is not deployed yet were not looked for, because only a "
            "stack can be compared: run `retrain doctor -s STACK` in the folder of the project."
        )


def _print_check(console: Console, title: str, findings: Sequence[Finding]) -> None:
    """Print the findings of a check. What is intact comes last, in one line."""
    faults = [finding for finding in findings if finding.level != "ok"]
    # Faults in a row that the same command mends share one line with it, below the last of them.
    for command_to_mend, group in groupby(faults, key=attrgetter("command")):
        for fault in group:
            _print_finding(console, title, fault)
        if command_to_mend:
            console.print(f"  {command_to_mend}", style="cyan", soft_wrap=True)

    intact = [finding.text for finding in findings if finding.level == "ok"]
    if intact:
        text = "; ".join(intact) if len(intact) < MANY else f"{len(intact)} ok"
        _print_finding(console, title, Finding("ok", text))


def _print_finding(console: Console, title: str, finding: Finding) -> None:
    symbol, colour = SYMBOLS[finding.level]
    mark = symbol if console.is_terminal else f"{finding.level}:"
    first, *rest = wrapped(f"{title}: {finding.text}", max(console.width - 2, 1))
    console.print(Text.assemble((mark, colour), f" {first}"), soft_wrap=True)
    for line in rest:
        console.print(f"  {line}", soft_wrap=True)
