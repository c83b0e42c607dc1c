"""A run stays within its times after three years of daily runs, in whichever order lists come."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import pytest

from components.args import LimitsArgs
from components.state_machine.steps import TIMEOUT_SECONDS
from tests.workflow.clients import FUNCTIONS
from tests.workflow.pipeline import NEXT_SLOT, START, deploy, handler
from tests.workflow.summaries import DEPLOYED, outcomes, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import FIRST_EVENT, MOVIES, PERSONALIZE, exports, interactions, solution

DAYS = 3 * 365
DAILY = MOVIES.with_options(limits=LimitsArgs(max_trainings_per_month=62))
SECONDS_A_CALL = 0.05
KEYS = {"ListDatasetImportJobs": "datasetImportJobs", "ListSolutionVersions": "solutionVersions"}


class History:
    """The requests of the functions, to which the service now adds what three years have left."""

    def __init__(self, pipeline, order, days=DAYS, seconds=SECONDS_A_CALL):
        self.pipeline = pipeline
        self.order = order
        self.days = days
        self.seconds = seconds
        self.calls = Counter()
        self.real_call = pipeline.personalize.call
        pipeline.personalize.call = self.call

    def call(self, operation: str, request: Mapping[str, object], caller: object):
        """Answer a request after some time. Lists contain the old jobs too, page by page."""
        if caller != FUNCTIONS:
            return self.real_call(operation, request, caller)
        self.pipeline.sleep(self.seconds)
        self.calls["tags" if operation == "ListTagsForResource" else "others"] += 1
        if operation in KEYS:
            return self._page(KEYS[operation], operation, request)
        if "/old-" in str(request.get("resourceArn")):
            self.calls["tags of the past"] += 1
            self.calls[request["resourceArn"]] += 1
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
        items = [*items, *old_jobs(request, self.days, self._mode_of(request))]
        newest_first = self.order == "newest first"
        items.sort(key=lambda item: item["creationDateTime"], reverse=newest_first)
        start, size = int(request.get("nextToken", 0)), request["maxResults"]
        page = {key: items[start : start + size]}
        return {**page, "nextToken": str(start + size)} if start + size < len(items) else page

    def _mode_of(self, request: Mapping[str, object]) -> str:
        """Return the mode of all imports into a dataset. The first one was FULL."""
        datasets = self.pipeline.group.settings()["datasets"]
        modes = {dataset["datasetArn"]: dataset["importMode"] for dataset in datasets}
        return modes.get(request.get("datasetArn"), "FULL")


def old_jobs(request: Mapping[str, object], days: int, mode: str):
    """Yield an ACTIVE job for each day of the past: a version, or an import of a dataset."""
    dataset = str(request.get("datasetArn")).rpartition("/")[2]
    owner = request.get("solutionArn", f"{PERSONALIZE}:dataset-import-job")
    for day in range(1, days + 1):
        created, arn = START - timedelta(days=day), f"{owner}/old-{dataset}-{day}"
        yield {
            "solutionVersionArn": arn,
            "datasetImportJobArn": arn,
            "trainingMode": "FULL",
            "importMode": "FULL" if day == days else mode,
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
        tags_of_one_run = history.calls["tags of the past"]
        forced = pipeline.run(scheduledTime="2026-12-13T03:00:00Z", skipImport=True, force=True)
    assert skip_reason(unchanged) == NOTHING_NEW.format(
        "interactions, items and users", "2026-11-01 00:00"
    )
    assert tags_of_one_run <= 60, "only the versions of a month are looked at"
    assert seconds_of_first(unchanged, "Plan retraining") < 15
    assert outcomes(forced) == DEPLOYED
    assert seconds_of_first(forced, "Train solution") < 30


APPENDED = DAILY.with_dataset("interactions", import_mode="INCREMENTAL").with_solutions(
    solution(quality_gate_enabled=False)
)
ALL_APPENDED = APPENDED.with_datasets(
    *("interactions", "items", "users", "actions", "action_interactions"),
    import_mode="INCREMENTAL",
)
TAKEN_ACTIONS = {
    "action_interactions.csv": b"USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP"
    + b"".join(b"\nu%d,a1,taken,%d" % (n % 40, FIRST_EVENT + n) for n in range(1000))
}


def calls_of_runs(pipeline, days):
    """Return the calls of a run that only plans, and of one that trains, after so many days."""
    history = History(pipeline, "oldest first", days, seconds=0.3)
    unchanged = pipeline.run(scheduledTime=pipeline.clock.now().isoformat())
    planning = Counter(history.calls)
    forced = pipeline.run(scheduledTime="2027-01-20T03:00:00Z", skipImport=True, force=True)
    held = (
        r"nothing is new: (?:\S+, )*interactions[^;]*: the export has not changed since 2026-11-29 "
    )
    assert re.match(held, skip_reason(unchanged)), "no export is appended twice"
    assert outcomes(forced) == DEPLOYED
    assert seconds_of_first(forced, "Train solution") < 50, "it acts in its first minute"
    return planning, history.calls


@pytest.mark.parametrize("group", [APPENDED, ALL_APPENDED], ids=["one dataset", "all datasets"])
@pytest.mark.parametrize("idle_days", [0, 40])
def test_appends_of_three_years_need_no_more_tags_than_those_of_a_hundred_days(idle_days, group):
    calls = {}
    files = {**exports(shift=1), **TAKEN_ACTIONS}
    for days in (95, 1095):
        with deploy(group) as pipeline:
            for dataset in group.datasets:
                pipeline.bucket.put(f"{dataset}.csv", files[f"{dataset}.csv"])
            pipeline.run()
            pipeline.sleep(idle_days * 24 * 3600)
            calls[days] = calls_of_runs(pipeline, days)
    (short_plan, short), (long_plan, long) = calls.values()
    lists = len(group.datasets) + 1  # of the imports of each dataset, and of the versions
    assert (short_plan["tags"], short["tags"]) == (long_plan["tags"], long["tags"])
    assert long_plan["others"] - short_plan["others"] == 10 * lists, "one page for 100 jobs"
    assert long["others"] - short["others"] <= 10 * lists * 4, "planning, and looks at a training"


def test_an_import_of_one_dataset_reads_the_tags_of_no_more_imports_than_planning():
    with deploy(ALL_APPENDED) as pipeline:
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        pipeline.run(datasets=["interactions"])
        history = History(pipeline, "newest first")
        pipeline.bucket.put("interactions.csv", interactions(shift=2))
        later = pipeline.run(scheduledTime=NEXT_SLOT, datasets=["interactions"])
    assert outcomes(later)["interactions"] == "IMPORTED"
    read = [name for name in history.calls if "/old-INTERACTIONS-" in name]
    assert len(read) == 10, "12 with the first import of the group and that of the first run"


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_the_ages_are_measured_within_the_timeout_of_the_function(order):
    with deploy(DAILY) as pipeline:
        pipeline.sleep(10 * 24 * 3600)
        pipeline.run(scheduledTime=NEXT_SLOT)
        History(pipeline, order).seconds = 1
        began_at = pipeline.clock.now()
        ages = handler("watch_pipeline")({"stateMachineArn": pipeline.machine.arn}, None)
        seconds = (pipeline.clock.now() - began_at).total_seconds()
    assert seconds < TIMEOUT_SECONDS
    hours = [*ages["models"].values(), *ages["data"].values()]
    assert [0 < age < 24 for age in hours] == [True] * 4, "the newest job counts in any order"
