"""The command `doctor`: checks what a pipeline needs in its account, and says how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import ClientError
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from functions import clock
from functions.words import count_text
from retrain.account.errors import (
    AWS_ERRORS,
    DENIED_CODES,
    EXIT_FAILED,
    OperatorError,
    aws_error,
    code_of,
)
from retrain.account.output import message_console, print_json, print_result, result_console
from retrain.account.permissions import policy_of
from retrain.account.target import PipelineOptions
from retrain.check import account as account_checks
from retrain.check import alarms, buckets, data, import_role, keys, operation, quotas
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.findings import Account, Check, Finding
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Level

CHECKS = (
    Check("account and region", account_checks.check_account),
    Check("your permissions", account_checks.check_permissions),
    Check("dataset group", data.check_group),
    Check("datasets and schemas", data.check_datasets),
    Check("solutions and campaigns", data.check_solutions),
    Check("exports", data.check_exports),
    Check("contents of the exports", data.check_schemas),
    Check("bucket policy", buckets.check_bucket_policies),
    Check("KMS key of the exports", keys.check_data_key),
    Check("import role", import_role.check_import_role),
    Check("imports", data.check_imports),
    Check("training modes", data.check_trainings),
    Check("automatic training", data.check_automatic_training),
    Check("automatic deployment", data.check_sync),
    Check("probes", data.check_probes),
    Check("tags", data.check_tags),
    Check("quotas", quotas.check_quotas),
    Check("events of the exports", operation.check_export_events),
    Check("KMS key of the logs", keys.check_log_key),
    Check("deployment", operation.check_deployment),
    Check("schedule", operation.check_schedule),
    Check("newest run", operation.check_last_run),
    Check("alarms", alarms.check_alarms),
    Check("messages", alarms.check_notifications),
)
"""The checks in the order in which they are shown: the account, the data, the pipeline."""
PROGRAMS = ("aws ", "pulumi ", "retrain ")
"""The first word of a command. Any other way to mend a finding is a sentence."""
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
    Exit code 1: something is missing.
    Exit code 2: the stack's file cannot be used, or there is no pipeline.
    """
    pipeline = find_pipeline(*options)
    if policy:
        print_json(policy_of(pipeline))
        return 0
    findings = list(_with_progress(pipeline))
    if as_json:
        print_json(
            {
                "source": pipeline.source,
                "checks": [{"check": title, **row._asdict()} for title, row in findings],
            }
        )
    elif result_console().is_terminal:
        _print_screen(findings)
    else:
        print_result("\n".join(_lines(findings)))
    return EXIT_FAILED if any(row.level == "missing" for _, row in findings) else 0


def _with_progress(pipeline: ExaminedPipeline) -> Iterator[tuple[str, Finding]]:
    """Yield the findings, and show on a terminal which check is running."""
    console = message_console()
    with console.status("checking the account") as status:
        for title, finding in findings_of(pipeline):
            status.update(f"checking: {title}")
            yield title, finding


def findings_of(pipeline: ExaminedPipeline) -> Iterator[tuple[str, Finding]]:
    """Yield the title and each finding of each check.

    Without credentials nothing else can be checked.
    """
    try:
        caller = pipeline.access.caller()
    except AWS_ERRORS as error:
        text, _, fix = str(aws_error(error)).partition("; ")
        yield "credentials", Finding("missing", text, fix or None)
        return
    account = Account(pipeline, caller, clock.now())
    for check in CHECKS:
        for finding in _findings(check, account, pipeline):
            yield check.title, finding


def _findings(check: Check, account: Account, pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Yield the findings of a check. What cannot be read is a warning."""
    try:
        yield from check.run(account)
    except ClientError as error:
        if code_of(error) in DENIED_CODES:
            text = f"cannot be checked: these credentials may not call {error.operation_name}"
            yield Finding("warn", text, pipeline.command("doctor", "--policy"))
        else:
            yield Finding("warn", f"cannot be checked: {aws_error(error)}")
    except AWS_ERRORS as error:
        yield Finding("warn", f"cannot be checked: {aws_error(error)}")
    except OperatorError as error:
        yield Finding("warn", f"cannot be checked: {error}")


def _lines(findings: list[tuple[str, Finding]]) -> Iterator[str]:
    """Yield plain lines with words instead of symbols, for a file or a pipe."""
    for title, finding in findings:
        yield f"{finding.level}: {title}: {finding.text}"
        if finding.fix and finding.level != "ok":
            yield f"  {finding.fix}"
    yield _conclusion(findings)


def _print_screen(findings: list[tuple[str, Finding]]) -> None:
    """Print a line for each finding on a terminal, and below it how to mend it.

    The terminal wraps the commands, so that they can be copied. Sentences are wrapped at words.
    """
    console = result_console()
    last_title = ""
    for title, finding in findings:
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        shown_title = "" if title == last_title else f"{title}: "
        symbol, colour = SYMBOLS[finding.level]
        table.add_row(Text(symbol, colour), Text.assemble((shown_title, "bold"), finding.text))
        print_result(table)
        if finding.fix and finding.level != "ok":
            fix = Text(finding.fix, "cyan")
            if finding.fix.startswith(PROGRAMS):
                console.print(Text("  ").append(fix), soft_wrap=True)
            else:
                console.print(Padding(fix, (0, 0, 0, 2)))
        last_title = title
    console.print()
    print_result(_conclusion(findings))


def _conclusion(findings: list[tuple[str, Finding]]) -> str:
    """Return the counts of the findings."""
    counts: dict[Level, int] = {"ok": 0, "warn": 0, "missing": 0}
    for _, finding in findings:
        counts[finding.level] += 1
    if counts["missing"]:
        return (
            f"{count_text(counts['missing'], 'problem')} to mend before a run can succeed, "
            f"{count_text(counts['warn'], 'warning')}, {counts['ok']} ok."
        )
    return f"No problems, {count_text(counts['warn'], 'warning')}, {counts['ok']} ok."
