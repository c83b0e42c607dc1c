"""Tell a story of a pipeline: several slots, and what goes wrong in and around them.

The storyteller lets virtual time pass, and notes what happened whatever the reports say.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from botocore.exceptions import ClientError

from components.args import SolutionArgs
from components.function_configs import FUNCTION_CONFIGS
from emulator.personalize.faults import Faults
from emulator.personalize.resources import (
    Campaign,
    DataDeletionJob,
    Dataset,
    ImportJob,
    SolutionVersion,
)
from emulator.virtual.step_functions import SCOPE, Execution, LambdaFailure
from functions.contract import find_solution_settings
from functions.personalize.approvals import build_approval_tags
from functions.personalize.campaigns import UNSET_VALUE, build_record_tags, parse_pin
from functions.personalize.tags import (
    APPROVAL_TAG,
    BLOCKED_VERSION_TAG,
    CONFIRMED_TAG,
    PIN_TAG,
    RUN_TAG,
    TAINTED_VALUE,
    write_tags,
)
from functions.rules.campaigns import DeploymentRecord
from retrain.account.errors import FailedError, OperatorError
from retrain.act import rollback
from tests.workflow.clients import FUNCTIONS as CALLER
from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import SLOT, Pipeline, definition_of, handler
from tests.workflow.summaries import event_of, report_of
from tests.workflow.witness import ALARM, Witness
from tests.world import (
    HOUR,
    DatasetGroup,
    campaign_arn,
    dataset_arn,
    exports,
    interactions,
    solution_arn,
)

WEEK = 7 * 24 * HOUR
WATCH_SECONDS = 15 * 60
"""The pause between two calls of the watcher."""
WATCHED_HOURS = 24
"""The hours after a slot within which nothing may be left that the watcher takes care of."""
CLOSE_SECONDS = (5, 30)
"""When the event of an execution's end arrives. It may arrive twice."""
LAMBDA_RETRY_SECONDS = (60, 120)
"""The pauses before Lambda's two retries of a function that an event invoked:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""
CHANGES = ("Create", "Stop", "Tag", "Update")
"""The first words of the operations that change something."""

DESCRIPTIONS = ("DescribeCampaign", "DescribeDatasetImportJob", "DescribeSolutionVersion")
LISTS = ("ListDatasetImportJobs", "ListSolutionVersions")
CREATES = ("CreateDatasetImportJob", "CreateSolutionVersion")
WRITES = (*CREATES, "StopSolutionVersionCreation", "TagResource", "UpdateCampaign")
CALLS = (*DESCRIPTIONS, *LISTS, *WRITES, "GetSolutionMetrics", "ListTagsForResource")
PROBE = "GetRecommendations"
JOBS = ("dataset-import-job", "solution-version", "campaign-update")
DATASETS = ("interactions", "items")
SOLUTIONS = ("taste", "novel")
CAMPAIGNS = ("home", "shelf", "page")
KEYS = {"interactions": "interactions.csv", "items": "items/items.csv"}
"""The key of each export. Personalize imports all files of the folder of the items."""
PROBED_CAMPAIGNS = ("home", "page")
FUNCTIONS = [step for step in FUNCTION_CONFIGS if not step.startswith(("close", "watch", "start"))]
"""The functions that a run calls."""

FAULTS: Mapping[str, tuple[Sequence[str], Mapping[str, object]]] = {
    "throttle": ((*CALLS, PROBE), {"fault": "throttle"}),
    "server-error": ((*CALLS, PROBE), {"fault": "server-error"}),
    "deny": ((*CALLS, PROBE), {"fault": "deny"}),
    "deny-for-hours": (("TagResource",), {"fault": "deny", "times": None}),
    "lost": (WRITES, {"fault": "lost-answer"}),
    "lost-with-error": (WRITES, {"fault": "lost-answer", "status": 500}),
    "old-list": (LISTS, {"fault": "stale", "seconds": 85, "rate": 0.5, "times": None}),
    "old-description": (DESCRIPTIONS, {"fault": "stale", "seconds": 60}),
    "too-many-tags": (("TagResource",), {"fault": "too-many-tags"}),
    "full": (CREATES, {"fault": "limit-exceeded"}),
    "in-use": (WRITES, {"fault": "resource-in-use"}),
    "no-item-list": ((PROBE,), {"fault": "no-item-list"}),
    "wrong-probe": ((PROBE,), {"fault": "no-item-list", "times": None}),
    "fail": (JOBS, {"fault": "fail", "times": 1}),
    "late": (JOBS, {"fault": "take", "seconds": 3 * HOUR, "times": 1}),
    "quick": (JOBS, {"fault": "take", "seconds": 1}),
    "unknown-status": (JOBS, {"fault": "unknown-status"}),
    "hang": (("solution-version",), {"fault": "hang", "times": 1}),
    "stop": (("solution-version",), {"fault": "stop", "times": 1}),
}
"""The operations or kinds of jobs that a fault of the Personalize emulator can meet, and its
values. A fault with `times` None is there for hours."""
DURING_TRIALS = 1800
"""The seconds after the start of a slot at which campaigns usually serve new versions on trial."""
BAD_VERSIONS = 0.25
"""The probability that a solution trains a version in a slot from which campaigns answer without
items."""
DEATHS = {
    "killed": "Runtime.ExitError",
    "killed-before": "Sandbox.Timedout",
    "no-memory": "Runtime.OutOfMemory",
}
"""The errors of the invocations that are killed: the first one after its work, others before it."""


class Happening(NamedTuple):
    """One thing that happens some seconds after the start of a slot, or before it.

    `where` is an operation, a kind of job, a function, a dataset, a solution or a campaign. `kind`
    says which of them. `times` is how often it happens, or for how many hours.
    """

    kind: str
    where: str
    seconds: int = 0
    times: int = 1


Slot = Sequence[Happening]
MAX_LAST_RUNS = 5
"""How often a run is started after the last slot, until no new version has come meanwhile."""
LATE_LIST_SECONDS = 120
"""The time after which no list is old any more."""
RATES = ("1", "1", "2", "3", "7")
"""The days between two automatic trainings. A short rate lets trainings and runs meet often."""


def end_of(job: Any) -> datetime:
    """Return when a job of the emulator ends."""
    return job.timeline.transitions[-1].time


@dataclass
class Ended:
    """An execution that has ended, and what the world looked like then."""

    execution: Execution
    report: Mapping[str, Any] | None
    served: Mapping[str, str]
    """The version that each campaign served."""
    on_trial: Sequence[str]
    """The campaigns that served a version on trial."""
    untried: Sequence[str]
    """The campaigns that served a version that nobody chose, that never passed, not on trial."""
    answers: Mapping[str, str]
    """What the tag of each version said about its approval."""
    closed_by: list[Mapping[str, Any]] = field(default_factory=list)
    """The reports of `close_run`."""

    @property
    def at(self) -> datetime:
        """Return the time of its end."""
        return self.execution.events[-1]["timestamp"]


@dataclass
class Storyteller:
    """Lets virtual time pass, and does what is due."""

    pipeline: Pipeline
    random: Random
    weather: Sequence[Mapping[str, object]] = ()
    """Faults that are there during every slot."""
    slot: str = SLOT
    """The time of the slot."""
    cadence: timedelta = timedelta(weeks=1)
    """The time between two slots."""
    second: Pipeline | None = None
    """Another stack for the same dataset group."""
    ended: list[Ended] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What was left a day after a slot: versions on trial, and trainings that nobody stops."""
    changes: list[tuple[datetime, object, str]] = field(default_factory=list)
    """When a function of which execution has requested which change."""
    written_untrusted: list[str] = field(default_factory=list)
    """Each version whose results a run has written although it has passed on no campaign."""
    wrongly_trained: list[str] = field(default_factory=list)
    """The trainings that a run has started although Personalize trains the solution."""
    tainted: set[str] = field(default_factory=set)
    """The import jobs that a function has marked as tainted."""
    witnesses: dict[str, Witness] = field(default_factory=dict)
    """Who watches each campaign."""
    runs: dict[object, str] = field(default_factory=dict)
    """The id of the run of each execution."""
    settings: dict[object, Any] = field(default_factory=dict)
    """The settings of each execution."""
    number: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._tasks = 0
        self._deaths: dict[str, list[str]] = defaultdict(list)
        self.pipeline.handlers = {step: partial(self._invoke, step) for step in FUNCTIONS}
        for solution in self.pipeline.args.solutions:
            for campaign in solution.campaigns:
                self.witnesses[campaign.campaign_arn] = Witness(self, solution, campaign)
        for dataset, content in exports(shift=33).items():
            self.pipeline.bucket.objects[f"foreign-{dataset}"] = content
        self.pipeline.bucket.objects[KEYS["items"]] = exports()["items.csv"]
        self.write_batch_input()

    def add_second_stack(self) -> None:
        """Let a second stack have the campaign SHELF. It imports nothing and trains nothing."""
        group = self.pipeline.group
        taste, *others = group.solutions
        home = [item for item in taste.campaigns if item.campaign_arn != campaign_arn("shelf")]
        shelf = [item for item in taste.campaigns if item not in home]
        second = replace(taste, trained_by="personalize", campaigns=shelf, batch_jobs=[])
        self.second = replace(
            self.pipeline, prefix="second00", group=group.with_datasets().with_solutions(second)
        )
        self.pipeline.group = group.with_solutions(replace(taste, campaigns=home), *others)

    def tell(self, slots: Sequence[Slot]) -> None:
        """Run the slots, one after the other, until nothing is running."""
        call = partial(self._call, self.pipeline.personalize.call)
        with (
            patch.object(self.pipeline.step_functions, "status_changed", self._status_changed),
            patch.object(self.pipeline.personalize, "call", call),
        ):
            for number, slot in enumerate(slots, 1):
                self._tell_slot(datetime.fromisoformat(SLOT) + number * self.cadence, slot)
            self.pipeline.personalize.faults.clear()
            self._find_nothing()

    def _tell_slot(self, time: datetime, slot: Slot) -> None:
        self.slot = time.isoformat()
        self.pipeline.personalize.faults.clear()
        self.pipeline.step_functions.faults.clear()
        self._deaths.clear()
        for fault in self.weather:
            self.pipeline.personalize.faults.inject(fault)
        for arn in map(solution_arn, SOLUTIONS):
            if self.random.random() < BAD_VERSIONS:
                self.pipeline.inject_fault("no-results", job="solution-version", of=arn)
        for item in slot:
            happen = partial(SELF_TRAINED_HAPPENINGS[item.kind][1], self, item)
            self._at(time + timedelta(seconds=item.seconds), happen)
        self._at(time, lambda: self.pipeline.start(scheduledTime=self.slot))
        while self._tasks or self._running() or self._is_left(time):
            self.pipeline.sleep(WATCH_SECONDS)
            if self._running() or self._left():
                for stack in self.stacks:
                    stack.watch()
        self.left += self._left()

    def _find_nothing(self) -> None:
        """Start runs until the last ones could not find anything new."""
        known: list[SolutionVersion] = []
        for _ in range(MAX_LAST_RUNS):
            known_before = known
            known = self.versions("ACTIVE")
            self.pipeline.inbox.messages.clear()
            for stack in self.stacks:
                stack.run(scheduledTime=self.now.isoformat())
            self.pipeline.sleep(LATE_LIST_SECONDS)
            if self.versions("ACTIVE") == known_before:
                return

    # What the emulator stores

    def resources(self, kind: type) -> dict[str, Any]:
        """Return the resources of a class, by ARN."""
        return self.pipeline.personalize.resources(kind, OPERATOR)

    def versions(self, *statuses: str) -> list[SolutionVersion]:
        """Return the versions with one of these statuses, oldest first."""
        now = self.now
        versions = self.resources(SolutionVersion).values()
        return [version for version in versions if version.status(now) in statuses]

    def candidates(self, solution: SolutionArgs) -> list[SolutionVersion]:
        """Return the versions of a solution that runs may deploy, oldest first."""
        is_any = solution.trained_by == "personalize"
        return [
            version
            for version in self.versions("ACTIVE")
            if version.solution.arn == solution.solution_arn and (is_any or RUN_TAG in version.tags)
        ]

    @property
    def stacks(self) -> list[Pipeline]:
        """Return the stacks for the dataset group."""
        return [stack for stack in (self.second, self.pipeline) if stack]

    def campaigns(self) -> list[tuple[Pipeline, SolutionArgs, str]]:
        """Return the ARN of each campaign with its stack and its solution, as deployed now."""
        return [
            (stack, solution, campaign.campaign_arn)
            for stack in self.stacks
            for solution in stack.group.solutions
            for campaign in solution.campaigns
        ]

    def imports(self) -> list[ImportJob]:
        """Return the successful imports in the order of their ends."""
        jobs = self.resources(ImportJob).values()
        now = self.now

        return sorted(
            (job for job in jobs if job.is_active(now)),
            key=end_of,
        )

    def deletions(self) -> list[DataDeletionJob]:
        """Return the deletions of users."""
        return [*self.resources(DataDeletionJob).values()]

    def jobs_of(self, run: str) -> list[str]:
        """Return the import jobs and the versions that a run has created."""
        jobs = {**self.resources(ImportJob), **self.resources(SolutionVersion)}
        return [arn for arn, job in jobs.items() if job.tags.get(RUN_TAG) == run]

    def held(self, dataset: str) -> tuple[str, ...]:
        """Return the ARNs of the imports whose data a dataset holds."""
        return tuple(self.resources(Dataset)[dataset_arn(dataset)].import_arns)

    def holds_export(self, dataset: str) -> bool:
        """Return True if the newest import of a dataset has read its newest export."""
        content = self.pipeline.bucket.objects[KEYS[dataset]]
        hashes = self.resources(ImportJob)[self.held(dataset)[-1]].hashes
        return [*hashes.values()] == [hashlib.sha256(content).hexdigest()]

    def served(self, campaign: str) -> str:
        """Return the version that a campaign serves."""
        return self.resources(Campaign)[campaign].served_version_arn(self.now)

    def on_trial(self, campaign: str) -> bool:
        """Return True if the tags say that the version that a campaign serves is on trial."""
        trial = self.witnesses[campaign].record.trial
        return trial is not None and trial.version_arn == self.served(campaign)

    @property
    def current_settings(self) -> Any:
        """Return the settings of the run whose function is calling."""
        return self.settings[self.pipeline.clock.current_task.group]

    @property
    def now(self) -> datetime:
        """Return the virtual time."""
        return self.pipeline.clock.now()

    @property
    def current_run(self) -> str | None:
        """Return the id of the run whose function is calling."""
        return self.runs.get(self.pipeline.clock.current_task.group)

    def _call(self, send, operation, request, caller):
        """Send a request to Personalize, and note what it changes or proves."""
        is_person = caller.arn != CALLER.arn
        tags = {tag["tagKey"]: tag["tagValue"] for tag in request.get("tags", ())}
        witness = self.witnesses.get(request.get("campaignArn") or request.get("resourceArn"))
        version = request.get("solutionVersionArn")
        record = witness.record if witness else None
        if operation == "UpdateCampaign" and not is_person:
            witness.note_move(version, is_person=False)
        if operation == "CreateBatchInferenceJob":
            self._note_batch_job(version)
        if operation == "CreateSolutionVersion" and not is_person:
            solution = request["solutionArn"]
            settings = find_solution_settings(self.current_settings, solution)
            if settings["trainedBy"] == "personalize":
                self.wrongly_trained.append(f"a run has trained {solution} at {self.now}")
        response = {}
        try:
            response = send(operation, request, caller)
        finally:
            if not is_person and operation.startswith(CHANGES):
                self.changes.append((self.now, self.pipeline.clock.current_task.group, operation))
            if operation == PROBE:
                witness.note_answer(response)
            if witness and witness.record != record:
                witness.note_record(record, is_person=is_person)
        if tags.get(CONFIRMED_TAG) == TAINTED_VALUE:
            self.tainted.add(request["resourceArn"])
        if operation == "UpdateCampaign" and is_person and version:
            witness.note_move(version, is_person=True)

        return response

    def _note_batch_job(self, version: str) -> None:
        solution = version.rpartition("/")[0]
        campaigns = [item for item in self.witnesses.values() if item.served.startswith(solution)]
        if not any(version in item.passed - item.blocked for item in campaigns):
            self.written_untrusted.append(f"the results of {version} are written")

    # Time

    def _at(self, when: datetime, action: Callable[[], object]) -> None:
        self._in((when - self.now).total_seconds(), action)

    def _in(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something later, while other things go on."""

        def task() -> None:
            self.pipeline.sleep(seconds)
            action()
            self._tasks -= 1

        self._tasks += 1
        self.pipeline.clock.start(task)

    def _running(self) -> list[Execution]:
        executions = self.pipeline.step_functions.executions()
        return [started for started in executions if started.status == "RUNNING"]

    def _left(self) -> list[str]:
        """Return the campaigns on trial and the trainings of the pipeline that are running."""
        trials = [arn for arn in map(campaign_arn, CAMPAIGNS) if self.on_trial(arn)]
        running = self.versions("CREATE PENDING", "CREATE IN_PROGRESS", "CREATE PAUSED")
        return trials + [version.arn for version in running if RUN_TAG in version.tags]

    def _is_left(self, time: datetime) -> bool:
        """Return True if something is left that the watcher still has time for."""
        is_over = self.now - time > timedelta(hours=WATCHED_HOURS)
        return bool(self._left()) and not is_over

    def _status_changed(self, execution: Execution) -> None:
        """Note an execution that has ended. Without success, `close_run` gets an event."""
        if execution.status == "RUNNING":
            return
        campaigns = [campaign_arn(name) for name in CAMPAIGNS]
        on_trial = [campaign for campaign in campaigns if self.on_trial(campaign)]
        probed = [campaign_arn(name) for name in PROBED_CAMPAIGNS]
        versions = self.resources(SolutionVersion)
        ended = Ended(
            execution,
            report_of(execution),
            {campaign: self.served(campaign) for campaign in campaigns},
            on_trial,
            [arn for arn in probed if arn not in on_trial and self.witnesses[arn].is_untried],
            {arn: item.tags.get(APPROVAL_TAG, "") for arn, item in versions.items()},
        )
        self.ended.append(ended)
        if execution.status != "SUCCEEDED":
            for seconds in CLOSE_SECONDS[: self.random.choice((1, 1, 2))]:
                self._in(seconds, partial(self._close, ended))

    def _close(self, ended: Ended) -> None:
        """Invoke `close_run` as EventBridge and Lambda do."""
        for pause in (*LAMBDA_RETRY_SECONDS, None):
            try:
                closed = handler("close_run")(event_of(ended.execution), None)
            except Exception:
                if pause is None:
                    raise
                self.pipeline.sleep(pause)
            else:
                ended.closed_by += [closed["report"]] if closed else []
                return

    def _invoke(self, step: str, event, context):
        """Invoke a function. Perhaps it is killed, or invoked twice."""
        group = self.pipeline.clock.current_task.group
        self.runs[group] = event["run"].get("id")
        self.settings[group] = event["settings"]
        kind = self._deaths[step].pop() if self._deaths[step] else None
        if kind in ("killed-before", "no-memory"):
            raise LambdaFailure(DEATHS[kind])
        result = handler(step)(event, context)
        if kind == "killed":
            raise LambdaFailure(DEATHS[kind])

        return handler(step)(event, context) if kind == "twice" else result

    # What happens. Each method below does what a `Happening` says.

    def disturb(self, item: Happening) -> None:
        """Inject a fault into Personalize."""
        scope = "job" if item.where in JOBS else "operation"
        values = {scope: item.where, "times": item.times, **FAULTS[item.kind][1]}
        self._inject(self.pipeline.personalize.faults, values, item.times)

    def show_old_executions(self, item: Happening) -> None:
        """Let Step Functions answer with what it knew a minute ago."""
        values = {"operation": item.where, **FAULTS["old-list"][1]}
        self._inject(self.pipeline.step_functions.faults, values, item.times)

    def _inject(self, faults: Faults, values: Mapping[str, object], hours: int) -> None:
        fault = faults.inject(values)
        if values["times"] is None:
            self._in(hours * HOUR, partial(faults.clear, fault))

    def kill(self, item: Happening) -> None:
        """Kill the next invocations of a function, or invoke it twice."""
        self._deaths[item.where] += [item.kind] * item.times

    def end(self, item: Happening) -> None:
        """Abort the executions that are running, or let them time out."""
        for started in self._running():
            if item.kind == "abort":
                started.abort("Enough", "of this")
            else:
                started.time_out()

    def start_again(self, _item: Happening) -> None:
        """Deliver the event of the slot once more."""
        self.pipeline.start(scheduledTime=self.slot)

    def start_by_hand(self, item: Happening) -> None:
        """Start a run by hand."""
        request = {"force": True} if item.where == "force" else {}
        self.pipeline.start(scheduledTime=None, scheduleArn=None, trigger=None, **request)

    def recreate(self, item: Happening) -> None:
        """Destroy the stack, and deploy it again. Only tags tell what the old one has done.

        Perhaps without a quality gate, so that a version that was rejected may be deployed.
        """
        group = self.pipeline.group
        prefix = f"{next(self.number):08x}"
        if item.where == "without a gate":
            ungated = [replace(row, quality_gate_enabled=False) for row in group.solutions]
            group = group.with_solutions(*ungated)
            for witness in self.witnesses.values():
                witness.solution = replace(witness.solution, quality_gate_enabled=False)
        self.pipeline = replace(self.pipeline, group=group, prefix=prefix)

    def switch(self, item: Happening) -> None:
        """Change who trains a solution. Automatic training stays as it is."""
        if not self.pipeline.group.datasets:
            return  # Only Personalize can train solutions without datasets.

        other = {"pipeline": "personalize", "personalize": "pipeline"}
        rows = [
            replace(row, trained_by=other[row.trained_by])
            if row.solution_arn == solution_arn(item.where)
            else row
            for row in self.pipeline.group.solutions
        ]
        self._redeploy(self.pipeline.group.with_solutions(*rows))

    def _redeploy(self, group: DatasetGroup) -> None:
        """Deploy other settings. The executions that are running keep the old ones."""
        definition = json.dumps(definition_of(group, prefix=self.pipeline.prefix))
        request = {"stateMachineArn": self.pipeline.machine.arn, "definition": definition}
        self.pipeline.step_functions.service.call("UpdateStateMachine", request, SCOPE)
        self.pipeline.group = group

    def start_second(self, _item: Happening) -> None:
        """Start a run of the other stack."""
        if self.second:
            self.second.start(scheduledTime=self.now.isoformat())

    def stream(self, item: Happening) -> None:
        """Send an event, and some more in the next days."""
        with self.without_faults():
            self.pipeline.stream_event(user=f"u{self.random.randint(1, 39)}")
        if item.times > 1:
            self._in(10 * HOUR, partial(self.stream, item._replace(times=item.times - 1)))

    def set_rate(self, item: Happening) -> None:
        """Turn automatic training on at another rate, which need not fit the slots."""
        rate = f"rate({self.random.choice(RATES)} days)"
        config = {"autoTrainingConfig": {"schedulingExpression": rate}}
        with self.without_faults():
            self.pipeline.client.update_solution(
                solutionArn=solution_arn(item.where),
                performAutoTraining=True,
                solutionUpdateConfig=config,
            )

    def upload(self, item: Happening) -> None:
        """Write a new export."""
        shift = next(self.number)
        content = exports(shift=shift)[f"{item.where}.csv"]
        if item.where == "items":
            content += f"\ni{200 + shift},g0".encode()
        self.pipeline.bucket.put(KEYS[item.where], content)

    def upload_same(self, item: Happening) -> None:
        """Write the newest export once more."""
        key = KEYS[item.where]
        self.pipeline.bucket.put(key, self.pipeline.bucket.objects[key])

    def add_stray_file(self, item: Happening) -> None:
        """Write another file into the folder of an export. It is gone before the next slot."""
        key = f"{item.where}/stray.csv"
        self.pipeline.bucket.put(key, b"ITEM_ID,GENRE\ni999,g0")
        self._in(item.times * 600, lambda: self.pipeline.bucket.objects.pop(key, None))

    def upload_worse(self, item: Happening) -> None:
        """Write an export from which a model learns nothing."""
        content = interactions(shuffled=True) + b"\nu1,i1,%d" % (1_790_100_000 + next(self.number))
        self.pipeline.bucket.put(f"{item.where}.csv", content)

    def import_something_else(self, item: Happening) -> None:
        """Import another file into a dataset."""
        with self.without_faults():
            self.pipeline.foreign_import(
                item.where,
                location=f"s3://exports/foreign-{item.where}.csv",
                job_name=f"foreign-{next(self.number)}",
            )

    def train(self, item: Happening) -> None:
        """Train a version by hand."""
        with self.without_faults():
            self._train(solution_arn(item.where))

    def _train(self, solution: str) -> str:
        name = f"foreign-{next(self.number)}"
        return self.pipeline.foreign_training(name, solutionArn=solution)

    def move(self, item: Happening) -> None:
        """Move a campaign to any version of its solution."""
        solution = self.served(campaign_arn(item.where)).rpartition("/")[0]
        versions = [item.arn for item in self.versions("ACTIVE") if item.solution.arn == solution]
        self._move(item.where, self.random.choice(versions))

    def _move(self, campaign: str, version: str) -> None:
        with self.without_faults():
            self.pipeline.foreign_update(version, campaign)

    def configure(self, item: Happening) -> None:
        """Update a solution: turn automatic training off, or change what a training depends on."""
        changes = {"performAutoTraining": False}
        if item.times > 1:
            events = {"eventParametersList": [{"eventType": f"type{next(self.number)}"}]}
            changes = {"solutionUpdateConfig": {"eventsConfig": events}}
        with self.without_faults():
            self.pipeline.client.update_solution(solutionArn=solution_arn(item.where), **changes)

    def resize(self, item: Happening) -> None:
        """Change the capacity of a campaign, which is an update to the version that it serves."""
        with self.without_faults():
            self.pipeline.client.update_campaign(
                campaignArn=campaign_arn(item.where), minProvisionedTPS=2 + item.times
            )

    def pin(self, item: Happening) -> None:
        """Pin a campaign, or end its pin."""
        witness = self.witnesses[campaign_arn(item.where)]
        self._tag(witness.arn, {PIN_TAG: UNSET_VALUE if parse_pin(witness.tags) else "by a person"})

    def answer(self, item: Happening) -> None:
        """Approve or refuse the newest version for which a run has asked, and start a run.

        Perhaps another person has moved the campaign just before.
        """
        if item.times > 2:
            self.move(item._replace(where="page"))
            self._in(HOUR / 4, partial(self.answer, item._replace(times=1)))
            return
        versions = self.resources(SolutionVersion)
        asked = [arn for arn in versions if "REQUESTED" in versions[arn].tags.get(APPROVAL_TAG, "")]
        for arn in asked[-1:]:
            self._tag(arn, build_approval_tags(item.where, self.now))
            self.pipeline.machine.start({"only": "deployments"})

    def roll_back(self, item: Happening) -> None:
        """Move a campaign back as `retrain rollback` does, perhaps again and again."""
        arn = campaign_arn(item.where)
        client = self.pipeline.client
        stack = next(stack for stack, _, campaign in self.campaigns() if campaign == arn)
        settings = stack.group.settings()
        target = SimpleNamespace(
            settings=settings,
            access=SimpleNamespace(personalize=client),
            options=[],
            command=lambda *_: "",
        )
        # The reports only say which versions a person should not choose, and nobody chooses here.
        no_reports = patch.object(rollback, "read_reports", return_value=[])
        with self.without_faults(), no_reports, suppress(FailedError, OperatorError):
            # The command also asks and waits.
            rollback.start_move(target, rollback.plan_move(target, arn))

        if item.times > 1:
            self._in(HOUR, partial(self.roll_back, item._replace(times=item.times - 1)))

    def roll_two_versions_back(self, item: Happening) -> None:
        """Let the next version be bad. Block a newer one of a person during its trial."""
        arn = campaign_arn(item.where)
        solution = self.served(arn).rpartition("/")[0]
        self.pipeline.inject_fault("no-results", job="solution-version", of=solution)

        def block() -> None:
            with self.without_faults():
                self._tag(arn, {BLOCKED_VERSION_TAG: self._train(solution)})

            self._in(2 * HOUR, partial(self.start_by_hand, item))

        self._in(HOUR + DURING_TRIALS, block)

    def overtake(self, item: Happening) -> None:
        """Move a campaign to a version of a person that is newer than what a run is training."""
        solution = self.served(campaign_arn(item.where)).rpartition("/")[0]
        training = self.versions("CREATE IN_PROGRESS")
        if solution not in [version.solution.arn for version in training]:
            if item.seconds < 4 * HOUR:
                self._in(60, partial(self.overtake, item._replace(seconds=item.seconds + 60)))
            return
        self.pipeline.inject_fault("take", seconds=1, job="solution-version", of=solution)
        with self.without_faults():
            self._in(120, partial(self._move, item.where, self._train(solution)))

    def hide_creation(self, item: Happening) -> None:
        """Lose the answer to a creation, and show the job in no list at first."""
        faults = self.pipeline.personalize.faults
        faults.inject({"operation": item.where, **FAULTS["lost"][1]})
        for operation in LISTS:
            values = {"operation": operation, **FAULTS["old-list"][1], "rate": 1}
            self._inject(faults, values, item.times)

    def edit_tags(self, item: Happening) -> None:
        """Write on a campaign what no run would write there."""
        witness = self.witnesses[campaign_arn(item.where)]
        witness.is_edited = True
        versions = list(self.resources(SolutionVersion))
        words = (
            UNSET_VALUE,
            "nonsense",
            f"{self.random.choice(versions)} {self.now.isoformat()}",
            *versions,
        )
        keys = self.random.sample(sorted(build_record_tags(DeploymentRecord())), 2)
        self._tag(witness.arn, {key: self.random.choice(words) for key in keys})

    def delete_users(self, _item: Happening) -> None:
        """Delete a user from all datasets."""
        with self.without_faults():
            self.pipeline.delete_users("u7", job_name=f"forget-{next(self.number)}")

    def ring(self, item: Happening) -> None:
        """Let the alarm of the bakes go off, and end after some minutes."""
        for witness in self.witnesses.values():
            witness.note_alarm()
        self.pipeline.alarms.change(ALARM, "ALARM")
        self._in(item.times * 1200, partial(self.pipeline.alarms.change, ALARM, "OK"))

    def write_batch_input(self, _item: Happening | None = None) -> None:
        """Write the input of the batch job, sometimes as it was before."""
        user = self.random.randint(1, 3)
        self.pipeline.bucket.put("batch/users.json", f'{{"userId": "u{user}"}}\n'.encode())

    def _tag(self, arn: str, tags: Mapping[str, str]) -> None:
        with self.without_faults():
            write_tags(self.pipeline.client, arn, tags)

    @contextmanager
    def without_faults(self) -> Iterator[None]:
        """Let the requests of a person meet no faults. Personalize may still refuse them."""
        personalize = self.pipeline.personalize
        faults = personalize.faults
        personalize.faults = Faults()
        try:
            with suppress(ClientError):
                yield
        finally:
            personalize.faults = faults


HAPPENINGS: Mapping[str, tuple[Sequence[str], Callable[[Storyteller, Happening], None]]] = {
    **{kind: (places, Storyteller.disturb) for kind, (places, _) in FAULTS.items()},
    "old-executions": (("DescribeExecution", "ListExecutions"), Storyteller.show_old_executions),
    **dict.fromkeys((*DEATHS, "twice"), (FUNCTIONS, Storyteller.kill)),
    "abort": (("execution",), Storyteller.end),
    "time-out": (("execution",), Storyteller.end),
    "duplicate": (("schedule",), Storyteller.start_again),
    "run": (("manual", "force"), Storyteller.start_by_hand),
    "recreate": (("stack", "without a gate"), Storyteller.recreate),
    "upload": (DATASETS, Storyteller.upload),
    "upload-same": (DATASETS, Storyteller.upload_same),
    "stray-file": (("items",), Storyteller.add_stray_file),
    "worse-data": (("interactions",), Storyteller.upload_worse),
    "foreign-import": (DATASETS, Storyteller.import_something_else),
    "foreign-training": (SOLUTIONS, Storyteller.train),
    "move": (CAMPAIGNS, Storyteller.move),
    "configure": (SOLUTIONS, Storyteller.configure),
    "resize": (CAMPAIGNS, Storyteller.resize),
    "pin": (CAMPAIGNS, Storyteller.pin),
    "answer": (("APPROVED", "APPROVED", "REFUSED"), Storyteller.answer),
    "roll-back": (CAMPAIGNS, Storyteller.roll_back),
    "two-rollbacks": (PROBED_CAMPAIGNS, Storyteller.roll_two_versions_back),
    "overtake": (CAMPAIGNS, Storyteller.overtake),
    "hide": (CREATES, Storyteller.hide_creation),
    "edit-tags": (CAMPAIGNS, Storyteller.edit_tags),
    "delete-users": (("group",), Storyteller.delete_users),
    "ring": (("alarm",), Storyteller.ring),
    "batch-input": (("file",), Storyteller.write_batch_input),
}
"""The places of each kind of happening, and what happens there."""
SELF_TRAINED_HAPPENINGS: Mapping[
    str, tuple[Sequence[str], Callable[[Storyteller, Happening], None]]
] = {
    **HAPPENINGS,
    "stream": (("events",), Storyteller.stream),
    "rate": (SOLUTIONS, Storyteller.set_rate),
    "switch": (SOLUTIONS, Storyteller.switch),
    "second-stack": (("run",), Storyteller.start_second),
}
"""The same in stories of solutions that Personalize trains."""
