"""What may go wrong around a run: troubles to draw, to cause, and a witness of what was done."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import strategies as st

from components.steps import STEPS
from emulator.personalize.faults import Faults
from tests.group import PERSONALIZE, exports
from tests.lambda_runtime import Fails
from tests.pipeline import PREFIX, Pipeline, handler

SOLUTION = f"{PERSONALIZE}:solution/taste"
CAMPAIGN = f"{PERSONALIZE}:campaign/home"
READS = (
    "DescribeDatasetImportJob",
    "DescribeSolutionVersion",
    "DescribeCampaign",
    "ListSolutionVersions",
    "ListDatasetImportJobs",
)
WRITES = (
    "CreateDatasetImportJob",
    "CreateSolutionVersion",
    "StopSolutionVersionCreation",
    "TagResource",
    "UpdateCampaign",
)
JOBS = ("dataset-import-job", "solution-version", "campaign-update")
HOUR = 3600


class Trouble(NamedTuple):
    """One thing that goes wrong; `kind` says which, the rest how."""

    kind: str
    where: str
    times: int = 1
    seconds: float = 0


def troubles() -> st.SearchStrategy[list[Trouble]]:
    """Up to four troubles of a run."""
    calls = st.sampled_from(READS + WRITES)
    steps = st.sampled_from([step for step in STEPS if step not in ("report_outcome", "close_run")])
    jobs = st.sampled_from(JOBS)
    few, moments = st.integers(1, 3), st.sampled_from([0, 1, 60, 900, 2 * HOUR, 8 * HOUR])
    one = st.one_of(
        st.builds(Trouble, st.sampled_from(["throttle", "server-error"]), calls, few),
        st.builds(Trouble, st.sampled_from(["lost", "lost-500"]), st.sampled_from(WRITES), few),
        st.builds(Trouble, st.just("stale"), st.sampled_from(READS), few, moments),
        st.builds(Trouble, st.just("full"), st.just("CreateDatasetImportJob"), few),
        st.builds(Trouble, st.sampled_from(["fail", "stop", "hang", "unknown"]), jobs),
        st.builds(Trouble, st.just("take"), jobs, st.just(1), st.sampled_from([1, 9 * HOUR])),
        st.builds(Trouble, st.sampled_from(["killed", "killed-before"]), steps, st.integers(1, 2)),
        st.builds(Trouble, st.just("twice"), steps, few),
        st.builds(Trouble, st.just("second-event"), st.just("schedule"), st.just(1), moments),
        st.builds(Trouble, st.just("their-training"), st.just("world"), st.just(1), moments),
        st.builds(Trouble, st.just("their-update"), st.just("world"), st.just(1), moments),
        st.builds(Trouble, st.sampled_from(["worse-data", "bad-answers"]), st.just("world")),
    )
    return st.lists(one, max_size=4)


ORDERS: Mapping[str, Callable[[Trouble], dict[str, object]]] = {
    "throttle": lambda t: {"fault": "throttle", "operation": t.where, "times": t.times},
    "server-error": lambda t: {"fault": "server-error", "operation": t.where, "times": t.times},
    "lost": lambda t: {"fault": "lost-answer", "operation": t.where, "times": t.times},
    "lost-500": lambda t: {
        "fault": "lost-answer",
        "operation": t.where,
        "times": t.times,
        "status": 500,
    },
    "stale": lambda t: {
        "fault": "stale",
        "operation": t.where,
        "times": t.times,
        "seconds": t.seconds,
    },
    "full": lambda t: {"fault": "limit-exceeded", "operation": t.where, "times": t.times},
    "fail": lambda t: {"fault": "fail", "job": t.where},
    "stop": lambda _: {"fault": "stop", "job": "solution-version"},
    "hang": lambda t: {"fault": "hang", "job": t.where},
    "unknown": lambda t: {"fault": "unknown-status", "job": t.where},
    "take": lambda t: {"fault": "take", "job": t.where, "seconds": t.seconds},
}
"""Troubles of the service: the fault that the emulator is given."""


class Update(NamedTuple):
    """An UpdateCampaign of the pipeline's, and how things stood when it arrived."""

    served: str
    target: str
    status: str
    tags: Mapping[str, str]
    left: Mapping[str, str]
    """The tags of the version that was served."""


