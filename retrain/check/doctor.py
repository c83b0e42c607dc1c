"""The command `doctor`: checks everything that a pipeline needs, and prints repair commands.

A *check* is a function named `check_<title>` that yields *findings*. Checks aren't registered
anywhere: we run every such function in the modules of PREREQUISITES, `resources` and `deployed`.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from botocore.exceptions import ClientError
from rich.text import Text

from functions.common.formatting import format_count
from retrain.account.errors import (
    AWS_ERRORS,
    DENIED_CODES,
    EXIT_FAILED,
    OperatorError,
    explain_aws_error,
    get_error_code,
)
from retrain.account.output import (
    message_console,
    print_json,
    print_result,
    result_console,
    wrap_text,
)
from retrain.account.permissions import build_operator_policy
from retrain.account.pulumi_cli import NotDeployedError
from retrain.account.target import PipelineOptions
from retrain.check import (
    automatic_training,
    caller,
    data_access,
    deployed,
    readiness,
    resources,
)
from retrain.check.comparison import compare, explain_comparison
from retrain.check.deployed_pipeline import to_deployed_pipeline
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.findings import Finding
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from rich.console import Console
    from rich.status import Status

    from retrain.check.examined_pipeline import ExaminedPipeline

    Check: TypeAlias = Callable[[Any], Iterator[Finding]]
    Results: TypeAlias = dict[str, list[Finding]]
    """Title of a check -> its findings. The order is that of the output."""

PREREQUISITES = (caller, readiness, automatic_training, data_access)
"""The modules whose checks don't need a deployed pipeline, in the order of the output."""
MAX_NAMED = 3
"""If a check has more `ok` findings than this, the output only counts them."""
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
    Exit code 2: the stack's file cannot be used, there is no pipeline, or the credentials are of
    another account.
    """
    pipeline = find_pipeline(*options)
    if policy:
        print_json(build_operator_policy(pipeline))
        return 0

    # With other credentials, every check would fail or look at the wrong account.
    pipeline.access.require_account(
        pipeline.environment.account, f"the pipeline of {pipeline.source}"
    )

    results = run_checks(pipeline)
    if as_json:
        print_json({"source": pipeline.source, "checks": list(_list_rows(results))})
    else:
        _print_results(results)
        _explain_skipped_checks(pipeline)

    if _count_levels(results)["missing"]:
        return EXIT_FAILED
    return 0


def run_checks(pipeline: ExaminedPipeline) -> Results:
    """Run all checks, and have Pulumi compare the stack."""
    with (
        message_console().status("checking the account") as status,
        ThreadPoolExecutor(max_workers=1) as executor,
    ):
        # Pulumi takes several seconds, so check the account in the meantime.
        future_comparison = executor.submit(compare, pipeline)
        results = _run_module_checks(PREREQUISITES, pipeline, status)
        results["deployment"] = [_describe_deployment(pipeline)]
        if pipeline.target is None:
            return results

        status.update("comparing: pulumi preview --refresh")
        comparison = future_comparison.result()
        results["stack"] = list(explain_comparison(comparison, pipeline))

        modules = [deployed]
        # If Pulumi could compare, it has already reported every resource that is gone.
        if not comparison.resource_count:
            modules = [resources, deployed]
        return results | _run_module_checks(modules, to_deployed_pipeline(pipeline), status)


def _describe_deployment(pipeline: ExaminedPipeline) -> Finding:
    """Say whether the deployed pipeline was found, and whether its state machine can run."""
    error = pipeline.lookup_error
    if isinstance(error, NotDeployedError):
        return Finding("warn", error.text, error.command)
    if error is not None:
        # The pipeline may be deployed, but some of its resources may be gone.
        return Finding("missing", error.text, error.command)

    assert pipeline.target is not None, "without an error, the pipeline was found"
    status = pipeline.target.state_machine["status"]
    if status == "ACTIVE":
        return Finding("ok", f"{pipeline.target.name} is deployed")
    return Finding("missing", f"{pipeline.target.name} is {status}", pipeline.deploy_command)


def _run_module_checks(
    modules: Iterable[ModuleType], pipeline: ExaminedPipeline, status: Status
) -> Results:
    """Run the checks of these modules in the order of their definitions, and show progress."""
    checks = {
        name.removeprefix("check_").replace("_", " "): check
        for module in modules
        for name, check in vars(module).items()
        if name.startswith("check_")
    }

    results: Results = {}
    for title, check in checks.items():
        status.update(f"checking: {title}")
        results[title] = list(_run_check(check, pipeline))
    return results


def _run_check(check: Check, pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Run a check. If it can't read what it needs, keep what it found so far, and add a warning."""
    try:
        yield from check(pipeline)
    except (*AWS_ERRORS, OperatorError) as error:
        yield _explain_error(pipeline, error)


