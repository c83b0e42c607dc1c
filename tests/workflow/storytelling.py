"""Make a story happen: several slots of a pipeline, and what goes wrong around them."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from botocore.exceptions import ClientError

from emulator.personalize.faults import Faults
from emulator.virtual.step_functions import Execution, StartedExecution
from tests.workflow.kills import Kills
from tests.workflow.pipeline import SLOT, Pipeline, handler
from tests.workflow.stories import FAULTS, WEEK, Happening, Slot
from tests.workflow.summaries import event_of, report_of
from tests.workflow.truth import Truth
from tests.world import HOUR, campaign_arn, exports, interactions, solution_arn

LOOK_SECONDS = 60
"""The pause between two looks at the executions."""
CLOSE_SECONDS = (5, 30)
"""When the event of an execution's end arrives. It may arrive twice."""
OLD_EXECUTIONS_SECONDS = 85


@dataclass
class Ended:
    """An execution that has ended, and what the world looked like then."""

    execution: Execution
    report: Mapping[str, object] | None
    at: datetime
    served: Mapping[str, str]
    """The version that each campaign served."""
    on_trial: Mapping[str, bool]
    untried: Sequence[str]
    """The campaigns that served a version that nobody chose, that never passed, not on trial."""
    held: Mapping[str, str | None]
    """The hash of the file that each dataset held."""
    closed_by: list[Mapping[str, object]] = field(default_factory=list)


