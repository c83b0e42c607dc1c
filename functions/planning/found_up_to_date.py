"""Tags campaigns, solutions and datasets with the time when a run found them up to date.

The alarm about a model's age counts from this time, because an old model that was trained on the
newest data is not outdated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..errors import ServiceUnavailable, Throttled
from ..personalize.campaigns import live_version
from ..personalize.tags import CHECKED, write_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient

    from .plan_run import RunView

PARTIAL_KEYS = {"skipImport", "datasets", "exportDate", "only"}
"""The keys of a request with which a run does not check the present export of each dataset."""


def write_checks(client: PersonalizeClient, view: RunView) -> list[str]:
    """Tag each resource that the run has found up to date with the present time.

    Return a warning for each tag that could not be written. If Personalize does not respond, the
    other tags are not tried, because nothing but the alarms depends on them.

    Args:
        client: a client that retries, because it does no harm to write a tag twice.
        view: the view from which the run was planned.
    """
    checked_at = view.world.now.isoformat(timespec="seconds")
    warnings = []
    for arn in found_up_to_date(view):
        try:
            write_tags(client, arn, {CHECKED: checked_at})
        except (ClientError, ServiceUnavailable, Throttled) as error:
            warnings.append(
                f"{arn}: was found up to date, but the tag {CHECKED} cannot be written: {error}; "
                "until a run writes it, the alarm about the age may go off"
            )
            if not isinstance(error, ClientError):
                break
    return warnings


def found_up_to_date(view: RunView) -> Iterator[str]:
    """Yield the ARNs of the datasets, campaigns and solutions that the run has found up to date.

    - A dataset is up to date if it holds its present export.
    - A campaign is up to date if it serves the version that was trained on the present data.
    - A solution without campaigns is up to date if that version exists.

    A run that does not check the present export of each dataset finds only datasets up to date.
    """
    for dataset in view.datasets:
        if dataset.holds_export and not dataset.has_export_date:
            yield dataset.dataset["datasetArn"]
    if PARTIAL_KEYS & view.run["request"].keys():
        return
    for solution in view.solutions:
        version, campaigns = solution.version_to_use, solution.solution["campaigns"]
        if version and version.is_active:
            if not campaigns:
                yield solution.arn
            for campaign in campaigns:
                arn = campaign["campaignArn"]
                if live_version(view.world.campaigns[arn]) == version.arn:
                    yield arn
