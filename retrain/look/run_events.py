"""Reads what a run plans and does from the events of its execution.

The document of each state names what it imports, trains or updates, so an event can be understood
without the events before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from statistics import median_high
from typing import TYPE_CHECKING, Any, TypeAlias

from functions.common.formatting import format_time
from functions.contract import find_solution_of_campaign
from functions.run.execution_data import identify_run
from retrain.look.run_view import ShownRun
from retrain.look.runs import parse_execution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from functions.contract import Settings
    from retrain.look.jobs import Job, Kind

Document: TypeAlias = "Mapping[str, Any]"
FIRST_STATE = "Configure run"
STAGES = {
    "Plan retraining": "planning",
    "Import datasets": "importing the datasets",
    "Retrain solutions": "retraining the solutions",
    "Report outcome": "reporting the outcome",
}
"""Each state that takes a while, outside the Maps -> what the run does there."""
ENDING_TRIALS = "finishing the trials of earlier runs"
USUAL_UPDATE_SECONDS = 900
"""An update takes 8 to 25 minutes, as users of Personalize have seen."""
PAGE_SIZE = 200
"""The number of events in a request. A busy run adds fewer between two polls."""
FIRST_PAGE_SIZE = 1000
"""The number of events in the first request, which reads those of many hours."""


@dataclass
class EventReader:
    """Adds to a run what the events of its execution say, as often as it is asked to."""

    client: SFNClient
    run: ShownRun
    usual_update_seconds: float = USUAL_UPDATE_SECONDS
    """How long the first update of a campaign probably takes, without its trial."""
    campaign_kind: Kind = "update"
    """`trial at` while the run ends the trials of earlier runs, which it does before all else."""
    last_event_id: int = 0

    def read_new_events(self) -> None:
        """Add what the events say that haven't been read yet."""
        for event in self._list_new_events():
            self._read_event(event)
            self.last_event_id = event["id"]

    def _list_new_events(self) -> list[HistoryEventTypeDef]:
        """List the new events in their order.

        The history is read backwards, so that old events are not read again.
        """
        page_size = FIRST_PAGE_SIZE
        if self.last_event_id:
            page_size = PAGE_SIZE

        pages = self.client.get_paginator("get_execution_history").paginate(
            executionArn=self.run.execution.arn,
            reverseOrder=True,
            includeExecutionData=True,
            PaginationConfig={"PageSize": page_size},
        )
        events = (event for page in pages for event in page["events"])
        newest_first = takewhile(lambda event: event["id"] > self.last_event_id, events)
        return list(newest_first)[::-1]

    def _read_event(self, event: HistoryEventTypeDef) -> None:
        time = event["timestamp"]
        if "stateEnteredEventDetails" in event:
            entry = event["stateEnteredEventDetails"]
            # The first state begins with what somebody wrote, which may have any keys.
            if entry["name"] != FIRST_STATE:
                self._enter_state(entry["name"], json.loads(entry["input"]), time)

        if "stateExitedEventDetails" in event:
            end = event["stateExitedEventDetails"]
            self._leave_state(end["name"], json.loads(end["output"]), time)

    def _enter_state(self, name: str, document: Document, time: datetime) -> None:
        job = self._find_job(document)
        if job is not None:
            job.read_state(document, time)
            return

        # After an error, a person wants to know the stage that failed.
        if name not in STAGES or "error" in document:
            return
        self.run.waiting_reasons = ()
        self.run.stage = STAGES[name]
        if name == "Retrain solutions" and self.campaign_kind == "trial at":
            self.run.stage = ENDING_TRIALS

    def _leave_state(self, name: str, document: Document, time: datetime) -> None:
        job = self._find_job(document)
        if job is not None:
            job.read_state(document, time)
            return

        if name == FIRST_STATE:
            run = identify_run(document["run"])
            self.run.run_id = run["id"]
            self.run.trigger = run["trigger"]
        elif name == "Plan retraining" and "error" not in document:
            self._read_plan(document["plan"], document["settings"], time)
        elif name == "Report outcome" and "report" in document:
            self.run.read_report(document["report"])

    def _find_job(self, document: Document) -> Job | None:
        """Find the job that the document of a state is about, if it is about one."""
        if "dataset" in document:
            return self.run.job("import", document["dataset"]["type"])
        if "campaign" in document:
            return self.run.job(self.campaign_kind, document["campaign"]["campaignArn"])
        if "batchJob" in document:
            return self.run.job("write", document["batchJob"])

        # A solution whose trials are ended lacks the key. In the others, null means that no version
        # is ready, so the run trains one.
        solution = document.get("solution", {})
        if solution.get("existingVersionArn", "ready") is None:
            return self.run.job("train", solution["solutionArn"])
        return None

    def _read_plan(self, plan: Document, settings: Settings, time: datetime) -> None:
        """Add what a plan makes the run do: wait, end trials of earlier runs, or its own jobs."""
        self.campaign_kind = "update"
        self.run.waiting_reasons = ()

        if plan["todo"] == "TRIALS":
            self.campaign_kind = "trial at"
        elif plan["todo"] == "WAIT":
            end = time + timedelta(seconds=plan["seconds"])
            self.run.stage = f"waiting until {format_time(end)} UTC or longer"
            self.run.waiting_reasons = plan["reasons"]
        elif plan["todo"] == "WORK":
            self._read_planned_jobs(plan, settings)

    def _read_planned_jobs(self, plan: Document, settings: Settings) -> None:
        """Add the jobs of a plan. Each one is expected to take as long as the last of its kind."""
        for dataset in plan["imports"]:
            job = self.run.job("import", dataset["type"])
            job.expected_seconds = median_high(dataset["durations"] or [0])
        for solution in plan["solutions"]:
            self._read_planned_solution(solution, settings)

    def _read_planned_solution(self, solution: Document, settings: Settings) -> None:
        if solution["existingVersionArn"] is None:
            training = self.run.job("train", solution["solutionArn"])
            training.expected_seconds = median_high(solution["durations"] or [0])

        for campaign in solution["campaigns"]:
            campaign_arn = campaign["campaignArn"]
            update_seconds = campaign.get("updateSeconds", self.usual_update_seconds)
            trial_seconds = _estimate_trial_seconds(settings, campaign_arn)
            self.run.job("update", campaign_arn).expected_seconds = update_seconds + trial_seconds

        for output in solution["batchJobs"]:
            self.run.job("write", output)


def _estimate_trial_seconds(settings: Settings, campaign_arn: str) -> float:
    """Expect a trial to take as long as the longer one of its probe and its bake."""
    durations = [0.0]
    for campaign in find_solution_of_campaign(settings, campaign_arn)["campaigns"]:
        if campaign["campaignArn"] != campaign_arn:
            continue

        if campaign["probe"]:
            durations.append(campaign["probe"]["minutes"] * 60)
        if campaign["bake"]:
            durations.append(campaign["bake"]["hours"] * 3600)
    return max(durations)


def read_run(
    client: SFNClient, execution_arn: str, pipeline_options: Sequence[str] = ()
) -> ShownRun:
    """Read a run from its report if it succeeded, and otherwise from its events."""
    execution = client.describe_execution(executionArn=execution_arn)
    run = ShownRun(parse_execution(execution), pipeline_options)

    if execution["status"] == "SUCCEEDED":
        run.read_report(json.loads(execution["output"])["report"])
    else:
        EventReader(client, run).read_new_events()
        run.read_execution(run.execution)
    return run
