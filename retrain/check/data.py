"""Checks the group, the datasets, the exports and the solutions with the guards of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.executions import export_day
from functions.personalize.statuses import is_active
from functions.planning.plan_run import GUARDS, messages_of
from functions.words import count_text, size_text, time_text
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.planning.plan_run import RunView
    from retrain.check.findings import Account, Level

DATASETS = ("datasets",)
SOLUTIONS = ("solutions and campaigns",)
EXPORTS = ("export", "ready marker", "size", "rows to append", "skipped days")
SCHEMAS = ("content", "number of rows", "unknown columns")
IMPORTS = ("first import", "replaced data")
TRAININGS = ("UPDATE",)
AUTOMATIC_TRAINING = ("automatic training",)
SYNC = ("automatic deployment",)
PROBES = ("probe",)
QUOTED_COMMAND = re.compile(r"'(aws [^']+)'")
COMMAND_WITH_JSON = re.compile(r"(aws .+ '{.+}')")
MAX_TAGS, FEW_FREE_TAGS = 50, 5


def check_group(account: Account) -> Iterator[Finding]:
    """Find out whether the dataset group is ACTIVE."""
    groups = account.view.world.dataset_groups.values()
    for group in groups:
        arn, name, status = group["datasetGroupArn"], group["name"], group["status"]
        if is_active(status):
            yield Finding("ok", f"{name} is ACTIVE")
        else:
            fix = f"aws personalize describe-dataset-group --dataset-group-arn {arn}"
            yield Finding("missing", f"{name} is {status}", fix)
    if not groups:
        yield Finding(
            "missing",
            "no configured dataset exists, so its group is not known",
            "correct the ARNs in the stack's file; `aws personalize list-dataset-groups` lists the "
            "groups",
        )


def check_datasets(account: Account) -> Iterator[Finding]:
    """Find out whether the datasets exist, with schemas that can be read."""
    datasets = account.view.world.datasets
    number = count_text(len(datasets), "dataset")
    yield from _of_guards(account, DATASETS, f"{number} and the schemas can be read")


def check_exports(account: Account) -> Iterator[Finding]:
    """Find out whether the exports exist, and can be read with these credentials."""
    view = account.view
    if "exportDate" in view.run["request"]:
        yield Finding(
            "warn",
            f"today's exports are not written yet, so those of {export_day(view.run)} are checked",
            "nothing, if the export job runs before the schedule fires",
        )
    exports = view.world.exports.values()
    size = sum(export.size for export in exports)
    newest = max((file.modified_at for export in exports for file in export.objects), default=None)
    written = f", the newest of {time_text(newest)} UTC" if newest else ""
    text = f"{count_text(len(exports), 'export')} with {size_text(size)}{written}"
    yield from _of_guards(account, EXPORTS, text)


def check_schemas(account: Account) -> Iterator[Finding]:
    """Find out whether the files fit the schemas of their datasets."""
    yield from _of_guards(account, SCHEMAS, "the files that are new fit the datasets' schemas")


def check_imports(account: Account) -> Iterator[Finding]:
    """Find out whether imports are possible, and whether somebody else imports too."""
    yield from _of_guards(account, IMPORTS, "no foreign import has replaced what a run imported")


def check_solutions(account: Account) -> Iterator[Finding]:
    """Find out whether the solutions and campaigns exist and can be updated."""
    world = account.view.world
    solutions = count_text(len(world.solutions), "solution")
    campaigns = count_text(len(world.campaigns), "campaign")
    yield from _of_guards(account, SOLUTIONS, f"{solutions} and {campaigns} can be used")


def check_trainings(account: Account) -> Iterator[Finding]:
    """Find out whether the configured trainings are possible."""
    yield from _of_guards(account, TRAININGS, "the configured training modes are possible")


def check_automatic_training(account: Account) -> Iterator[Finding]:
    """Find out whether a solution also trains automatically, which is paid for twice."""
    yield from _of_guards(account, AUTOMATIC_TRAINING, "no solution also trains automatically")


def check_sync(account: Account) -> Iterator[Finding]:
    """Find out whether a campaign gets new versions without gate, probe or approval."""
    text = "no version goes past a gate, a probe or an approval"
    yield from _of_guards(account, SYNC, text)


def check_probes(account: Account) -> Iterator[Finding]:
    """Find out whether the campaigns answer their probes, and whether each has a probe."""
    campaigns = [
        campaign
        for solution in account.pipeline.settings["solutions"]
        for campaign in solution["campaigns"]
    ]
    without = [row["campaignArn"] for row in campaigns if row["probe"] is None]
    yield from _of_guards(
        account,
        PROBES,
        f"{len(campaigns) - len(without)} of {count_text(len(campaigns), 'campaign')} with a probe",
    )
    for arn in without:
        yield Finding(
            "warn",
            f"{arn} has no probe, so nothing moves a bad version back",
            "add a probe to the campaign in the stack's file",
        )


def check_tags(account: Account) -> Iterator[Finding]:
    """Find out whether there is room for the pipeline's tags."""
    world = account.view.world
    findings = [
        Finding(
            "warn",
            f"{arn} has {len(tags)} of {MAX_TAGS} tags",
            f"aws personalize untag-resource --resource-arn {arn} --tag-keys KEY",
        )
        for arn, tags in world.campaign_tags.items()
        if len(tags) > MAX_TAGS - FEW_FREE_TAGS
    ]
    ok_text = "the campaigns have room for the pipeline's tags"
    yield from findings or [Finding("ok", ok_text)]


def _of_guards(account: Account, names: Sequence[str], ok_text: str) -> Iterator[Finding]:
    """Yield a finding for each message of some guards, or one that all is well.

    Nothing can be said if a configured dataset or solution does not exist.
    """
    findings = list(_guard_findings(account.view, names))
    yield from findings or [Finding("ok", ok_text)]


def _guard_findings(view: RunView, names: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each message of some guards. The way out is after the first `; `."""
    for guard in GUARDS:
        if guard.name in names:
            for message in messages_of(guard, view):
                text, _, way_out = message.partition("; ")
                level: Level = "warn" if guard.verdict == "WARN" else "missing"
                yield Finding(level, text, _command_in(way_out) or way_out or None)


def _command_in(way_out: str) -> str | None:
    """Return the command of the AWS CLI in the second part of a message, or None."""
    found = QUOTED_COMMAND.search(way_out) or COMMAND_WITH_JSON.search(way_out)
    return found[1] if found else None
