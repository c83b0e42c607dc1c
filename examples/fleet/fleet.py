"""Preview or deploy the stacks of many dataset groups, a few of them at a time.

The time of one program grows with the square of the number of its components: docs/fleet.md has
measurements. The time of one stack per dataset group grows linearly, and a stack that fails leaves
the others alone. A stack that is up to date stays as it is, so this can be started again at any
time.
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
FAILED, UNUSABLE = 1, 2
"""Exit codes."""
SHOWN = ("create", "update", "replace", "delete")
"""The changes that the printed table counts, in the words of the CLI."""


class Operation(StrEnum):
    """An operation on every stack."""

    PREVIEW = "preview"
    UP = "up"


class Outcome(NamedTuple):
    """The result of the operation on one stack."""

    stack: str
    changes: str
    seconds: float
    errors: list[str]
    """The errors that the CLI reported. Empty if the operation succeeded."""


class TableError(Exception):
    """The table cannot be used. The message has the place and the problem."""


def configs(file: Path) -> dict[str, dict[str, object]]:
    """Return the config of each stack. Raises TableError."""
    try:
        table = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TableError(f"{file}: {error}") from error
    stacks = table.get("stacks") if isinstance(table, dict) else None
    if not isinstance(stacks, dict) or not stacks:
        raise TableError(f"{file}: stacks: missing; name each stack and its config below it")
    if wrong := [str(name) for name, config in stacks.items() if not isinstance(config, dict)]:
        raise TableError(f"{file}: stacks.{wrong[0]}: has no config; give datasets and solutions")
    defaults = table.get("defaults") or {}
    if not isinstance(defaults, dict):
        raise TableError(f"{file}: defaults: {defaults!r}; expected keys of a stack's config")
    return {str(name): {**defaults, **config} for name, config in stacks.items()}


def chosen(file: Path, names: list[str]) -> dict[str, dict[str, object]]:
    """Return the config of the stacks with these names, or of all. Raises TableError."""
    known = configs(file)
    if unknown := [name for name in names if name not in known]:
        message = f"--only {unknown[0]}: no such stack in {file}; it has {', '.join(known)}"
        raise TableError(message)
    return {name: config for name, config in known.items() if not names or name in names}


def run(operation: Operation, stack: str, config: dict[str, object]) -> Outcome:
    """Preview or deploy one stack with this config, which replaces the config it had."""
    started = time.monotonic()
    errors: list[str] = []

    def collect(event: automation.EngineEvent) -> None:
        found = event.diagnostic_event
        if found and found.severity == "error":
            errors.append(found.message.strip())

    changes: dict[str, int] = {}
    try:
        _write_stack_file(stack, config)
        opened = automation.create_or_select_stack(stack, work_dir=str(FOLDER))
        if operation is Operation.UP:
            changes = dict(opened.up(on_event=collect).summary.resource_changes or {})
        else:
            changes = dict(opened.preview(on_event=collect).change_summary)
    except automation.CommandError as error:
        errors = errors or [str(error).strip()]
    except Exception as error:  # noqa: BLE001  # One stack must not stop the others.
        errors.append(f"{type(error).__name__}: {error}")
    named = [f"{changes[each]} {each}" for each in SHOWN if changes.get(each)]
    return Outcome(stack, ", ".join(named) or "none", time.monotonic() - started, errors)


def _write_stack_file(stack: str, config: dict[str, object]) -> None:
    """Write `Pulumi.<stack>.yaml`. Keep the keys beside the config, which the CLI has written."""
    file = FOLDER / f"Pulumi.{stack}.yaml"
    kept = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    text = yaml.safe_dump({**(kept or {}), "config": config}, sort_keys=False)
    file.write_text(text, encoding="utf-8")


def _show(console: Console, operation: Operation, outcomes: list[Outcome]) -> None:
    table = Table("stack", "changes", "seconds", "outcome")
    for each in outcomes:
        outcome = "[red]failed" if each.errors else "[green]done"
        table.add_row(each.stack, each.changes, f"{each.seconds:.0f}", outcome)
    console.print(table)
    failed = [each for each in outcomes if each.errors]
    for each in failed:
        console.print(f"\n{each.stack}:", *each.errors, sep="\n", markup=False, highlight=False)
    done = len(outcomes) - len(failed)
    console.print(f"\n{operation}: {done} of {len(outcomes)} stacks succeeded")


def main(
    operation: Operation,
    table: Annotated[Path, typer.Option(help="The stacks and their config.")] = TABLE,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this stack; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at a time.", min=1)] = 3,
) -> None:
    """Preview or deploy all stacks of the table.

    Exit code 0: every stack succeeded. 1: at least one failed, and the others went on. 2: the table
    cannot be used, and nothing was done.
    """
    try:
        wanted = chosen(table, only or [])
    except TableError as error:
        typer.echo(error, err=True)
        raise typer.Exit(UNUSABLE) from None

    def each_outcome() -> Iterator[Outcome]:
        with ThreadPoolExecutor(limit) as pool:
            yield from pool.map(lambda name: run(operation, name, wanted[name]), wanted)

    console = Console(soft_wrap=True)
    outcomes = list(track(each_outcome(), str(operation), total=len(wanted), console=console))
    _show(console, operation, outcomes)
    raise typer.Exit(FAILED if any(each.errors for each in outcomes) else 0)


if __name__ == "__main__":
    typer.run(main)
