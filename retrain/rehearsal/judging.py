"""What a scenario came to, and whether that is how it has to end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from retrain.rehearsal.names import short_name

if TYPE_CHECKING:
    from functions.report import RunReport
    from retrain.rehearsal.summary import Served


class Expectation(NamedTuple):
    """What has to be so in the end, and whether it is."""

    what: str
    held: bool


class Ran(NamedTuple):
    """One run: how it ended, and the ARNs of the jobs that it started."""

    execution_arn: str
    ended: str
    report: RunReport | None
    jobs: Sequence[str]

    @property
    def status(self) -> str:
        """The report's, else how the execution ended."""
        return self.report["status"] if self.report else self.ended


@dataclass(frozen=True)
class Seen:
    """What a scenario came to."""

    runs: Sequence[Ran]
    campaigns: Sequence[Served]
    """What they served before and serve now; `new` is the version that a run trained for them."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The versions that the runs trained, and their statuses."""
    deliveries: Sequence[str] = ()
    """The executions that each delivery of the schedule's event led to."""
    strangers: Sequence[str] = ()
    """Calls by a stack that name something of the other's."""
    unprobed: Sequence[str] = ()
    """The campaigns that the stack does not probe."""

    @property
    def said(self) -> list[str]:
        """The guards' own words."""
        reports = [run.report for run in self.runs if run.report]
        return list(dict.fromkeys(line for each in reports for line in _words(each)))


Judge: TypeAlias = Callable[[Seen], Iterator[Expectation]]


def _words(report: RunReport) -> Iterator[str]:
    """Give what a report gives as reasons; of a refused run, each problem."""
    if report["reason"]:
        head, *problems = report["reason"].split("\n")
        yield from (each.strip() for each in problems or [head])
    for each in report["imports"]:
        if each["failure"]:
            yield each["failure"]
    for solution in report["solutions"]:
        for part in (solution, *solution["campaigns"]):
            if part["failure"]:
                yield part["failure"]


def _served_as_before(seen: Seen) -> Expectation:
    held = all(each.now == each.before for each in seen.campaigns)
    return Expectation("every campaign serves what it served before", held)


def _serve_the_new(seen: Seen) -> Expectation:
    held = all(each.moved for each in seen.campaigns)
    return Expectation("every campaign serves its new version", held)


def _nothing_started(seen: Seen) -> Expectation:
    held = not any(run.jobs for run in seen.runs)
    return Expectation("nothing was imported, and no training was paid for", held)


def _ended(seen: Seen, status: str, words: str) -> Expectation:
    """Expect a run that ends so, for a reason with these words."""
    held = seen.runs[0].status == status and any(words in each for each in seen.said)
    verb = {"FAILED": "refused", "SKIPPED": "skipped"}[status]
    return Expectation(f"the run was {verb} in time, with the reason", held)


def refused(words: str) -> Judge:
    """Expect a run that was refused with these words before it started anything."""

    def judge(seen: Seen) -> Iterator[Expectation]:
        yield _ended(seen, "FAILED", words)
        yield _nothing_started(seen)
        yield _served_as_before(seen)

    return judge


def rejected(seen: Seen) -> Iterator[Expectation]:
    """Expect the gate to keep every campaign from the new versions, which are ACTIVE."""
    yield _trained(seen)
    held = set(_outcomes(seen).values()) == {"REJECTED"}
    yield Expectation("the quality gate rejected it for every campaign", held)
    yield _served_as_before(seen)


def rolled_back(seen: Seen) -> Iterator[Expectation]:
    """Expect the probe to move campaigns back, and those without one to be spared by nothing."""
    yield _trained(seen)
    probed = {outcome for arn, outcome in _outcomes(seen).items() if arn not in seen.unprobed}
    which = "every campaign that has one" if seen.unprobed else "every campaign"
    yield Expectation(f"the probe moved {which} back", probed == {"ROLLED_BACK"})
    for each in seen.campaigns:
        if each.arn in seen.unprobed:
            what = f"{short_name(each.arn)}, which has no probe, serves what it served before"
            yield Expectation(what, each.now == each.before)
    yield _served_as_before(seen)


def _trained(seen: Seen) -> Expectation:
    return Expectation("the new version was trained, and is ACTIVE", _all_are("ACTIVE", seen))


def _outcomes(seen: Seen) -> dict[str, str]:
    """Give what became of each campaign that a report tells of."""
    return {
        campaign["campaignArn"]: campaign["outcome"]
        for run in seen.runs
        if run.report
        for solution in run.report["solutions"]
        for campaign in solution["campaigns"]
    }


def _all_are(status: str, seen: Seen) -> bool:
    return set(seen.versions.values()) == {status}


def stuck(seen: Seen) -> Iterator[Expectation]:
    """Expect every training to be stopped."""
    yield Expectation("the training was stopped", _all_are("CREATE STOPPED", seen))
    yield Expectation("the run ended, and says so", seen.runs[0].status == "FAILED")
    yield _served_as_before(seen)


def nothing_new(seen: Seen) -> Iterator[Expectation]:
    """Expect a run that was skipped."""
    yield _ended(seen, "SKIPPED", "nothing is new")
    yield _nothing_started(seen)
    yield _served_as_before(seen)


def duplicate(seen: Seen) -> Iterator[Expectation]:
    """Expect one execution for the event, and another one that stepped back."""
    first, second = seen.runs
    one = len(set(seen.deliveries)) == 1
    yield Expectation("the event's second delivery started no second execution", one)
    waits = second.status == "SKIPPED" and f"{first.execution_arn} is under way" in seen.said
    yield Expectation("the run started beside it stepped back, and names the other", waits)
    yield Expectation("it started nothing", not second.jobs)
    trained = {each.rpartition("/")[0] for each in seen.versions}
    yield Expectation("every solution was trained once", len(trained) == len(seen.versions) > 0)
    yield _serve_the_new(seen)


def two_stacks(seen: Seen) -> Iterator[Expectation]:
    """Expect two runs that have nothing to do with each other."""
    deployed = all(run.status in ("DEPLOYED", "TRAINED") for run in seen.runs)
    yield Expectation("both runs end as each would alone", deployed)
    first, second = (set(run.jobs) for run in seen.runs)
    yield Expectation("no job is of both", bool(first and second) and not first & second)
    yield Expectation("neither stack names anything of the other in any call", not seen.strangers)
    yield _serve_the_new(seen)
