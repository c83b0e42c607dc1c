"""The command `doctor`: checks what a pipeline needs in its account, and says how to mend it."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated

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
from retrain.check import deployed, prerequisites
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.findings import Account, Finding
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline

CHECKS, CHECKS_OF_DEPLOYED = (
    {
        name.removeprefix("check_").replace("_", " "): check
        for name, check in vars(module).items()
        if name.startswith("check_")
    }
    for module in (prerequisites, deployed)
)
"""The checks of all pipelines, and of those that are deployed, by title in the order of screens."""
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
    Exit code 1: something is missing, or the deployed pipeline cannot be read.
    Exit code 2: the stack's file cannot be used, or there is no pipeline.
    """
    pipeline = find_pipeline(*options)
    if policy:
        print_json(policy_of(pipeline))
        return 0
    findings = list(findings_of(pipeline))
    if as_json:
        checks = [{"check": title, **finding._asdict()} for title, finding in findings]
        print_json({"source": pipeline.source, "checks": checks})
    else:
        _print_screen(findings)
        if pipeline.error:
            print_result("The deployed pipeline was not checked, because it was not found.")
    return EXIT_FAILED if any(finding.level == "missing" for _, finding in findings) else 0


def findings_of(pipeline: ExaminedPipeline) -> Iterator[tuple[str, Finding]]:
    """Yield the title and each finding of each check. What cannot be read is a warning."""
    account = Account(pipeline, pipeline.access.caller(), clock.now())
    checks = {**CHECKS, **(CHECKS_OF_DEPLOYED if pipeline.target else {})}
    with message_console().status("checking the account") as status:
        for title, check in checks.items():
            status.update(f"checking: {title}")
            try:
                for finding in check(account):
                    yield title, finding
            except (*AWS_ERRORS, OperatorError) as error:
                yield title, _unchecked(pipeline, error)


def _unchecked(pipeline: ExaminedPipeline, error: Exception) -> Finding:
    """Return the finding of a check that an error has ended."""
    if isinstance(error, ClientError) and code_of(error) in DENIED_CODES:
        text = f"cannot be checked: these credentials may not call {error.operation_name}"
        return Finding("warn", text, pipeline.command("doctor", "--policy"))

    explained = error if isinstance(error, OperatorError) else aws_error(error)
    return Finding("warn", f"cannot be checked: {explained.text}", explained.command)


def _print_screen(findings: Sequence[tuple[str, Finding]]) -> None:
    """Print a line for each finding, and below it how to mend it. Commands stay in one line."""
    console = result_console()
    width = max(console.width - 2, 1)
    for title, pairs in groupby(findings, key=itemgetter(0)):
        of_check = [finding for _, finding in pairs]
        intact = [finding.text for finding in of_check if finding.level == "ok"]
        ok_text = "; ".join(intact) if len(intact) < MANY else f"{len(intact)} ok"
        faults = [finding for finding in of_check if finding.level != "ok"]
        for finding in [*faults, *([Finding("ok", ok_text)] if intact else [])]:
            symbol, colour = SYMBOLS[finding.level]
            mark = symbol if console.is_terminal else f"{finding.level}:"
            first, *rest = wrapped(f"{title}: {finding.text}", width)
            console.print(Text.assemble((mark, colour), f" {first}"), soft_wrap=True)
            for line in rest:
                console.print(f"  {line}", soft_wrap=True)
            if finding.command:
                console.print(f"  {finding.command}", style="cyan", soft_wrap=True)
    counts = Counter(finding.level for _, finding in findings)
    problems = format_count(counts["missing"], "problem") if counts["missing"] else "No problems"
    console.print(f"{problems}, {format_count(counts['warn'], 'warning')}, {counts['ok']} ok.")
