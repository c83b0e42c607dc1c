"""Checks how much of the quotas of Personalize is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from functions.personalize.lists import PAGE_SIZE, read_list
from functions.personalize.statuses import is_active, is_running
from functions.words import count_text
from retrain.account.errors import AWS_ERRORS, DENIED_CODES, code_of
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retrain.check.findings import Account

SERVICE = "personalize"
SOLUTIONS, CAMPAIGNS, TRAININGS = "L-D9DD83B7", "L-052ECD67", "L-9C16B368"
"""Codes of Service Quotas: active solutions per dataset group, active campaigns per dataset group,
and solution versions of the region that are pending or in progress."""
DEFAULTS = {SOLUTIONS: 10, CAMPAIGNS: 5, TRAININGS: 20}
MAX_RUNNING_IMPORTS = 5
"""Imports of the region that are pending or in progress. AWS does not raise this quota, and the
number of versions that a solution may have has no quota:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


class Quotas(NamedTuple):
    """The quotas of the account in the region."""

    values: Mapping[str, int]
    """Code of the quota -> the value that Service Quotas returned. It may lack a quota."""
    is_denied: bool = False

    def of(self, code: str) -> int:
        """Return the value of a quota, which is AWS's default if the account's is not known."""
        return self.values.get(code, DEFAULTS[code])

    def note(self, *codes: str) -> str:
        """Return what to add to a text with these quotas: whether a default is in it."""
        return "" if all(code in self.values for code in codes) else " (AWS's default quota)"


def check_quotas(account: Account) -> Iterator[Finding]:
    """Find out whether the running jobs leave room for a run, and how full the group is."""
    quotas = _quotas(account)
    yield from _running_jobs(account, quotas)
    yield from _groups(account, quotas)
    if quotas.is_denied:
        yield Finding(
            "warn",
            "these credentials may not read the account's quotas",
            account.pipeline.command("doctor", "--policy"),
        )


def _quotas(account: Account) -> Quotas:
    """Return the quotas of the account. Not every account, region or emulator answers."""
    client = account.access.session.client("service-quotas", **account.access.client_options)
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode=SERVICE)
    try:
        rows = [row for page in pages for row in page["Quotas"]]
    except AWS_ERRORS as error:
        is_denied = isinstance(error, ClientError) and code_of(error) in DENIED_CODES
        return Quotas({}, is_denied)
    return Quotas({row["QuotaCode"]: int(row["Value"]) for row in rows})


def _running_jobs(account: Account, quotas: Quotas) -> Iterator[Finding]:
    """Yield how many jobs of the region are running, and whether a run has to wait for them."""
    client = account.access.personalize
    settings = account.pipeline.settings
    imports = read_list(
        client.get_paginator("list_dataset_import_jobs").paginate(PaginationConfig=PAGE_SIZE),
        lambda page: [row["status"] for row in page["datasetImportJobs"]],
    )
    versions = read_list(
        client.get_paginator("list_solution_versions").paginate(PaginationConfig=PAGE_SIZE),
        lambda page: [row["status"] for row in page["solutionVersions"]],
    )
    trainings, note = quotas.of(TRAININGS), quotas.note(TRAININGS)
    for statuses, noun, quota, needed, default_note in (
        (imports, "import", MAX_RUNNING_IMPORTS, len(settings["datasets"]), ""),
        (versions, "training", trainings, len(settings["solutions"]), note),
    ):
        number = sum(map(is_running, statuses))
        jobs = f"{number} of {quota} {noun}s of the region are running{default_note}"
        if number + needed > quota:
            text = f"{jobs}, and a run needs {needed}"
            yield Finding("warn", text, "nothing; a run waits until others have ended")
        else:
            yield Finding("ok", jobs)


def _groups(account: Account, quotas: Quotas) -> Iterator[Finding]:
    """Yield how many solutions and campaigns each dataset group has. A run creates none."""
    client = account.access.personalize
    for group_arn in account.view.world.dataset_groups:
        solutions = [
            row["solutionArn"]
            for page in client.get_paginator("list_solutions").paginate(
                datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
            )
            for row in page["solutions"]
            if is_active(row["status"])
        ]
        campaigns = sum(
            is_active(row["status"])
            for solution_arn in solutions
            for page in client.get_paginator("list_campaigns").paginate(
                solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
            )
            for row in page["campaigns"]
        )
        name = group_arn.rpartition("/")[2]
        yield Finding(
            "ok",
            f"{name} has {len(solutions)} of {count_text(quotas.of(SOLUTIONS), 'solution')} and "
            f"{campaigns} of {count_text(quotas.of(CAMPAIGNS), 'campaign')}"
            f"{quotas.note(SOLUTIONS, CAMPAIGNS)}",
        )
