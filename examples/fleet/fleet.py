"""Previews or deploys the stacks of many dataset groups, a few stacks at a time.

The time of one program with many components grows with the square of their number: docs/fleet.md
has measurements. The time of many stacks grows linearly, and a stack that fails does not stop the
others. A stack that is up to date is not changed, so this program can be started again at any time.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
import yaml
from pulumi import automation
from rich.console import Console
from rich.progress import track
from rich.table import Table

FOLDER = Path(__file__).parent
TABLE = FOLDER / "fleet.yaml"
EXIT_STACK_FAILED = 1
EXIT_TABLE_UNUSABLE = 2
COUNTED_CHANGES = ("create", "update", "replace", "delete")
"""The changes that the printed table counts, in the words of the CLI."""


class Operation(StrEnum):
    """An operation that is done for every stack."""

    PREVIEW = "preview"
    UP = "up"


class Outcome(NamedTuple):
    """The result of the operation on one stack."""

    stack: str
    changes: str
    """The counts of changes, for example `2 create, 1 update`, or `none`."""
    seconds: float
    errors: list[str]
    """The errors that the CLI reported. Empty if the operation succeeded."""


class TableError(Exception):
    """The table cannot be used. The message names the file, the key and the problem."""


def read_configs(file: Path) -> dict[str, dict[str, object]]:
    """Return the config of each stack in the table, with the defaults of the table.

    Raises TableError.
    """
    try:
        table = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TableError(f"{file}: {error}") from error
    stacks = table.get("stacks") if isinstance(table, dict) else None
    if not isinstance(stacks, dict) or not stacks:
        raise TableError(f"{file}: stacks: missing; name each stack and its config below it")
    for name, config in stacks.items():
        if not isinstance(config, dict):
            raise TableError(f"{file}: stacks.{name}: has no config; give datasets and solutions")
    defaults = table.get("defaults") or {}
    if not isinstance(defaults, dict):
        raise TableError(f"{file}: defaults: {defaults!r}; expected keys of a stack's config")
    return {str(name): {**defaults, **config} for name, config in stacks.items()}


def selected_configs(file: Path, names: list[str]) -> dict[str, dict[str, object]]:
    """Return the configs of the stacks with these names, or of all stacks if `names` is empty.

    Raises TableError.
    """
    all_configs = read_configs(file)
    for name in names:
        if name not in all_configs:
            known_names = ", ".join(all_configs)
            raise TableError(f"--only {name}: no such stack in {file}; it has {known_names}")
    return {name: config for name, config in all_configs.items() if not names or name in names}


def run_operation(operation: Operation, stack: str, config: dict[str, object]) -> Outcome:
    """Replace the config of a stack, then preview or deploy the stack.

    The outcome contains every error, so this function raises none.
    """
    started_at = time.monotonic()
    errors: list[str] = []

    def collect_error(event: automation.EngineEvent) -> None:
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.severity == "error":
            errors.append(diagnostic.message.strip())

    changes: dict[str, int] = {}
    try:
        _write_stack_file(stack, config)
        automation_stack = automation.create_or_select_stack(stack, work_dir=str(FOLDER))
        if operation is Operation.UP:
            result = automation_stack.up(on_event=collect_error)
            changes = dict(result.summary.resource_changes or {})
        else:
            changes = dict(automation_stack.preview(on_event=collect_error).change_summary)
    except automation.CommandError as error:
        # If no event reported an error, the error of the command says what failed.
        errors = errors or [str(error).strip()]
    except Exception as error:  # noqa: BLE001  # One stack must not stop the others.
        errors.append(f"{type(error).__name__}: {error}")
    counts = [f"{changes[change]} {change}" for change in COUNTED_CHANGES if changes.get(change)]
    return Outcome(stack, ", ".join(counts) or "none", time.monotonic() - started_at, errors)


def _write_stack_file(stack: str, config: dict[str, object]) -> None:
    """Write `Pulumi.<stack>.yaml`, and keep the other keys that the CLI has written."""
    file = FOLDER / f"Pulumi.{stack}.yaml"
    previous = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    text = yaml.safe_dump({**(previous or {}), "config": config}, sort_keys=False)
    file.write_text(text, encoding="utf-8")


def _print_outcomes(console: Console, operation: Operation, outcomes: list[Outcome]) -> None:
    """Print a table of all outcomes, then the errors of each failed stack, then the count."""
    table = Table("stack", "changes", "seconds", "outcome")
    for outcome in outcomes:
        word = "[red]failed" if outcome.errors else "[green]done"
        table.add_row(outcome.stack, outcome.changes, f"{outcome.seconds:.0f}", word)
    console.print(table)
    failed = [outcome for outcome in outcomes if outcome.errors]
    for outcome in failed:
        lines = [f"\n{outcome.stack}:", *outcome.errors]
        console.print(*lines, sep="\n", markup=False, highlight=False)
    succeeded = len(outcomes) - len(failed)
    console.print(f"\n{operation}: {succeeded} of {len(outcomes)} stacks succeeded")


def main(
    operation: Operation,
    table: Annotated[Path, typer.Option(help="The stacks and their config.")] = TABLE,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this stack; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at a time.", min=1)] = 3,
) -> None:
    """Preview or deploy all stacks of the table.

    The exit code is 0 if every stack succeeded, 1 if at least one stack failed, and 2 if the table
    cannot be used. With 2, nothing was done.
    """
    try:
        stack_configs = selected_configs(table, only or [])
    except TableError as error:
        typer.echo(error, err=True)
        raise typer.Exit(EXIT_TABLE_UNUSABLE) from None

    def run_all() -> Iterator[Outcome]:
        with ThreadPoolExecutor(limit) as pool:
            yield from pool.map(
                lambda name: run_operation(operation, name, stack_configs[name]), stack_configs
            )

    console = Console(soft_wrap=True)
    outcomes = list(track(run_all(), str(operation), total=len(stack_configs), console=console))
    _print_outcomes(console, operation, outcomes)
    raise typer.Exit(EXIT_STACK_FAILED if any(outcome.errors for outcome in outcomes) else 0)


if __name__ == "__main__":
    typer.run(main)
