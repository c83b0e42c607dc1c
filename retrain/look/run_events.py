"""Reads what a run is doing from the events in the history of its execution.

A state's input and output name the dataset, solution or campaign that it works on, so each event
can be understood without the earlier ones.
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
from retrain.look.runs import read_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import (
        ExecutionAbortedEventDetailsTypeDef,
        ExecutionFailedEventDetailsTypeDef,
        HistoryEventTypeDef,
    )

    from functions.contract import Settings
    from retrain.look.jobs import Job, Kind
    from retrain.look.runs import Execution

Document: TypeAlias = "Mapping[str, Any]"
"""The input or output of a state."""
FIRST_STATE = "Configure run"
STAGES = {
    "Plan retraining": "planning",
    "Import datasets": "importing the datasets",
    "Retrain solutions": "retraining the solutions",
    "Report outcome": "reporting the outcome",
}
"""Name of a state that takes a while, outside the Map states -> what the run is doing there."""
ENDING_TRIALS = "finishing the trials of earlier runs"
USUAL_UPDATE_SECONDS = 900
"""The expected duration of an update. Users of Personalize have seen 8 to 25 minutes."""
PAGE_SIZE = 200
"""How many events a poll requests at once. Even a busy run adds fewer between two polls."""
FIRST_PAGE_SIZE = 1000
"""How many events the first poll requests at once, because the run may be hours old."""


@dataclass
class EventReader:
    """Updates a run from the events in the history of its execution, at each poll."""

    client: SFNClient
    run: ShownRun
    usual_update_seconds: float = USUAL_UPDATE_SECONDS
    """How long the first update of a campaign probably takes, without the trial after it."""
    campaign_kind: Kind = "update"
    """`trial at` while the run ends the trials of earlier runs, which it does first of all."""
    last_event_id: int = 0
    """The id of the last event that was read."""

    def read_new_events(self) -> None:
        """Update the run from the events since the last poll."""
        for event in self._list_new_events():
            self._apply_event(event)
            self.last_event_id = event["id"]

    def _list_new_events(self) -> list[HistoryEventTypeDef]:
        """List the events since the last poll, oldest first.

        The history is read backwards, so that we can stop at the first event that we know.
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

    def _apply_event(self, event: HistoryEventTypeDef) -> None:
        time = event["timestamp"]
        if "stateEnteredEventDetails" in event:
            entry = event["stateEnteredEventDetails"]
            # The first state's input is what a person passed to the run, so it may be anything.
            if entry["name"] != FIRST_STATE:
                self._enter_state(entry["name"], json.loads(entry["input"]), time)

        if "stateExitedEventDetails" in event:
            end = event["stateExitedEventDetails"]
            self._leave_state(end["name"], json.loads(end["output"]), time)

        if "executionFailedEventDetails" in event:
            self._apply_failure(event["executionFailedEventDetails"])
        if "executionAbortedEventDetails" in event:
            self._apply_failure(event["executionAbortedEventDetails"])

    def _apply_failure(
        self, failure: ExecutionFailedEventDetailsTypeDef | ExecutionAbortedEventDetailsTypeDef
    ) -> None:
        self.run.failure = ": ".join(filter(None, [failure.get("error"), failure.get("cause")]))

    def _enter_state(self, name: str, document: Document, time: datetime) -> None:
        """Update the job that the state works on, or else the stage of the run."""
        job = self._get_job(document)
        if job is not None:
            job.apply_state(document, time)
            return

        # After an error, keep the stage that failed, because that's what people want to know.
        if name not in STAGES or "error" in document:
            return
        self.run.waiting_reasons = ()
        self.run.stage = STAGES[name]
        if name == "Retrain solutions" and self.campaign_kind == "trial at":
            self.run.stage = ENDING_TRIALS

    def _leave_state(self, name: str, document: Document, time: datetime) -> None:
        """Update the job that the state worked on, or else the run itself."""
        job = self._get_job(document)
        if job is not None:
            job.apply_state(document, time)
            return

        if name == FIRST_STATE:
            run = identify_run(document["run"])
            self.run.run_id = run["id"]
            self.run.trigger = run["trigger"]
        elif name == "Plan retraining" and "error" not in document:
            self._apply_plan(document["plan"], document["settings"], time)
        elif name == "Report outcome" and "report" in document:
            self.run.apply_report(document["report"])

    def _get_job(self, document: Document) -> Job | None:
        """Return the job that a state works on, and add it if it's new. None if there is no job."""
        if "dataset" in document:
            return self.run.get_or_add_job("import", document["dataset"]["type"])
        if "campaign" in document:
            return self.run.get_or_add_job(self.campaign_kind, document["campaign"]["campaignArn"])
        if "batchJob" in document:
            return self.run.get_or_add_job("write", document["batchJob"])

        # The key is missing if the run only ends the solution's trials. Otherwise, null means that
        # there's no version to deploy yet, so the run trains one.
        solution = document.get("solution", {})
        if solution.get("existingVersionArn", "ready") is None:
            return self.run.get_or_add_job("train", solution["solutionArn"])
        return None

    def _apply_plan(self, plan: Document, settings: Settings, time: datetime) -> None:
        """Update the run from a plan: to wait, to end trials of earlier runs, or to start jobs."""
        self.campaign_kind = "update"
        self.run.waiting_reasons = ()

        if plan["todo"] == "TRIALS":
            self.campaign_kind = "trial at"
        elif plan["todo"] == "WAIT":
            end = time + timedelta(seconds=plan["seconds"])
            self.run.stage = f"waiting until {format_time(end)} UTC or longer"
            self.run.waiting_reasons = plan["reasons"]
        elif plan["todo"] == "WORK":
            self._add_planned_jobs(plan, settings)

    def _add_planned_jobs(self, plan: Document, settings: Settings) -> None:
        """Add the jobs of a plan, each with the median duration of earlier ones as its estimate."""
        add_job = self.run.get_or_add_job
        for dataset in plan["imports"]:
            add_job("import", dataset["type"], median_high(dataset["durations"] or [0]))

        for solution in plan["solutions"]:
            if solution["existingVersionArn"] is None:
                seconds = median_high(solution["durations"] or [0])
                add_job("train", solution["solutionArn"], seconds)
            for campaign in solution["campaigns"]:
                seconds = self._estimate_update_seconds(campaign, settings)
                add_job("update", campaign["campaignArn"], seconds)
            for output in solution["batchJobs"]:
                add_job("write", output)

    def _estimate_update_seconds(self, planned: Document, settings: Settings) -> float:
        """Estimate how long an update takes with its trial.

        A trial takes as long as its probe or its bake, whichever is longer.
        """
        campaign_arn = planned["campaignArn"]
        campaigns = find_solution_of_campaign(settings, campaign_arn)["campaigns"]
        campaign = next(each for each in campaigns if each["campaignArn"] == campaign_arn)

        probe_seconds = campaign["probe"]["minutes"] * 60 if campaign["probe"] else 0
        bake_seconds = campaign["bake"]["hours"] * 3600 if campaign["bake"] else 0
        update_seconds: float = planned.get("updateSeconds", self.usual_update_seconds)
        return update_seconds + max(probe_seconds, bake_seconds)


def read_run(
    client: SFNClient, execution: Execution, pipeline_options: Sequence[str] = ()
) -> ShownRun:
    """Read a run from its report if its execution succeeded, otherwise from its events.

    Unless there are more than FIRST_PAGE_SIZE events, this takes one request.
    """
    run = ShownRun(execution, pipeline_options)
    if execution.status == "SUCCEEDED":
        run.apply_report(read_report(client, execution))
    else:
        EventReader(client, run).read_new_events()
        run.apply_execution(execution)
    return run
