"""A run stays within its times after three years of daily runs, in whichever order lists come."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from components.args import LimitsArgs
from components.function_configs import FUNCTION_TIMEOUT_SECONDS
from tests.workflow.clients import FUNCTIONS
from tests.workflow.pipeline import NEXT_SLOT, START, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, PERSONALIZE

DAYS = 3 * 365
DAILY = MOVIES.with_options(limits=LimitsArgs(max_trainings_per_month=62))
SECONDS_A_CALL = 0.05
KEYS = {"ListDatasetImportJobs": "datasetImportJobs", "ListSolutionVersions": "solutionVersions"}


class History:
    """The requests of the functions, to which the service now adds what three years have left."""

    def __init__(self, pipeline, order, seconds=SECONDS_A_CALL):
        self.pipeline = pipeline
        self.order = order
        self.seconds = seconds
        self.tags_read = 0
        self.real_call = pipeline.personalize.call
        pipeline.personalize.call = self.call

    def call(self, operation: str, request: Mapping[str, object], caller: object):
        """Answer a request after some time. Lists contain the old jobs too, page by page."""
        if caller != FUNCTIONS:
            return self.real_call(operation, request, caller)
        self.pipeline.sleep(self.seconds)
        if operation in KEYS:
            return self._page(KEYS[operation], operation, request)
        if "/old-" in str(request.get("resourceArn")):
            self.tags_read += 1
            tags = {"run": "old", "bytes": "1", "fingerprint": "old", "confirmed": "old"}
            return {
                "tags": [{"tagKey": f"retraining-{key}", "tagValue": tags[key]} for key in tags]
            }
        if "/old-" in str(request.get("solutionVersionArn")):
            return {"solutionVersion": {"creationDateTime": START - timedelta(days=1)}}
        response = self.real_call(operation, request, caller)
        # The datasets have existed during the whole history.
        for dataset in [response.get("dataset", {}), *response.get("datasets", ())]:
            dataset["creationDateTime"] = START - timedelta(days=DAYS + 1)

        return response

    def _page(self, key: str, operation: str, request: Mapping[str, object]):
        without_paging = {k: v for k, v in request.items() if k not in ("nextToken", "maxResults")}
        items = self.real_call(operation, {**without_paging, "maxResults": 100}, FUNCTIONS)[key]
        items = [*items, *old_jobs(request)]
        newest_first = self.order == "newest first"
        items.sort(key=lambda item: item["creationDateTime"], reverse=newest_first)
        start = int(request.get("nextToken", 0))
        size = request["maxResults"]
        page = {key: items[start : start + size]}

        return {**page, "nextToken": str(start + size)} if start + size < len(items) else page


def old_jobs(request: Mapping[str, object]):
    """Yield an ACTIVE job for each day of the past: a version, or an import of a dataset."""
    dataset = str(request.get("datasetArn")).rpartition("/")[2]
    owner = request.get("solutionArn", f"{PERSONALIZE}:dataset-import-job")
    for day in range(1, DAYS + 1):
        created = START - timedelta(days=day)
        arn = f"{owner}/old-{dataset}-{day}"
        yield {
            "solutionVersionArn": arn,
            "datasetImportJobArn": arn,
            "trainingMode": "FULL",
            "importMode": "FULL",
            "status": "ACTIVE",
            "creationDateTime": created,
            "lastUpdatedDateTime": created + timedelta(hours=1),
        }


def seconds_of_first(execution, state):
    """Return how long the first invocation of a state took."""
    entered, exited = (
        next(
            event["timestamp"]
            for event in execution.events
            if event.get(f"state{kind}EventDetails", {}).get("name") == state
        )
        for kind in ("Entered", "Exited")
    )

    return (exited - entered).total_seconds()


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_planning_and_training_read_few_tags_and_stay_within_their_times(order):
    with deploy(DAILY) as pipeline:
        pipeline.run()
        history = History(pipeline, order)
        unchanged = pipeline.run(scheduledTime=NEXT_SLOT)
        tags_of_one_run = history.tags_read
        forced = pipeline.run(scheduledTime="2026-12-13T03:00:00Z", skipImport=True, force=True)

    assert skip_reason(unchanged) == NOTHING_NEW.format(
        "interactions, items and users", "2026-11-01 00:00"
    )
    assert tags_of_one_run <= 60, "only the versions of a month are looked at"
    assert seconds_of_first(unchanged, "Plan retraining") < 15
    assert outcomes(forced) == DEPLOYED
    assert seconds_of_first(forced, "Train solution") < 30


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_the_ages_are_measured_within_the_timeout_of_the_function(order):
    with deploy(DAILY) as pipeline:
        pipeline.sleep(10 * 24 * 3600)
        pipeline.run(scheduledTime=NEXT_SLOT)
        History(pipeline, order, seconds=1)
        began_at = pipeline.clock.now()
        ages = pipeline.watch()
        seconds = (pipeline.clock.now() - began_at).total_seconds()

    assert seconds < FUNCTION_TIMEOUT_SECONDS
    hours = [*ages["models"].values(), *ages["data"].values()]
    assert [0 < age < 24 for age in hours] == [True] * 4, "the newest job counts in any order"
