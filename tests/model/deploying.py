"""Runs that deploy versions to campaigns by the real rules, as processes of the model.

A run waits for older ones. The list of executions may be old.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from campaign_world import Campaign, CampaignWorld, Version
from simulation import (
    EPOCH,
    STALE_SECONDS,
    Call,
    Process,
    RequestFailedError,
    Sleep,
    World,
    as_time,
    reconcile,
)

from functions.rules import deployments
from functions.rules.deployments import Deployment, Memory, Notes, SeenCampaign, Update
from functions.rules.probing import Probe, Response
from functions.rules.steps import Step

LOOK_SECONDS = 20
"""The least pause between two looks. Shorter ones would show nothing new."""


PATIENCE_SECONDS = 12 * 3600
"""How long an execution waits for older ones."""
QUIET_SECONDS = 2 * STALE_SECONDS
"""How long an execution waits after one that did not succeed: its last request may still come."""


@dataclass(eq=False)
class Execution:
    """One execution. `failed_at` is the time of its end without success."""

    name: str
    started: int
    ended: int | None = None
    failed_at: int | None = None


@dataclass
class Machine:
    """The executions of one state machine."""

    world: World
    executions: list[Execution] = field(default_factory=list)

    def start(self, name: str) -> Execution:
        """Start an execution."""
        self.executions.append(Execution(name, self.world.now))
        return self.executions[-1]

    def end(self, execution: Execution, *, succeeded: bool) -> None:
        """End an execution."""
        execution.ended = self.world.now
        execution.failed_at = None if succeeded else self.world.now

    def delay(self, execution: Execution) -> int:
        """Return the seconds until the next look at the list, or 0 if the execution may go on.

        A list may not show an execution that was started, or show one that has ended as running.
        """
        now, when = self.world.now, self.world.as_of()
        others = [other for other in self.executions if other is not execution]
        seen = [other for other in others if other.started <= when]
        running = [other for other in seen if other.ended is None or other.ended > when]
        turn = execution.started, execution.name
        if any((other.started, other.name) < turn for other in running):
            return 300
        quiet = now - QUIET_SECONDS
        if any(other.failed_at is not None and quiet < other.failed_at <= when for other in seen):
            return 60
        return max(0, execution.started + STALE_SECONDS - now)


def wait_for_turn(machine: Machine, execution: Execution) -> Process:
    """Wait until no older execution is running. Return False if that takes too long."""
    end = machine.world.now + PATIENCE_SECONDS
    while machine.world.now < end:
        delay = yield Call(lambda: machine.delay(execution))
        if not delay:
            return True
        yield Sleep(delay)
    return False


@dataclass
class Run:
    """One execution. `outcomes` has the last step of each campaign."""

    world: CampaignWorld
    machine: Machine
    execution: Execution
    kind: str
    """`retrain` trains and deploys, `again` deploys what waits, others only end trials."""
    is_quiet: bool = False
    """Nothing happens beside the run, so the outcome of each campaign is certain."""
    outcomes: dict[str, Step] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Promises that the run broke."""
    doubts: list[str] = field(default_factory=list)
    """Promises that it broke, if no request failed and no execution died."""

    def process(self) -> Process:
        """End the trials of earlier runs. Then deploy the newest version, unless refused."""
        if not (yield from wait_for_turn(self.machine, self.execution)):
            return self
        open_trials = []
        for campaign in self.world.campaigns:
            if (yield Call(lambda campaign=campaign: campaign.notes)).trial:
                yield from self._deploy(campaign, None)
                if (yield Call(lambda campaign=campaign: campaign.notes)).trial:
                    open_trials.append(campaign)
        if self.kind in ("retrain", "again"):
            version = self.world.train() if self.kind == "retrain" else self.world.versions[-1]
            for campaign in self.world.campaigns:
                if campaign not in open_trials:
                    yield from self._deploy(campaign, version)
        return self

    def _deploy(self, campaign: Campaign, version: Version | None) -> Process:
        """Look, decide, act once, until there is an outcome."""
        wanted = Deployment(
            version=str(version) if version else None,
            waited=self.kind == "again",
            gate=[{"metric": "m", "maxDrop": self.world.max_drop}],
            approval_hours=1000 if self.world.needs_approval else None,
            probe={"minutes": 3} if campaign.probed else None,
            max_hours=1,
        )
        began_at, changes = self.world.now, self.world.fault_changes
        memory, expected = Memory(as_time(began_at)), self._expected(campaign, version)

        def look() -> Process:
            served, latest = yield Call(lambda: self.world.describe(campaign))
            return self._seen(served, latest, (yield Call(lambda: campaign.notes)))

        def decide(seen: SeenCampaign) -> Step:
            return deployments.decide(seen, wanted, memory, as_time(self.world.now))

        def perform(step: Step, seen: SeenCampaign) -> Process:
            self._check(campaign, step, seen, changes)
            return (yield from self._perform(campaign, step.act, memory))

        pauses = {"least_pause": LOOK_SECONDS, "pause_after_failure": 15}
        step, _ = yield from reconcile(self.world, look, decide, perform, **pauses)
        self.outcomes[campaign.name] = step
        self._check_outcome(campaign, version, began_at, expected)

    def _seen(self, served: Version, latest, notes: Notes) -> SeenCampaign:
        status = latest.status(self.world.now)
        update = Update(
            version=str(latest.version),
            is_running=status == "IN_PROGRESS",
            failure="no reason" if status == "FAILED" else None,
            created_at=as_time(latest.created),
            ended_at=as_time(min(latest.ended, self.world.now)),
        )
        versions = {
            str(version): deployments.Version(
                as_time(version.created), {"m": version.metric}, version.answer
            )
            for version in self.world.versions
        }
        return SeenCampaign(serves=str(served), update=update, notes=notes, versions=versions)

    def _perform(self, campaign: Campaign, act: object, memory: Memory) -> Process:
        """Send the requests of an action. Return False if something went wrong."""
        world = self.world
        try:
            match act:
                case Probe():
                    well = yield Call(lambda: world.answers_well(campaign), may_fail=True)
                    memory.probing.response = Response(None if well else "too few results")
                case deployments.WriteNotes(notes):
                    yield Call(lambda: world.tag(campaign, notes), may_fail=True)
                case deployments.GoBack(version):
                    yield Call(lambda: world.update(campaign, version, back=True), may_fail=True)
                case deployments.Ask(version):
                    yield Call(lambda: world.ask(version), may_fail=True)
                case deployments.Deploy(version, notes):
                    yield Call(lambda: world.tag(campaign, notes), may_fail=True)
                    try:
                        yield Call(lambda: world.update(campaign, version), may_fail=True)
                    except RequestFailedError as error:
                        if error.args == ("ResourceInUse",):
                            ended = notes._replace(trial=None)
                            yield Call(lambda: world.tag(campaign, ended), may_fail=True)
                        raise
        except RequestFailedError as error:
            if isinstance(act, Probe):
                memory.probing.response = Response(str(error), is_error=True)
            return isinstance(act, Probe)
        return True

    def _expected(self, campaign: Campaign, version: Version | None) -> str | None:
        """Return the outcome that a campaign must have if nothing happens, or None if unknown."""
        notes, live = campaign.notes, campaign.serves(self.world.now)
        if not self.is_quiet or version is None or notes.trial:
            return None
        if live is version or notes.bad == str(version):
            return "DEPLOYED" if live is version else "ROLLED_BACK"
        if self._is_worse(version, live):
            return "REJECTED"
        if self.world.needs_approval:
            return "AWAITING_APPROVAL"
        return "DEPLOYED" if version.serves_well or not campaign.probed else "ROLLED_BACK"

    def _is_worse(self, version: Version, live: Version) -> bool:
        return version.metric < live.metric * (1 - self.world.max_drop)

    def _check_outcome(
        self, campaign: Campaign, version: Version | None, began_at: int, expected: str | None
    ) -> None:
        """Note an outcome that is not true, unless a person has moved the campaign meanwhile."""
        step = self.outcomes[campaign.name]
        is_late = any(
            update.fails or update.ended - update.created > 3600 for update in campaign.updates
        )
        if expected is not None and step.outcome != expected and not is_late:
            self.problems.append(f"{campaign.name}: {step} instead of {expected}")
        if version is None or campaign.moved_by_a_person(began_at - 1):
            return
        is_served = campaign.serves(self.world.now) is version
        if is_served != (step.outcome == "DEPLOYED") and step.outcome not in ("FAILED", "SKIPPED"):
            self.problems.append(f"{campaign.name}: {step}, and {version} is served: {is_served}")
        if step.outcome == "AWAITING_APPROVAL" and not version.answer:
            self.problems.append(f"{campaign.name} waits, but nobody was asked")

    def _check(self, campaign: Campaign, step: Step, seen: SeenCampaign, changes: int) -> None:
        """Note a promise that an action has broken."""
        trial = seen.notes.trial
        match step.act:
            case deployments.WriteNotes(notes) if trial and notes.trial is None:
                tried = self.world.version(trial.version)
                if notes.good == trial.version:
                    campaign.passed.add(tried.number)
                    if campaign.probed and not tried.serves_well:
                        self.problems.append(f"{campaign.name}: {tried} is kept")
                is_innocent = tried.serves_well and not (
                    self.world.probe_is_at_fault
                    or self.world.fault_changes != changes
                    or campaign.moved_by_a_person((trial.at - EPOCH).total_seconds())
                )
                if notes.bad == trial.version and is_innocent:
                    self.doubts.append(f"{campaign.name} condemned {tried}")
            case deployments.Deploy(name, notes):
                for reason in self._reasons_against(campaign, seen, name, notes):
                    self.problems.append(f"{campaign.name}: {name} {reason}")

    def _reasons_against(
        self, campaign: Campaign, seen: SeenCampaign, name: str, notes: Notes
    ) -> Iterator[str]:
        """Yield why a version must not be deployed to a campaign like this."""
        version, live = self.world.version(name), campaign.serves(self.world.now)
        was_chosen = campaign.choice_stands(version, self.world.now)
        is_trusted = live.number in campaign.passed and seen.notes.bad != str(live)
        has_good = seen.notes.good not in (None, seen.serves)
        reasons = {
            "replaces a person's choice": self.kind == "again" and was_chosen and has_good,
            "is deployed by a run that only ends trials": self.kind not in ("retrain", "again"),
            f"is not newer than {live}": version.number <= live.number,
            f"is worse than {live}": self._is_worse(version, live),
            "is not approved": self.world.needs_approval and version.answer != "APPROVED",
            "is refused": version.answer == "REFUSED",
            "was taken back": seen.notes.bad == str(version),
            f"loses the way back to {live}": is_trusted and notes.good != str(live),
            "is its own way back": notes.good == str(version),
        }
        yield from (reason for reason, is_broken in reasons.items() if is_broken)
