"""A run stays within its times after three years of daily runs, in whichever order lists come."""

from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from components.args import LimitsArgs
from components.state_machine.steps import TIMEOUT_SECONDS
from tests.workflow.clients import FUNCTIONS
from tests.workflow.pipeline import NEXT_SLOT, START, deploy, handler
from tests.workflow.summaries import ALL_DONE, outcomes, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, PERSONALIZE

DAYS = 3 * 365
DAILY = MOVIES.with_options(limits=LimitsArgs(max_trainings_per_month=62))
SECONDS_A_CALL = 0.05
KEYS = {
    "ListDatasetImportJobs": "datasetImportJobs",
    "ListSolutionVersions": "solutionVersions",
}


class History:
    """The requests of the functions, to which the service adds what three years have left."""

    def __init__(self, pipeline, order: str, seconds: float):
        self.pipeline = pipeline
        self.order = order
        self.seconds = seconds
        self.calls = Counter()
        self.real_call = pipeline.personalize.call

    def call(self, operation: str, request: Mapping[str, object], caller: object):
        """Answer a request after some time. Lists contain the old jobs too, page by page."""
        if caller != FUNCTIONS:
            return self.real_call(operation, request, caller)
        self.calls[operation] += 1
        self.pipeline.sleep(self.seconds)
        if operation in KEYS:
            return self._page(operation, request)
        if "/old-" in str(request.get("resourceArn")):
            self.calls["tags of the past"] += 1
            tags = {"run": "old", "bytes": "1", "planned": "old", "held": "old"}
            return {
                "tags": [{"tagKey": f"retraining-{key}", "tagValue": tags[key]} for key in tags]
            }
        if "/old-" in str(request.get("solutionVersionArn")):
            created = {"creationDateTime": START - timedelta(days=1)}
            return {"metrics": {}, "solutionVersion": created}
        response = self.real_call(operation, request, caller)
        return (
            {**response, "dataset": _older(response["dataset"])}
            if "dataset" in response
            else response
        )

    def _page(self, operation: str, request: Mapping[str, object]):
        key = KEYS[operation]
        without_paging = {k: v for k, v in request.items() if k not in ("nextToken", "maxResults")}
        items = self.real_call(operation, {**without_paging, "maxResults": 100}, FUNCTIONS)[key]
        items = [*items, *self._old(operation, without_paging)]
        newest_first = self.order == "newest first"
        items.sort(key=lambda item: item["creationDateTime"], reverse=newest_first)
        start, size = int(request.get("nextToken", 0)), request["maxResults"]
        page = {key: items[start : start + size]}
        return {**page, "nextToken": str(start + size)} if start + size < len(items) else page

    def _old(self, operation: str, request: Mapping[str, object]):
        for day in range(1, DAYS + 1):
            created = START - timedelta(days=day)
            times = {
                "creationDateTime": created,
                "lastUpdatedDateTime": created + timedelta(hours=1),
                "status": "ACTIVE",
            }
            if operation == "ListSolutionVersions":
                arn = f"{request['solutionArn']}/old-{day}"
                yield {"solutionVersionArn": arn, "trainingMode": "FULL", **times}
            else:
                name = f"old-{request['datasetArn'].rpartition('/')[2].lower()}-{day}"
                arn = f"{PERSONALIZE}:dataset-import-job/{name}"
                yield {
                    "datasetImportJobArn": arn,
                    "jobName": name,
                    "importMode": "FULL",
                    **times,
                }


def _older(dataset):
    """Return a dataset that has existed during the whole history."""
    return {**dataset, "creationDateTime": START - timedelta(days=DAYS + 1)}


@contextmanager
def deploy_with_history(order="newest first", seconds=SECONDS_A_CALL):
    """Deploy the pipeline in an account with three years of daily runs."""
    with deploy(DAILY) as pipeline:
        history = History(pipeline, order, seconds)
        pipeline.personalize.call = history.call
        yield pipeline, history


def seconds_of(execution, state):
    """Return how long each invocation of a state took."""
    entered, seconds = {}, []
    for event in execution.events:
        if event["type"] == "TaskStateEntered":
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        if event["type"] == "TaskStateExited":
            name = event["stateExitedEventDetails"]["name"]
            if name == state:
                seconds.append((event["timestamp"] - entered[name]).total_seconds())
    return seconds


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_planning_and_training_read_few_tags_and_stay_within_their_times(order):
    with deploy_with_history(order) as (pipeline, history):
        first = pipeline.run()
        tags_of_first_run = history.calls["tags of the past"]
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
    assert outcomes(first) == ALL_DONE
    assert skip_reason(second) == NOTHING_NEW
    assert tags_of_first_run <= 60, "only the versions of a month are looked at"
    assert max(seconds_of(first, "Plan retraining")) < 15
    assert max(seconds_of(first, "Train solution")[:1]) < 30


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_the_ages_are_measured_within_the_timeout_of_the_function(order):
    with deploy_with_history(order) as (pipeline, history):
        event = {"stateMachineArn": pipeline.machine.arn}
        pipeline.sleep(10 * 24 * 3600)
        pipeline.run(scheduledTime=NEXT_SLOT)
        history.seconds = 1
        began_at = pipeline.clock.now()
        ages = handler("watch_pipeline")(event, None)
        seconds = (pipeline.clock.now() - began_at).total_seconds()
    assert seconds < TIMEOUT_SECONDS
    hours = [*ages["models"].values(), *ages["data"].values()]
    assert [0 < age < 24 for age in hours] == [True] * 4, "the newest job counts in any order"
