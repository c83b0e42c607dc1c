"""Make campaigns answer badly, as long as they serve certain versions."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from emulator.personalize import ApiError
from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import Pipeline
from tests.world import campaign_arn

Answer = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Returns a bad response in place of a good one, or raises an error."""


def no_results(response: Mapping[str, object]) -> Mapping[str, object]:
    """Return a response whose list of items is empty."""
    return {**response, "itemList": []}


def without_list(response: Mapping[str, object]) -> Mapping[str, object]:
    """Return a response without a list of items."""
    return {key: value for key, value in response.items() if key != "itemList"}


def server_error(_response: Mapping[str, object]) -> Mapping[str, object]:
    """Raise the error of a service at fault."""
    raise ApiError("InternalServerError", "Sorry", 500)


@contextmanager
def bad_answers(
    pipeline: Pipeline,
    *,
    answer: Answer = no_results,
    good_versions: Collection[str] | None = None,
    campaigns: Collection[str] | None = None,
) -> Iterator[None]:
    """Make campaigns answer badly inside the block, unless they serve a good version.

    Args:
        pipeline: the pipeline.
        answer: how they answer.
        good_versions: the versions that answer well, by default those that exist now.
        campaigns: the names of the campaigns, by default all.
    """
    good = pipeline.versions() if good_versions is None else good_versions
    arns = None if campaigns is None else {campaign_arn(name) for name in campaigns}
    call_service = pipeline.personalize.call

    def call(operation, request, caller):
        response = call_service(operation, request, caller)
        if operation != "GetRecommendations":
            return response
        arn = request["campaignArn"]
        described = call_service("DescribeCampaign", {"campaignArn": arn}, OPERATOR)
        is_good = described["campaign"]["solutionVersionArn"] in good
        return response if is_good or (arns is not None and arn not in arns) else answer(response)

    with patch.object(pipeline.personalize, "call", call):
        yield
