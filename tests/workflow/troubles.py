"""What may go wrong around a run: troubles to draw, to cause, and a witness of what was done."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple
from unittest.mock import patch

from hypothesis import strategies as st

from components.metrics import NDCG_AT_10
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
FEW = (1, 2, 3)
MOMENTS = (0, 1, 60, 600, 1500, 2400, 8 * HOUR)
"""Seconds since the run began: before, while and after it imports, trains and updates."""


class Trouble(NamedTuple):
    """One thing that goes wrong; `kind` says which, the rest how."""

    kind: str
    where: str
    times: int = 1
    seconds: float = 0


def _each() -> dict[str, list[Trouble]]:
    """Give all troubles that may be drawn, by kind."""
    calls = READS + WRITES
    steps = [step for step in STEPS if step not in ("report_outcome", "close_run")]
    found = {
        **{
            kind: [(call, n) for call in calls for n in FEW]
            for kind in ("throttle", "server-error")
        },
        **{kind: [(call, n) for call in WRITES for n in FEW] for kind in ("lost", "lost-500")},
        "stale": [(call, n, moment) for call in READS for n in FEW for moment in MOMENTS],
        "full": [("CreateDatasetImportJob", n) for n in FEW],
        **{kind: [(job,) for job in JOBS] for kind in ("fail", "hang", "unknown")},
        "stop": [("solution-version",)],
        "take": [(job, 1, seconds) for job in JOBS for seconds in (1, 9 * HOUR)],
        **{
            kind: [(step, n) for step in steps for n in FEW] for kind in ("killed", "killed-before")
        },
        "twice": [(step, n) for step in steps for n in FEW],
        "second-event": [("schedule", 1, moment) for moment in MOMENTS],
        **{
            kind: [("world", 1, moment) for moment in MOMENTS]
            for kind in ("their-training", "their-update", "their-rival")
        },
        **{kind: [("world",)] for kind in ("worse-data", "bad-answers")},
    }
    return {kind: [Trouble(kind, *how) for how in ways] for kind, ways in found.items()}


TROUBLES = _each()


def troubles() -> st.SearchStrategy[list[Trouble]]:
    """One to five troubles of a run, of different kinds, each kind as likely as the others."""
    kinds = st.lists(st.sampled_from(list(TROUBLES)), min_size=1, max_size=5, unique=True)
    return kinds.flatmap(
        lambda drawn: st.tuples(*(st.sampled_from(TROUBLES[kind]) for kind in drawn)).map(list)
    )


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
    drop: float
    """Share of the served version's NDCG@10 that is lost."""


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
        status = self.version(target)["status"]
        drop = 1 - self._ndcg(target) / self._ndcg(served) if status == "ACTIVE" else 1
        return Update(served, target, status, self.tags(target), self.tags(served), drop)

    def _ndcg(self, arn: str) -> float:
        with self.undisturbed() as api:
            return api.get_solution_metrics(solutionVersionArn=arn)["metrics"][NDCG_AT_10]


def prepare(made: Pipeline, found: list[Trouble]) -> None:
    """Order the faults of the service, and change the data, before the run starts."""
    for trouble in found:
        if trouble.kind in ORDERS:
            made.personalize.faults.inject(ORDERS[trouble.kind](trouble))
        if trouble.kind == "worse-data":
            made.bucket.put("interactions.csv", exports(shuffled=True)["interactions.csv"])


def interfere(made: Pipeline, witness: Witness, found: list[Trouble]) -> list[str]:
    """Do what others do while the run is under way; give the executions of a second event."""
    started = made.clock.now()
    second = []
    for trouble in sorted(found, key=lambda each: each.seconds):
        if trouble.kind not in (*OTHERS, "second-event"):
            continue
        wait = started + timedelta(seconds=trouble.seconds) - made.clock.now()
        made.clock.sleep(max(0, wait.total_seconds()))
        if trouble.kind == "second-event":
            second.append(made.start())
        else:
            OTHERS[trouble.kind](made, witness)
    return second


def _train(_made: Pipeline, witness: Witness) -> None:
    with witness.undisturbed() as api:
        api.create_solution_version(solutionArn=SOLUTION, name="theirs")


def _update_again(_made: Pipeline, witness: Witness) -> None:
    served = witness.served()
    with witness.undisturbed() as api, suppress(api.exceptions.ResourceInUseException):
        api.update_campaign(campaignArn=CAMPAIGN, solutionVersionArn=served)


def _overtake(made: Pipeline, witness: Witness) -> None:
    """Train a version in two minutes, and deploy it as fast."""
    quick = {"fault": "take", "seconds": 1}
    made.personalize.faults.inject({**quick, "job": "solution-version", "of": "rival"})
    with witness.undisturbed() as api:
        newer = api.create_solution_version(solutionArn=SOLUTION, name="rival")
    made.clock.sleep(90)
    if witness.version(newer["solutionVersionArn"])["status"] == "ACTIVE":
        made.personalize.faults.inject({**quick, "job": "campaign-update"})
        with witness.undisturbed() as api, suppress(api.exceptions.ResourceInUseException):
            api.update_campaign(
                campaignArn=CAMPAIGN, solutionVersionArn=newer["solutionVersionArn"]
            )


OTHERS: Mapping[str, Callable[[Pipeline, Witness], None]] = {
    "their-training": _train,
    "their-update": _update_again,
    "their-rival": _overtake,
}
"""What somebody else does."""


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
