"""The table of the guards, which check a run before anything is imported or trained.

Each guard is a function that yields messages. The functions are in the modules `*_guards.py` and
`export_*.py`, by subject. A new guard needs a function, a row in the table `GUARDS`, a test, and
the page that `python -m docs.guards` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from . import (
    approval_guards,
    campaign_guards,
    export_columns,
    export_files,
    export_guards,
    export_rows,
    export_values,
    import_guards,
    resource_guards,
    run_guards,
    training_guards,
)
from .situation import Situation

Verdict = Literal["REFUSE", "SKIP", "HOLD", "WARN"]
Scope = Literal["run", "dataset", "export", "solution", "training"]
Check = Callable[[Situation], Iterator[str]]


class Guard(NamedTuple):
    """One row of the table of guards."""

    name: str
    verdict: Verdict
    """REFUSE fails the run. SKIP ends it without an error. HOLD leaves the training of a solution
    out. WARN adds a warning to the report."""
    scope: Scope
    """`run` is checked once, `dataset` for each dataset of the run, `export` for each export that
    the run has to import and has not begun to import, `solution` for each solution of the run, and
    `training` for each solution that needs a new version."""
    check: Check
    """A function that yields messages. A message says what is wrong and what to do. The first
    sentence of its docstring is shown in the docs."""
    advice: str
    """The sentence of the docs that tells a person what to do."""
    warns: bool = False
    """True if the report of a run that this guard skips also contains the warnings."""


GUARDS = (
    Guard(
        "event of a deployment",
        "SKIP",
        "run",
        run_guards.event_of_deployment,
        "Wait for the next event, or start a run with `{}`.",
    ),
    Guard(
        "datasets",
        "REFUSE",
        "run",
        resource_guards.inactive_datasets,
        "Create the resource, or correct the stack's config.",
    ),
    Guard(
        "solutions and campaigns",
        "REFUSE",
        "solution",
        resource_guards.unusable_solution,
        "Create the resource, or correct the stack's config.",
    ),
    Guard(
        "approval",
        "REFUSE",
        "solution",
        approval_guards.unapproved_deployment,
        "Approve the version that the last report names, before its time is over.",
    ),
    Guard(
        "first import",
        "REFUSE",
        "dataset",
        import_guards.incremental_without_full,
        "Import the dataset once with `importMode` FULL.",
    ),
    Guard(
        "replaced data",
        "REFUSE",
        "export",
        import_guards.replaced_data,
        "Import a complete export with `importMode` FULL, or add this one with `force`.",
    ),
    Guard(
        "recipe for UPDATE",
        "REFUSE",
        "solution",
        training_guards.update_without_recipe,
        "Train the solution with `trainingMode` FULL.",
    ),
    Guard(
        "first training",
        "REFUSE",
        "solution",
        training_guards.update_without_full,
        "Start with `trainingMode` FULL.",
    ),
    Guard(
        "data for UPDATE",
        "REFUSE",
        "solution",
        training_guards.update_without_news,
        "Import new data, or start with `trainingMode` FULL.",
    ),
    Guard(
        "automatic deployment",
        "REFUSE",
        "solution",
        campaign_guards.automatic_deployment,
        "Turn `syncWithLatestSolutionVersion` off with the command of the message.",
    ),
    Guard(
        "probe",
        "REFUSE",
        "solution",
        campaign_guards.unanswered_probes,
        "Change the key of the probe as the message says, or remove the probe.",
    ),
    Guard(
        "automatic training",
        "REFUSE",
        "solution",
        training_guards.refused_automatic_training,
        "Turn it off with the command of the message.",
    ),
    Guard(
        "nothing new",
        "SKIP",
        "run",
        run_guards.nothing_new,
        'Start with `{"force": true}`, or set `skipWhenUnchanged` to false.',
        warns=True,
    ),
    Guard(
        "export of a later day",
        "REFUSE",
        "export",
        export_guards.export_of_earlier_day,
        "Start a new run with `{}`.",
    ),
    Guard(
        "export",
        "REFUSE",
        "export",
        export_files.missing_export,
        "Check the location, the bucket policy and the job that writes the export.",
    ),
    Guard(
        "format",
        "REFUSE",
        "export",
        export_files.unreadable_file,
        "Export plain CSV in UTF-8, as the message says.",
    ),
    Guard(
        "header",
        "REFUSE",
        "export",
        export_columns.wrong_columns,
        "Correct the header, or the dataset's schema.",
    ),
    Guard(
        "values",
        "REFUSE",
        "export",
        export_values.wrong_values,
        "Correct the row that the message shows.",
    ),
    Guard(
        "number of rows",
        "REFUSE",
        "export",
        export_rows.too_few_rows,
        "Export all interactions, or append less often.",
    ),
    Guard(
        "size",
        "REFUSE",
        "export",
        export_guards.truncated_export,
        "Write the export again. If the data really shrank, lower `minRelativeSize` for one run.",
    ),
    Guard(
        "ready marker",
        "REFUSE",
        "export",
        export_guards.export_not_ready,
        "Write the marker after each export, or start with `skipImport`.",
    ),
    Guard(
        "rows to append",
        "REFUSE",
        "export",
        export_guards.wrong_increment,
        "Export only new data, each time to another location, or use `importMode` FULL.",
    ),
    Guard(
        "tags of a campaign",
        "HOLD",
        "training",
        campaign_guards.campaigns_without_free_tags,
        "Remove tags of the campaign, as many as the message says.",
    ),
    Guard(
        "unknown recipe",
        "WARN",
        "solution",
        campaign_guards.probes_of_unknown_recipe,
        "Watch the first run. If the probe fails, remove it, or use a newer release.",
    ),
    Guard(
        "trainings in a month",
        "HOLD",
        "training",
        training_guards.too_many_trainings,
        'Wait, raise `limits.maxTrainingsPerMonth`, or start with `{"force": true}`.',
    ),
    Guard(
        "campaign moved by somebody",
        "WARN",
        "solution",
        approval_guards.campaigns_moved_meanwhile,
        "Nothing, or deploy the version there with the command of the message.",
    ),
    Guard(
        "foreign import",
        "WARN",
        "run",
        import_guards.foreign_data,
        "Start with `{}`, which imports the export again.",
    ),
    Guard(
        "skipped days",
        "WARN",
        "dataset",
        import_guards.skipped_days,
        "Append each day with `exportDate`, or import a complete export with `importMode` FULL.",
    ),
    Guard(
        "subfolders",
        "WARN",
        "export",
        export_files.ignored_subfolders,
        "Move the files to the first level of the folder, or away from it.",
    ),
    Guard(
        "other files",
        "WARN",
        "export",
        export_files.other_files,
        "Nothing, or rename or move the files if the import fails.",
    ),
    Guard(
        "byte-order mark",
        "WARN",
        "export",
        export_files.byte_order_mark,
        "Nothing, or export UTF-8 without the mark if the import fails.",
    ),
    Guard(
        "unknown columns",
        "WARN",
        "export",
        export_columns.unknown_columns,
        "Remove the columns, or correct their names.",
    ),
    Guard(
        "order of columns",
        "WARN",
        "export",
        export_columns.order_of_columns,
        "Nothing, or write the columns in the order of the schema.",
    ),
    Guard(
        "number of rows",
        "WARN",
        "export",
        export_rows.few_rows_beside_events,
        "Export all interactions. The import may fail.",
    ),
    Guard(
        "automatic training",
        "WARN",
        "solution",
        training_guards.allowed_automatic_training,
        "Turn it off with the command of the message.",
    ),
)
"""The guards in the order in which they are checked. `docs/guards.md` shows this table."""
