"""Writes the text of a stack file for a dataset group. All functions are pure.

The text has the form in which the Pulumi CLI writes the file: no blank lines, no comment after the
last key, and quotes around top-level values like "true" and "90".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from components.rules.arns import ROLE
from components.rules.fields import location_error
from functions.executions import DATE
from retrain.act.solution_lines import solutions_section, unusable_solution
from retrain.act.yaml_lines import Section, comment, heading, scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.act.adopted_group import AdoptedDataset, AdoptedGroup, AdoptedSolution
    from retrain.act.probe_ids import ProbeIds

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
OTHER_DAY = re.compile(r"(?<![0-9])20[0-9]{2}(?:/[0-9]{2}/|[0-9]{2})[0-9]{2}(?![0-9])")
"""A date that does not have the form of `{date}`, like 2026/11/29 or 20261129."""


class StackFile(NamedTuple):
    """The text of a stack file, and what a person has to know about it."""

    text: str
    notes: list[str]
    """What was left out, and what should be changed before the first run."""


def usable_datasets(group: AdoptedGroup) -> list[AdoptedDataset]:
    """Return the datasets that a pipeline can import: those with the location of an import."""
    return [dataset for dataset in group.datasets if _unusable_dataset(dataset) is None]


def usable_solutions(group: AdoptedGroup) -> list[AdoptedSolution]:
    """Return the solutions that a pipeline can retrain."""
    return [solution for solution in group.solutions if unusable_solution(solution) is None]


def stack_file(group: AdoptedGroup, probe_ids: ProbeIds, project: str) -> StackFile:
    """Return the stack file for a dataset group. It has at least one dataset and one solution."""
    sections = [
        _home_section(group),
        _datasets_section(group, project),
        solutions_section(group, probe_ids, project),
        Section(_schedule_lines(group, project), []),
        _role_section(group, project),
        Section(_section_for_any_group(project), []),
    ]
    lines = ["config:", *(line for section in sections for line in section.lines)]
    notes = [note for section in sections for note in section.notes]
    return StackFile("\n".join(lines) + "\n", notes)


def _home_section(group: AdoptedGroup) -> Section:
    """Return the lines about the group, its account and its region."""
    lines = [
        *comment(1, f"Written by `retrain adopt` from the dataset group {group.arn.name}."),
        *comment(
            1,
            "A key behind a # is an option that this stack does not use. All keys are in "
            "docs/configuration.md, and with more comments in Pulumi.dev.yaml.",
        ),
        *heading("ACCOUNT AND REGION"),
        f"  aws:region: {group.arn.region}",
        *comment(1, "The AWS provider refuses credentials of another account."),
        "  aws:allowedAccountIds:",
        f'    - "{group.arn.account}"',
    ]
    notes = []
    if group.recommenders:
        names = ", ".join(group.recommenders)
        notes.append(
            f"Personalize retrains the recommenders of the group itself ({names}), so the stack "
            "leaves them out"
        )
        lines += comment(1, f"{notes[0]}.")
    return Section(lines, notes)


def _datasets_section(group: AdoptedGroup, project: str) -> Section:
    """Return the lines and the notes about the datasets."""
    lines = [
        *heading("DATASETS"),
        *comment(1, "All datasets are imported before each training, in parallel, from the "
                    "location of their last import. Have your export job write new files there, "
                    "or to a folder for each day: {date} in a location is the day of the run in "
                    "UTC, for example 2026-11-29. importMode FULL replaces all bulk data of the "
                    "dataset, and INCREMENTAL adds to it, from a new location for each day."),
        *comment(1, "Each dataset may have more keys: minRelativeSize (a FULL export with less "
                    "than this share of the bytes of the last one is refused; 0.5 if left out), "
                    "readyMarker (an object that your export job writes last, outside the "
                    "location, for example s3://BUCKET/interactions.SUCCESS), and streamed (true "
                    "if records also reach the dataset through the API)."),
        f"  {project}:datasets:",
    ]  # fmt: skip
    notes: list[str] = []
    for dataset in group.datasets:
        problem = _unusable_dataset(dataset)
        if problem is None:
            lines += _dataset_lines(dataset)
            notes += _location_notes(dataset)
        else:
            notes.append(f"datasets.{dataset.key} is left out: {problem}")
            location = f"s3://BUCKET/{dataset.key}/"
            lines += [
                *comment(2, f"{dataset.key} is left out: {problem}."),
                f"    # {dataset.key}:",
                f"    #   datasetArn: {dataset.arn}",
                f"    #   dataLocation: {location}",
            ]
    return Section(lines, notes)


def _unusable_dataset(dataset: AdoptedDataset) -> str | None:
    """Return why a dataset cannot be imported by the pipeline, or None if it can."""
    if dataset.last_import is None:
        return "nothing was ever imported into it from S3, so its location is not known"
    location = dataset.last_import.location
    if error := location_error(location):
        return f"the location of its last import, {location!r}, {error}"
    return None


def _dataset_lines(dataset: AdoptedDataset) -> list[str]:
    """Return the lines of a dataset that was imported before."""
    last_import = dataset.last_import
    assert last_import is not None, "a dataset without an import is left out"
    location = last_import.location
    lines = [
        f"    {dataset.key}:",
        f"      datasetArn: {dataset.arn}",
        *comment(3, f"The location of the import that ended on {last_import.ended_at:%Y-%m-%d}."),
        f"      dataLocation: {scalar(location)}",
    ]
    if DAY.search(location):
        lines += [
            *comment(3, "This location contains a date. If every export has its own date, write:"),
            f"      # dataLocation: {scalar(DAY.sub(DATE, location))}",
        ]
    elif OTHER_DAY.search(location):
        lines += comment(
            3,
            "This location seems to contain a date, but not as 2026-11-29. A pipeline can fill in "
            f"{DATE} only in this form, so export to such a folder, or always to the same one.",
        )
    lines.append(f"      importMode: {last_import.mode}")
    return lines


def _location_notes(dataset: AdoptedDataset) -> Iterator[str]:
    """Yield a note about a location that contains a date."""
    assert dataset.last_import is not None, "a dataset without an import is left out"
    location = dataset.last_import.location
    if DAY.search(location):
        yield (
            f"datasets.{dataset.key}.dataLocation contains a date; if every export has its own "
            f"date, use {DAY.sub(DATE, location)}"
        )
    elif OTHER_DAY.search(location):
        yield (
            f"datasets.{dataset.key}.dataLocation seems to contain a date in another form than "
            f"{DATE}, which becomes 2026-11-29; export to such a folder, or always to the same one"
        )


def _schedule_lines(group: AdoptedGroup, project: str) -> list[str]:
    """Return the lines about the schedule, the cost, the limits and the messages."""
    rates = sorted({row.automatic_training for row in group.solutions if row.automatic_training})
    today = f" Until now, Personalize trains automatically: {', '.join(rates)}." if rates else ""
    return [
        *heading("SCHEDULE"),
        *comment(1, "Every Monday at 3:00. A rate is possible too, for example 7 days or rate(12 "
                     f"hours).{today}"),
        f"  {project}:retrainingRate: cron(0 3 ? * MON *)",
        *comment(1, "The time zone of the cron, for example Europe/Dublin."),
        f"  {project}:timezone: UTC",
        *comment(1, '"true" disables the schedule. You can still start runs by hand.'),
        f'  {project}:paused: "false"',
        *heading("COST"),
        *comment(1, '"true" skips a run that could only train the same model again.'),
        f'  {project}:skipWhenUnchanged: "true"',
        *comment(1, "A solution that also trains automatically is paid for twice: warn, or "
                     "refuse to run."),
        f"  {project}:autoTraining: warn",
        *comment(1, "How many hours a stage may take, and how many versions of a solution may be "
                     "trained within 30 days (without the key, twice as many as the schedule "
                     "starts, and 2 more)."),
        f"  {project}:limits:",
        "    maxImportHours: 6",
        "    maxTrainingHours: 24",
        "    maxCampaignHours: 3",
        "    # maxTrainingsPerMonth: 10",
        *comment(2, "An alarm goes off when the model that a campaign serves is older than this. "
                    "Without the key, it follows from the schedule."),
        "    # maxModelAgeDays: 12",
        *heading("MESSAGES"),
        *comment(1, "Reports of runs and alarms go to an SNS topic, which the pipeline creates if "
                    "topicArn is left out. Each address gets a request to confirm. `problems` "
                    "reports only the runs that need a person."),
        f"  # {project}:notifications:",
        "  #   emails: [team@example.com]",
        "  #   on: always",
        *comment(1, "The price of a training hour in dollars, for the costs in reports and in "
                    "`retrain plan`."),
        f"  # {project}:trainingHourPrice: 0.24",
        *comment(1, "true also starts a run when the ready markers of a day are written. Each "
                    "readyMarker has to contain {date}, and limits.maxTrainingsPerMonth is "
                    "required."),
        f"  # {project}:trigger:",
        "  #   onExport: true",
    ]  # fmt: skip


def _role_section(group: AdoptedGroup, project: str) -> Section:
    """Return the line of the import role, which is the role of the newest import."""
    imports = [row.last_import for row in group.datasets if row.last_import]
    newest_first = sorted(imports, key=lambda row: row.ended_at, reverse=True)
    roles = list(dict.fromkeys(row.role_arn for row in newest_first if row.role_arn))
    lines = [*heading("ACCESS, TAGS AND ENCRYPTION")]
    about = (
        "The role that Personalize assumes to read the exports. Without this key, the pipeline "
        "creates a role that may read only the locations above."
    )
    notes = []
    own_roles = [
        role for role in roles if ROLE.pattern.fullmatch(role) and f"::{group.arn.account}:" in role
    ]
    example = ROLE.example.replace("123456789012", group.arn.account)
    if own_roles:
        lines += [
            *comment(1, f"{about} This is the role of the last import."),
            f"  {project}:importRoleArn: {own_roles[0]}",
        ]
    else:
        lines += [
            *comment(1, about),
            f"  # {project}:importRoleArn: {example}",
        ]
    if len(own_roles) > 1:
        notes.append(
            f"the last imports used several roles, and importRoleArn is {own_roles[0]}; it has to "
            f"read all locations, or remove the key; the others are {', '.join(own_roles[1:])}"
        )
    return Section(lines, notes)


def _section_for_any_group(project: str) -> list[str]:
    """Return the lines that are the same for every group."""
    return [
        *comment(1, "The permissions boundary of every role, for accounts that require one."),
        f"  # {project}:permissionsBoundaryArn: arn:aws:iam::123456789012:policy/boundary",
        *comment(1, "Tags of every resource, import job and solution version."),
        f"  # {project}:tags:",
        "  #   team: recommendations",
        *comment(1, "KMS keys, not aliases. kmsKeyArn encrypts the logs, the topic and the "
                     "dead-letter queue. dataKmsKeyArn is the key of the exports."),
        f"  # {project}:kmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
        f"  # {project}:dataKmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
        *comment(1, "How many days CloudWatch Logs keeps the logs."),
        f'  {project}:logRetentionDays: "90"',
    ]  # fmt: skip
