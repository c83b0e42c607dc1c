"""Finds the solution version that a person has named."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from functions.personalize.trainings import list_versions
from retrain.account.errors import OperatorError
from retrain.look.reports import version_id
from retrain.look.texts import list_text
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient

SHOWN_VERSIONS = 5
"""The number of versions that an error message lists."""


def find_version(client: PersonalizeClient, solution_arns: Sequence[str], name: str) -> str:
    """Return the ARN of a version of these solutions.

    `name` is the ARN of the version, its short name like `movies/1a2b3c4d`, or its id alone.

    Raises OperatorError if no version has this name, or if several have it. The message lists the
    newest versions.
    """
    summaries = [summary for arn in solution_arns for summary in list_versions(client, arn)]
    summaries.sort(key=itemgetter("creationDateTime"), reverse=True)
    newest_first = [summary["solutionVersionArn"] for summary in summaries]
    found = [arn for arn in newest_first if name in (arn, short_name(arn), version_id(arn))]
    if len(found) == 1:
        return found[0]
    if found:
        raise OperatorError(
            f"{name!r} is the id of several versions; name one of {_short_names(found)}"
        )
    solutions = list_text([short_name(arn) for arn in solution_arns])
    newest = _short_names(newest_first)
    hint = f"the newest versions are {newest}" if newest else "there is no version yet"
    raise OperatorError(f"{name!r} is not a version of {solutions}; {hint}")


def _short_names(version_arns: Sequence[str]) -> str:
    """Return the short names of the first versions."""
    return ", ".join(short_name(arn) for arn in version_arns[:SHOWN_VERSIONS])