@dataclass
class Storyteller:
    """Lets virtual time pass, and does what is due."""

    pipeline: Pipeline
    truth: Truth
    kills: Kills
    seed: int
    weather: Sequence[Mapping[str, object]] = ()
    """Faults that are there during every slot."""
    slots: list[datetime] = field(default_factory=list)
    """The times of the slots, and the end of the last one."""
    ended: list[Ended] = field(default_factory=list)
    agenda: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - a reproducible story
        for dataset, content in exports(shift=33).items():
            self.pipeline.bucket.objects[f"foreign-{dataset}"] = content

    def tell(self, slots: Sequence[Slot]) -> None:
        """Run the slots, one after the other, until nothing is running."""
        for number, slot in enumerate(slots, 1):
            time = datetime.fromisoformat(SLOT) + timedelta(seconds=number * WEEK)
            self.slots = [*self.slots[:-1], time, time + timedelta(seconds=WEEK)]
            self._clear_faults()
            for fault in self.weather:
                self.pipeline.personalize.faults.inject(fault)
            for happening in slot:
                at = time + timedelta(seconds=happening.seconds)
                self._at(at, lambda happening=happening: self._happen(happening))
            self._at(time, lambda time=time: self.pipeline.start(scheduledTime=time.isoformat()))
            self._pass_time()

    # Time

    def _at(self, when: datetime, action: Callable[[], object]) -> None:
        heapq.heappush(self.agenda, (when, next(self.number), action))

    def _pass_time(self) -> None:
        """Let time pass until the agenda is empty and no execution is running."""
        clock = self.pipeline.clock
        while True:
            while self.agenda and self.agenda[0][0] <= clock.now():
                heapq.heappop(self.agenda)[2]()
            clock.sleep(0)
            running = self._look_at_executions()
            if not running and not self.agenda:
                return
            pause = LOOK_SECONDS if running else WEEK
            if self.agenda:
                pause = min(pause, (self.agenda[0][0] - clock.now()).total_seconds())
            clock.sleep(max(0, pause))

    def _look_at_executions(self) -> bool:
        """Note the executions that have ended. Return True if one is running."""
        known = {ended.execution.arn for ended in self.ended}
        for started in self._executions():
            if started.arn not in known and not self._is_running(started):
                self._has_ended(started.now())
        return len(self.ended) < len(self._executions())

    def _is_running(self, started: StartedExecution) -> bool:
        """Return True if an execution is running. `now` would copy its whole history."""
        return started.running.status == "RUNNING"

    def _executions(self) -> list[StartedExecution]:
        return self.pipeline.step_functions.executions()

    def _has_ended(self, execution: Execution) -> None:
        """Note an execution that has ended. Without a report, `close_run` gets an event."""
        at = execution.events[-1]["timestamp"]
        campaigns = [str(c.campaign_arn) for s in self.pipeline.args.solutions for c in s.campaigns]
        ended = Ended(
            execution,
            report_of(execution),
            at,
            {campaign: self.truth.served(campaign, at) for campaign in campaigns},
            {campaign: self.truth.on_trial(campaign) for campaign in campaigns},
            [campaign for campaign in campaigns if self.truth.is_untried(campaign)],
            {dataset: self.truth.held(dataset) for dataset in self.pipeline.group.datasets},
        )
        self.ended.append(ended)
        if execution.status != "SUCCEEDED":
            for seconds in CLOSE_SECONDS[: self.random.choice((1, 1, 2))]:
                self._close_at(at + timedelta(seconds=seconds), ended, attempts=3)

    def _close_at(self, when: datetime, ended: Ended, *, attempts: int) -> None:
        """Invoke `close_run` at a time. Lambda tries it again after one and two minutes."""

        def close() -> None:
            try:
                closed = handler("close_run")(event_of(ended.execution), None)
            except Exception:
                if attempts == 1:
                    raise
                later = self.pipeline.clock.now() + timedelta(seconds=60 * (4 - attempts))
                self._close_at(later, ended, attempts=attempts - 1)
            else:
                if closed is not None:
                    ended.closed_by.append(closed["report"])

        self._at(when, close)

    # What happens

    def _happen(self, happening: Happening) -> None:
        if happening.kind in FAULTS:
            self.pipeline.personalize.faults.inject(FAULTS[happening.kind](happening))
        elif happening.kind in ("killed", "killed-before", "twice"):
            self.kills.add(happening)
        else:
            HAPPENINGS[happening.kind](self, happening)

    @contextmanager
    def _without_faults(self) -> Iterator[None]:
        personalize = self.pipeline.personalize
        faults, personalize.faults = personalize.faults, Faults()
        try:
            with suppress(ClientError):
                yield
        finally:
            personalize.faults = faults

    def _clear_faults(self) -> None:
        self.pipeline.personalize.faults.clear()
        self.pipeline.step_functions.faults.clear()
        self.kills.clear()

    def upload(self, happening: Happening) -> None:
        """Write a new export."""
        shift = next(self.number)
        content = exports(shift=shift)[f"{happening.where}.csv"]
        if happening.where == "items":
            content += f"\ni{200 + shift},g0".encode()
        self.truth.upload(happening.where, content)

    def upload_same(self, happening: Happening) -> None:
        """Write the newest export once more."""
        self.truth.upload(happening.where, self.truth.newest_export(happening.where))

    def upload_worse(self, _happening: Happening) -> None:
        """Write an export from which a model learns nothing."""
        content = interactions(shuffled=True) + b"\nu1,i1,%d" % (1_790_100_000 + next(self.number))
        self.truth.upload("interactions", content)

    def import_something_else(self, happening: Happening) -> None:
        """Import another file into a dataset."""
        with self._without_faults():
            self.pipeline.foreign_import(
                happening.where,
                location=f"s3://exports/foreign-{happening.where}.csv",
                job_name=f"foreign-{next(self.number)}",
            )

    def train(self, happening: Happening) -> None:
        """Train a version by hand."""
        with self._without_faults():
            arn = self.pipeline.foreign_training(
                f"foreign-{next(self.number)}", solutionArn=solution_arn(happening.where)
            )
            self.truth.foreign.add(arn)

    def train_automatically(self, happening: Happening) -> None:
        """Train a version as the service does by itself."""
        with self._without_faults():
            request = {"solutionArn": solution_arn(happening.where)}  # without a name
            response = self.pipeline.client.create_solution_version(**request)
            self.truth.foreign.add(response["solutionVersionArn"])

    def move(self, happening: Happening) -> None:
        """Move a campaign to any version of its solution."""
        arn = campaign_arn(happening.where)
        solution = self.truth.served(arn).rpartition("/")[0]
        versions = [
            item.arn
            for item in self.truth.trainings()
            if item.solution == solution and item.status == "ACTIVE"
        ]
        with self._without_faults():
            self.pipeline.foreign_update(self.random.choice(versions), happening.where)

    def follow_latest(self, happening: Happening) -> None:
        """Let a campaign follow the newest version of its solution."""
        self._set_sync(happening.where, "$LATEST", sync=True)

    def stay(self, happening: Happening) -> None:
        """Let a campaign that follows the newest version stay at the version that it serves."""
        arn = campaign_arn(happening.where)
        if self.truth.follows_latest(arn):
            version = self.truth.served(arn).rpartition("/")[2]
            self._set_sync(happening.where, version, sync=False)

    def _set_sync(self, campaign: str, version: str, *, sync: bool) -> None:
        solution = self.truth.served(campaign_arn(campaign)).rpartition("/")[0]
        config = {"syncWithLatestSolutionVersion": sync}
        with self._without_faults():
            self.pipeline.foreign_update(f"{solution}/{version}", campaign, campaignConfig=config)

    def delete_probe_user(self, happening: Happening) -> None:
        """Let every answer of a campaign be empty for half an hour."""
        until = self.pipeline.clock.now() + timedelta(seconds=1800)
        self.truth.probe_faults[campaign_arn(happening.where)] = until

    def configure(self, happening: Happening) -> None:
        """Update a solution, as somebody does who turns automatic training off."""
        with self._without_faults():
            self.pipeline.client.update_solution(
                solutionArn=solution_arn(happening.where), performAutoTraining=False
            )

    def deny_tags(self, happening: Happening) -> None:
        """Deny all tags for some hours."""
        document = {"fault": "deny", "operation": happening.where, "times": None}
        fault = self.pipeline.personalize.faults.inject(document)
        until = self.pipeline.clock.now() + timedelta(seconds=happening.times * HOUR)

        def allow() -> None:
            with suppress(ValueError):  # another slot has begun
                self.pipeline.personalize.faults.clear(fault)

        self._at(until, allow)

    def return_no_items(self, happening: Happening) -> None:
        """Let the next answers of a campaign have no `itemList`."""
        self.pipeline.inject_fault(
            "no-item-list",
            operation="GetRecommendations",
            of=campaign_arn(happening.where),
            times=happening.times,
        )

    def fail_one(self, happening: Happening) -> None:
        """Let the next training of a solution fail."""
        self.pipeline.inject_fault("fail", job="solution-version", of=solution_arn(happening.where))

    def show_old_executions(self, happening: Happening) -> None:
        """Let Step Functions answer with what it knew a minute ago."""
        self.pipeline.step_functions.faults.inject(
            {
                "fault": "stale",
                "operation": happening.where,
                "seconds": OLD_EXECUTIONS_SECONDS,
                "times": None,
                "rate": 0.5,
            }
        )

    def end(self, happening: Happening) -> None:
        """Abort the executions that are running, or let them time out."""
        for started in self._executions():
            if self._is_running(started):
                if happening.kind == "abort":
                    started.abort("Enough", "of this")
                else:
                    started.time_out()

    def start_again(self, _happening: Happening) -> None:
        """Deliver the event of the slot once more."""
        time = self.pipeline.clock.now().replace(hour=3, minute=0, second=0, microsecond=0)
        self.pipeline.start(scheduledTime=time.isoformat())

    def start_by_hand(self, happening: Happening) -> None:
        """Start a run by hand."""
        request = {} if happening.where == "manual" else {happening.where: True}
        self._start_by_hand(**request)

    def train_update(self, _happening: Happening) -> None:
        """Train with UPDATE by hand."""
        self._start_by_hand(trainingMode="UPDATE")

    def bring_back(self, happening: Happening) -> None:
        """Bring back the daily exports of some slots ago, or append them.

        Another run on the same day must not undo it.
        """
        day = (self.slots[-2] - int(happening.where) * timedelta(seconds=WEEK)).date().isoformat()
        if daily := self.truth.daily_datasets():
            self.truth.bring_back(day)
            self._start_by_hand(exportDate=day, datasets=daily)
            later = self.pipeline.clock.now() + timedelta(seconds=2 * HOUR)
            self._at(later, self._start_by_hand)

    def _start_by_hand(self, **request: object) -> None:
        self.pipeline.start(scheduledTime=None, scheduleArn=None, trigger=None, **request)

    def recreate(self, _happening: Happening) -> None:
        """Destroy the stack, and deploy it again. Only tags tell what the old one has done."""
        prefix = f"{next(self.number):08x}"
        self.pipeline = self.pipeline.second_pipeline(self.pipeline.group, prefix=prefix)


HAPPENINGS: Mapping[str, Callable[[Storyteller, Happening], None]] = {
    "upload": Storyteller.upload,
    "upload-same": Storyteller.upload_same,
    "worse-data": Storyteller.upload_worse,
    "foreign-import": Storyteller.import_something_else,
    "foreign-training": Storyteller.train,
    "automatic-training": Storyteller.train_automatically,
    "move": Storyteller.move,
    "probe-fault": Storyteller.delete_probe_user,
    "configure": Storyteller.configure,
    "no-tags-for-hours": Storyteller.deny_tags,
    "no-item-list": Storyteller.return_no_items,
    "fail-one": Storyteller.fail_one,
    "old-executions": Storyteller.show_old_executions,
    "abort": Storyteller.end,
    "time-out": Storyteller.end,
    "duplicate": Storyteller.start_again,
    "run": Storyteller.start_by_hand,
    "recreate": Storyteller.recreate,
    "follow-latest": Storyteller.follow_latest,
    "stay": Storyteller.stay,
    "run-day": Storyteller.bring_back,
    "run-update": Storyteller.train_update,
}
"""What the happenings that are no faults do, by kind."""