def _explain_error(pipeline: ExaminedPipeline, error: Exception) -> Finding:
    """Turn the error that ended a check into a warning.

    If a permission is missing, the warning comes with the command that prints the required policy.
    """
    if isinstance(error, ClientError) and get_error_code(error) in DENIED_CODES:
        text = f"cannot be checked: these credentials may not call {error.operation_name}"
        return Finding("warn", text, pipeline.command("doctor", "--policy"))

    if not isinstance(error, OperatorError):
        error = explain_aws_error(error)
    return Finding("warn", f"cannot be checked: {error.text}", error.command)


def _list_rows(results: Results) -> Iterator[dict[str, str | None]]:
    """Yield a row of the JSON document for each finding."""
    for title, findings in results.items():
        for finding in findings:
            yield {"check": title, **finding._asdict()}


def _print_results(results: Results) -> None:
    """Print the findings of each check with their repair commands, and count them at the end."""
    console = result_console()
    for title, findings in results.items():
        _print_check(console, title, findings)

    counts = _count_levels(results)
    problems = "No problems"
    if counts["missing"]:
        problems = format_count(counts["missing"], "problem")
    warnings = format_count(counts["warn"], "warning")
    console.print(f"{problems}, {warnings}, {counts['ok']} ok.")


def _count_levels(results: Results) -> Counter[str]:
    """Count the findings of each level."""
    return Counter(finding.level for findings in results.values() for finding in findings)


def _explain_skipped_checks(pipeline: ExaminedPipeline) -> None:
    """Say what wasn't checked. Otherwise, the operator would think that no problem was found."""
    if pipeline.target is None:
        print_result("The deployed pipeline was not checked, because it was not found.")
    elif pipeline.stack is None:
        print_result(
            "Changes by hand and what is not deployed yet were not looked for, because only a "
            "stack can be compared: run `retrain doctor -s STACK` in the folder of the project."
        )


def _print_check(console: Console, title: str, findings: Sequence[Finding]) -> None:
    """Print the findings of a check: first the problems, then all `ok` findings in one line."""
    _print_problems(console, title, [finding for finding in findings if finding.level != "ok"])

    ok_texts = [finding.text for finding in findings if finding.level == "ok"]
    if len(ok_texts) > MAX_NAMED:
        ok_texts = [f"{len(ok_texts)} ok"]
    if ok_texts:
        _print_finding(console, title, Finding("ok", "; ".join(ok_texts)))


def _print_problems(console: Console, title: str, problems: Sequence[Finding]) -> None:
    """Print problems, and below each one the command that repairs it.

    If the same command repairs several problems in a row, it's printed once, below the last one.
    """
    for repair_command, similar_problems in groupby(problems, key=attrgetter("command")):
        for problem in similar_problems:
            _print_finding(console, title, problem)
        if repair_command:
            console.print(f"  {repair_command}", style="cyan", soft_wrap=True)


def _print_finding(console: Console, title: str, finding: Finding) -> None:
    """Print a finding, with its level in front: a colored symbol on a terminal, or else a word.

    Long texts are wrapped to the console's width.
    """
    symbol, style = SYMBOLS[finding.level]
    if not console.is_terminal:
        symbol = f"{finding.level}:"

    first_line, *more_lines = wrap_text(f"{title}: {finding.text}", max(console.width - 2, 1))
    console.print(Text.assemble((symbol, style), f" {first_line}"), soft_wrap=True)
    for line in more_lines:
        console.print(f"  {line}", soft_wrap=True)