@dataclass
class Witness:
    """Sees each write of the pipeline's as it arrives, and tells it from those of somebody else."""

    made: Pipeline
    updates: list[Update] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    somebody_else: bool = False

    @contextmanager
    def watching(self):
        """Let every call pass by here."""
        personalize, call = self.made.personalize, self.made.personalize.call

        def seen(operation, request, caller):
            if not self.somebody_else and operation == "UpdateCampaign":
                self.updates.append(self._update(request))
            if not self.somebody_else and operation == "StopSolutionVersionCreation":
                self.stopped.append(request["solutionVersionArn"])
            return call(operation, request, caller)

        with patch.object(personalize, "call", seen):
            yield self

    @contextmanager
    def undisturbed(self):
        """Let calls inside reach the service as somebody else's, without faults."""
        personalize = self.made.personalize
        before = personalize.faults, self.somebody_else
        personalize.faults, self.somebody_else = Faults(), True
        try:
            yield self.made.api
        finally:
            personalize.faults, self.somebody_else = before

    def version(self, arn: str) -> Mapping[str, object]:
        """A version as it is."""
        with self.undisturbed() as api:
            return api.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]

    def tags(self, arn: str) -> dict[str, str]:
        """A resource's tags as they are."""
        with self.undisturbed() as api:
            tags = api.list_tags_for_resource(resourceArn=arn)["tags"]
        return {tag["tagKey"]: tag["tagValue"] for tag in tags}

    def served(self) -> str:
        """What the campaign serves."""
        with self.undisturbed() as api:
            return api.describe_campaign(campaignArn=CAMPAIGN)["campaign"]["solutionVersionArn"]

    def _update(self, request: Mapping[str, str]) -> Update:
        served, target = self.served(), request["solutionVersionArn"]
        return Update(
            served, target, self.version(target)["status"], self.tags(target), self.tags(served)
        )


def prepare(made: Pipeline, found: list[Trouble]) -> None:
    """Order the faults of the service, and change the data, before the run starts."""
    for trouble in found:
        if trouble.kind in ORDERS:
            made.personalize.faults.inject(ORDERS[trouble.kind](trouble))
        if trouble.kind == "worse-data":
            header, *rows = exports()["interactions.csv"].decode().split("\n")
            items = [row.split(",")[1] for row in rows]
            Random(1).shuffle(items)  # noqa: S311 - test data
            worse = [
                f"{user},{item},{time}"
                for (user, _, time), item in zip(
                    (row.split(",") for row in rows), items, strict=True
                )
            ]
            made.bucket.put("interactions.csv", "\n".join([header, *worse]).encode())


def interfere(made: Pipeline, witness: Witness, found: list[Trouble]) -> list[str]:
    """Do what somebody else does while the run is under way; give the second event's executions."""
    started = made.clock.now()
    second = []
    for trouble in sorted(found, key=lambda each: each.seconds):
        if trouble.kind not in ("second-event", "their-training", "their-update"):
            continue
        wait = started + timedelta(seconds=trouble.seconds) - made.clock.now()
        made.clock.sleep(max(0, wait.total_seconds()))
        if trouble.kind == "second-event":
            second.append(made.start())
            continue
        with witness.undisturbed() as api:
            if trouble.kind == "their-training":
                api.create_solution_version(solutionArn=SOLUTION, name=f"theirs-{trouble.seconds}")
            else:
                served = witness.served()
                with suppress(api.exceptions.ResourceInUseException):  # ours is under way
                    api.update_campaign(campaignArn=CAMPAIGN, solutionVersionArn=served)
    return second


def handlers(found: list[Trouble], seen: Counter[str]) -> dict[str, Callable]:
    """Give the functions with what happens to them: killed, or invoked twice."""
    troubled = {}
    for trouble in found:
        if trouble.kind in ("killed", "killed-before", "twice"):
            inner = troubled.get(trouble.where, handler(trouble.where))
            troubled[trouble.where] = _troubled(trouble, inner, seen)
    return troubled


def _troubled(trouble: Trouble, inner: Callable, seen: Counter[str]) -> Callable:
    left = [trouble.times]

    def run(event, context):
        if left[0] <= 0:
            return inner(event, context)
        left[0] -= 1
        seen[f"happened: {trouble.kind}"] += 1
        if trouble.kind == "killed-before":
            raise Fails("Sandbox.Timedout")
        answer = inner(event, context)
        if trouble.kind == "killed":
            raise Fails("Runtime.ExitError")
        return inner(event, context) if trouble.kind == "twice" else answer

    return run


def of_this_run(version: Mapping[str, object], run_id: str) -> bool:
    """Tell whether a version was made by the run."""
    return str(version.get("name", "")).startswith(f"{PREFIX}-{run_id}-")
