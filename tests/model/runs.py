"""Runs that import, train and deploy by the real rules, as processes of the model.

A run waits until older ones have ended, and after a death until the last request has arrived.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from simulation import EPOCH, Call, Process, RequestFailedError, Sleep, as_time, reconcile
from world import DATASETS, DAY, DEPLOYED_SOLUTION, SOLUTIONS, Campaign, ImportJob, Version, World

from functions.rules import batch_jobs, deployments, imports, trainings
from functions.rules.batch_jobs import KEYS_OF_RESULTS, BatchProgress, BatchSpec, BatchState
from functions.rules.campaigns import (
    Alarm,
    CampaignState,
    CampaignUpdate,
    Deploy,
    DeploymentProgress,
    DeploymentRecord,
    DeploymentSpec,
    RequestApproval,
    RollBack,
    SaveRecord,
    Trial,
)
from functions.rules.imports import SeenDataset, WantedImport
from functions.rules.probing import Probe, Response
from functions.rules.steps import Step, remember
from functions.rules.trainings import SeenSolution, WantedTraining, running_deletion

BASELINE = "similar"
"""The solution that is the baseline of the deployed one."""
MAX_HOURS = 26
BATCH_JOB = {**dict.fromkeys(KEYS_OF_RESULTS), "maxHours": MAX_HOURS}
BAKE_SECONDS = 3000
QUIET_SECONDS = 240
"""How long a run waits after one that has died: its last request may still come."""


@dataclass(eq=False)
class Run:
    """One run. `imported` and `trained` have what it goes on with."""

    world: World
    run_id: str
    stack: int
    kind: str
    """`retrain` imports, trains and deploys, `again` deploys, and `trials` only ends trials."""
    older: "list[Run]"
    force: bool = False
    is_quiet: bool = False
    """Nothing happens beside the run, so the outcome of each campaign is certain."""
    day: int = 0
    work_began: int = 0
    """When the run began to import and to train. It waits first while users are deleted."""
    ended: int | None = None
    has_died: bool = False
    imported: dict[str, ImportJob] = field(default_factory=dict)
    trained: dict[str, Version] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    outcomes: dict[str, Step] = field(default_factory=dict)
    """The last step of each campaign."""
    problems: list[str] = field(default_factory=list)
    """Promises that the run broke."""
    doubts: list[str] = field(default_factory=list)
    """Promises that it broke, if no request failed and no execution died."""

    def process(self) -> Process:
        """End the trials of earlier runs, then import, train and deploy the newest version."""
        while any(
            run.ended is None or (run.has_died and self.world.now < run.ended + QUIET_SECONDS)
            for run in self.older
        ):
            yield Sleep(60)
        started = self.world.now
        self.day = started // DAY
        open_trials = []
        for campaign in self.world.campaigns:
            if (yield Call(lambda campaign=campaign: campaign.record)).trial:
                yield from self._deploy(campaign, None)
                if (yield Call(lambda campaign=campaign: campaign.record)).trial:
                    open_trials.append(campaign)
        if self.kind == "retrain":
            yield from self._retrain(started)
        version = self.trained.get(DEPLOYED_SOLUTION)
        if self.kind == "again":
            version = next((v for v in reversed(self.world.deployable()) if v.known), None)
        for campaign in self.world.campaigns:
            if version and campaign not in open_trials:
                yield from self._deploy(campaign, version)
        if version:
            yield from self._write(version)

    def _retrain(self, started: int) -> Process:
        """Import the datasets. If all hold their exports, train the solutions."""
        while running_deletion((yield Call(self.world.list_deletions))):
            yield Sleep(600)
        self.work_began = self.world.now
        for dataset in DATASETS:
            folder = self.world.folder(dataset, self.day)
            export = yield Call(partial(self.world.list_export, dataset, folder))
            if export is None:
                self.failed.append(f"{dataset} has no export")
            else:
                yield from self._import(dataset, folder, export.fingerprint, started)
        if not self.failed:
            for solution in SOLUTIONS:
                yield from self._train(solution, started)

    def _import(self, dataset: str, folder: int, planned: str, started: int) -> Process:
        wanted = WantedImport(
            run=self.run_id,
            requested_at=as_time(started) if self.force else None,
            durations=[600],
            max_hours=MAX_HOURS,
        )
        memory = imports.Memory(as_time(self.world.now), checked=planned)

        def look() -> Process:
            jobs = yield Call(partial(self.world.list_imports, dataset))
            own = imports.import_of_run(jobs, self.run_id)
            until = None if own is None or own.is_running else own.ended_at
            exports = yield Call(
                lambda: [self.world.list_export(dataset, folder, end) for end in (None, until)]
            )
            return SeenDataset(is_full=self.world.is_full(dataset), imports=jobs, exports=exports)

        def perform(step: Step, _seen: object) -> Process:
            match step.action:
                case imports.CheckContent(present):
                    memory.checked = present
                case imports.Confirm(arn, _):
                    yield Call(partial(self.world.confirm, arn), may_fail=True)
                case imports.Spoil(arn):
                    yield Call(partial(self.world.spoil, arn), may_fail=True)
                case imports.Create(export):
                    memory.sent_at = as_time(self.world.now)
                    tags = {"run": self.run_id, "fingerprint": export.fingerprint}
                    name = f"{self.stack}-{self.run_id}-{dataset}"
                    create = partial(self.world.create_import, name, dataset, folder, tags)
                    yield Call(create, may_fail=True)

        step, seen = yield from self._reconcile(
            imports.decide, look, perform, wanted, memory, pauses=(120, 60)
        )
        if step.outcome == "IMPORTED":
            holder = imports.holding_import(seen)
            self.imported[dataset] = self.world.named(holder.arn)
        else:
            self.failed.append(f"{dataset}: {step.reasons}")

    def _train(self, solution: str, started: int) -> Process:
        wanted = WantedTraining(
            run=self.run_id,
            datasets={dataset: self.world.is_full(dataset) for dataset in DATASETS},
            requested_since=as_time(started) if self.force else None,
            durations=[2400],
            max_hours=MAX_HOURS,
        )
        memory = trainings.Memory(as_time(self.world.now))

        def look() -> Process:
            config = yield Call(lambda: str(self.world.config[solution]))
            versions = yield Call(partial(self.world.list_versions, solution))
            jobs = yield Call(self.world.list_imports)
            deletions = yield Call(self.world.list_deletions)
            return SeenSolution(
                config=config, imports=jobs, deletions=deletions, trainings=versions
            )

        def perform(step: Step, _seen: object) -> Process:
            match step.action:
                case trainings.Create(digest):
                    memory.sent_at = as_time(self.world.now)
                    name = f"{self.stack}-{self.run_id}-{solution}"
                    tags = {"run": self.run_id, "digest": digest, "asked": self.force}
                    create = partial(self.world.create_version, name, solution, tags)
                    yield Call(create, may_fail=True)

        step, _ = yield from self._reconcile(
            trainings.decide, look, perform, wanted, memory, pauses=(120, 60)
        )
        if step.outcome == "TRAINED":
            self.trained[solution] = self.world.named(memory.version)
        else:
            self.failed.append(f"{solution}: {step.reasons}")

    def _write(self, version: Version) -> Process:
        """Write the results of the batch job, as the rules decide."""
        world, name = self.world, f"{self.stack}-{self.run_id}-batch"
        spec = BatchSpec(
            run=self.run_id,
            version_arn=version.name,
            job={**BATCH_JOB, "onRejected": "live" if world.writes_live else "skip"},
        )
        progress = BatchProgress(as_time(world.now))

        def look() -> Process:
            jobs = ()
            for used in [progress.version_arn, None] if progress.sent_at else [None]:
                if not batch_jobs.job_to_follow(jobs, self.run_id):
                    jobs = yield Call(partial(world.list_batch_jobs, used))
            content = yield Call(lambda: str(world.batch_input))
            deletions = yield Call(world.list_deletions)
            campaigns = []
            for campaign in world.campaigns:
                served, latest = yield Call(partial(world.describe, campaign))
                record = yield Call(lambda campaign=campaign: campaign.record)
                campaigns.append(self._seen(served, latest, record, []))
            return BatchState(
                jobs=jobs, input_fingerprint=content, deletions=deletions, campaigns=campaigns
            )

        def perform(step: Step, seen: BatchState) -> Process:
            progress.sent_at = as_time(world.now)
            version_arn = step.action.version_arn
            tags = {"run": self.run_id, "content": step.action.content}
            create = partial(world.create_batch_job, name, version_arn, tags)
            written = world.named(version_arn)
            has_passed = any(written in campaign.passed for campaign in world.campaigns)
            is_served = version_arn in {item.served_version_arn for item in seen.campaigns}
            if not (has_passed or (is_served and (world.writes_live or progress.warnings))):
                self.problems.append(f"{written.name} is written, but has passed nowhere")
            yield Call(create, may_fail=True)

        step, _ = yield from self._reconcile(
            batch_jobs.decide, look, perform, spec, progress, pauses=(120, 60)
        )
        active = [job for job in world.batch_jobs if job.status(world.now) == "ACTIVE"]
        if step.outcome == "WRITTEN" and active[-1].name != progress.job_arn:
            self.problems.append(f"{progress.job_arn} is not the last one that was written")
        if step.outcome == "FAILED" and world.calm:
            self.problems.append(f"the batch job failed: {step.reasons}")

    def _reconcile(
        self,
        decide: Callable[..., Step],
        look: Callable[[], Process],
        perform: Callable[[Step, object], Process],
        wanted: object,
        memory: object,
        *,
        pauses: tuple[int, int],
    ) -> Process:
        def decide_and_remember(seen: object) -> Step:
            step = decide(seen, wanted, memory, as_time(self.world.now))
            remember(memory, step)
            return step

        return reconcile(self.world, look, decide_and_remember, perform, pauses)

    def _deploy(self, campaign: Campaign, version: Version | None) -> Process:
        """Look, decide, act once, until there is an outcome."""
        wanted = DeploymentSpec(
            campaign_arn=campaign.name,
            candidate_arn=version.name if version else None,
            from_earlier_run=self._has_waited(version),
            gate=[{"metric": "m", "maxDrop": self.world.max_drop, "relativeTo": BASELINE}],
            approval_hours=1000 if self.world.needs_approval else None,
            probe={"minutes": 3} if campaign.is_probed else None,
            bake=timedelta(seconds=BAKE_SECONDS if campaign.is_baked else 0),
            bake_pause=300,
            max_hours=1,
        )
        began_at, changes = self.world.now, self.world.fault_changes
        memory, expected = DeploymentProgress(as_time(began_at)), self._expected(campaign, version)

        def look() -> Process:
            served, latest = yield Call(lambda: self.world.describe(campaign))
            record, pin = yield Call(lambda: (campaign.record, campaign.pin))
            listed = yield Call(partial(self.world.list_versions, BASELINE))
            seen = replace(self._seen(served, latest, record, listed), pin=pin)
            compared = deployments.versions_to_compare(seen, wanted, as_time(self.world.now))
            ordered = deployments.versions_to_order(seen, wanted, as_time(self.world.now))
            versions = {name: seen.versions[name] for name in (*compared, *ordered)}
            seen = replace(seen, versions=versions)
            is_baking = (
                campaign.is_baked and record.trial and record.trial.version_arn == served.name
            )
            if not is_baking or seen.update.is_running:
                return seen
            return replace(seen, alarms=(yield from self._alarms(campaign, served)))

        def perform(step: Step, seen: CampaignState) -> Process:
            self._check(campaign, step, seen, changes)
            return (yield from self._perform(campaign, step.action, memory))

        step, _ = yield from self._reconcile(
            deployments.decide, look, perform, wanted, memory, pauses=(20, 15)
        )
        self.outcomes[campaign.name] = step
        self._check_outcome(campaign, version, began_at, expected)

    def _alarms(self, campaign: Campaign, served: Version) -> Process:
        def read() -> list[Alarm]:
            return [Alarm(name, "ALARM", as_time(at)) for name, at in campaign.alarms.items()]

        try:
            return (yield Call(read, may_fail=True))
        except RequestFailedError as error:
            campaign.unread.add(served)
            return [Alarm("version", str(error))]

    def _has_waited(self, version: Version | None) -> bool:
        return version is not None and version.tags["run"] != self.run_id

    def _seen(self, served: Version, latest, record: DeploymentRecord, listed) -> CampaignState:
        status = latest.status(self.world.now)
        update = CampaignUpdate(
            version_arn=latest.version.name,
            is_running=status == "IN_PROGRESS",
            failure="no reason" if status == "FAILED" else None,
            created_at=as_time(latest.created),
            ended_at=as_time(min(latest.ended, self.world.now)),
        )
        # All baselines have the same metric. The newest one on the same imports counts.
        baselines = {
            item.imports: item._replace(metrics={"m": 50})
            for item in reversed(listed)
            if item.digest and (item.is_active or item.is_running)
        }
        versions = {}
        for version in self.world.deployable():
            shown = version.seen(self.world.now)
            versions[version.name] = shown._replace(
                answer=version.answer,
                metrics={"m": version.metric},
                baselines={BASELINE: baselines.get(shown.imports)},
            )
        return CampaignState(
            served_version_arn=served.name, update=update, record=record, versions=versions
        )

    def _perform(self, campaign: Campaign, act: object, memory: DeploymentProgress) -> Process:
        """Send the requests of an action. Return False if something went wrong."""
        world = self.world
        try:
            match act:
                case Probe():
                    well = yield Call(lambda: world.answers_well(campaign), may_fail=True)
                    response = Response(None if well else "too few results")
                    memory.probe_run = replace(memory.probe_run, response=response)
                case SaveRecord(record):
                    yield Call(lambda: world.tag(campaign, record), may_fail=True)
                case RollBack(version):
                    yield Call(lambda: world.update(campaign, version, back=True), may_fail=True)
                case RequestApproval(version):
                    yield Call(lambda: world.ask(version), may_fail=True)
                case Deploy(version, record):
                    yield Call(lambda: world.tag(campaign, record), may_fail=True)
                    try:
                        yield Call(lambda: world.update(campaign, version), may_fail=True)
                    except RequestFailedError as error:
                        if error.args == ("ResourceInUse",):
                            ended = record._replace(trial=None)
                            yield Call(lambda: world.tag(campaign, ended), may_fail=True)
                        raise
        except RequestFailedError as error:
            if isinstance(act, Probe):
                response = Response(str(error), is_error=True)
                memory.probe_run = replace(memory.probe_run, response=response)
            return isinstance(act, Probe)
        return True

    def _expected(self, campaign: Campaign, version: Version | None) -> str | None:
        """Return the outcome that a campaign must have if nothing happens, or None if unknown."""
        record, live = campaign.record, campaign.serves(self.world.now)
        if not self.is_quiet or version is None or record.trial:
            return None
        if live is version or record.blocked_version_arn == version.name:
            return "DEPLOYED" if live is version else "ROLLED_BACK"
        if any(item.status(self.world.now) == "IN_PROGRESS" for item in self.world.versions):
            return None  # It may be the baseline, whose training takes longer than a deployment.
        if self._is_worse(version, live):
            return "REJECTED"
        if self.world.needs_approval:
            return "AWAITING_APPROVAL"
        is_bad = campaign.is_probed and not version.serves_well
        rings = campaign.is_baked and version.sets_off_alarms
        return "ROLLED_BACK" if is_bad or rings else "DEPLOYED"

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
            self.problems.append(
                f"{campaign.name}: {step}, and {version.name} is served: {is_served}"
            )
        if step.outcome == "AWAITING_APPROVAL" and not version.answer:
            self.problems.append(f"{campaign.name} waits, but nobody was asked")

    def _check(self, campaign: Campaign, step: Step, seen: CampaignState, changes: int) -> None:
        """Note a promise that an action has broken."""
        trial = seen.record.trial
        match step.action:
            case SaveRecord(record) if trial and record.trial is None:
                tried = self.world.named(trial.version_arn)
                if step.outcome == "ROLLED_BACK":
                    campaign.rolled_back.add(tried)
                if record.good_version_arn == trial.version_arn:
                    campaign.passed.add(tried)
                    if campaign.is_probed and not tried.serves_well:
                        self.problems.append(f"{campaign.name}: {tried.name} is kept")
                    self.problems += self._early_or_loud(campaign, tried, trial)
                has_rung = campaign.is_baked and as_time(campaign.rang_at) > trial.began_at
                is_innocent = tried.serves_well and not (
                    has_rung
                    or self.world.probe_is_at_fault
                    or self.world.fault_changes != changes
                    or campaign.moved_by_a_person((trial.began_at - EPOCH).total_seconds())
                )
                if record.blocked_version_arn == trial.version_arn and is_innocent:
                    self.doubts.append(f"{campaign.name} condemned {tried.name}")
            case SaveRecord(record) if seen.pin and record.trial and not trial:
                self.problems.append(f"{campaign.name} is pinned, but gets {record.trial}")
            case Deploy(name, record):
                for reason in self._reasons_against(campaign, seen, name, record):
                    self.problems.append(f"{campaign.name}: {name} {reason}")

    def _early_or_loud(self, campaign: Campaign, tried: Version, trial: Trial) -> Iterator[str]:
        """Yield why a version must not be kept: its bake goes on, or its alarm rang."""
        if campaign.is_baked:
            if trial.bake_ends_at is None or as_time(self.world.now) < trial.bake_ends_at:
                yield f"{campaign.name}: {tried.name} is good before the end of its bake"
            is_heard = tried.sets_off_alarms and tried not in campaign.unread
            if is_heard and as_time(campaign.alarms.get("version", 0)) > trial.began_at:
                yield f"{campaign.name}: {tried.name} is kept although its alarm rings"

    def _reasons_against(
        self, campaign: Campaign, seen: CampaignState, name: str, record: DeploymentRecord
    ) -> Iterator[str]:
        """Yield why a version must not be deployed to a campaign like this."""
        version, live = self.world.named(name), campaign.serves(self.world.now)
        was_chosen = campaign.choice_stands(version, self.world.now)
        is_trusted = live in campaign.passed and seen.record.blocked_version_arn != live.name
        has_good = seen.record.good_version_arn not in (None, seen.served_version_arn)
        baseline = seen.versions[name].baselines[BASELINE]
        reasons = {
            "does not wait for its baseline": baseline is not None and baseline.is_running,
            "replaces a person's choice": self._has_waited(version) and was_chosen and has_good,
            "is deployed by a run that only ends trials": self.kind == "trials",
            f"is not newer than {live.name}": version.created <= live.created,
            f"is worse than {live.name}": self._is_worse(version, live),
            "is not approved": self.world.needs_approval and version.answer != "APPROVED",
            "is deployed to a pinned campaign": seen.pin is not None,
            "is refused": version.answer == "REFUSED",
            "was rolled back": version in campaign.rolled_back,
            f"loses the way back to {live.name}": is_trusted
            and record.good_version_arn != live.name,
            "is its own way back": record.good_version_arn == version.name,
        }
        yield from (reason for reason, is_broken in reasons.items() if is_broken)


def wrong_results(run: Run) -> Iterator[str]:
    """Yield a message for each import and version that the run should not go on with."""
    for dataset, job in run.imported.items():
        if len(set(job.read)) != 1 or not job.known:
            yield f"{run.run_id}: {dataset} does not hold its export: {job.name} read {job.read}"
    for solution, version in run.trained.items():
        if not version.known:
            yield f"{run.run_id}: {solution} uses the foreign {version.name}"
        for job in run.world.deletions:
            is_known = job.status(run.world.now) == "ACTIVE" and job.ended <= run.work_began
            if is_known and version.created < job.ended:
                yield f"{run.run_id}: {version.name} is older than the end of {job.name}"
        for job in _learned_parts(version):
            yield f"{run.run_id}: {version.name} has learned a part: {job.name} read {job.read}"


def _learned_parts(version: Version) -> Iterator[ImportJob]:
    """Yield the imports that brought a part of an export. No later import repairs what is added."""
    for jobs in version.learned.values():
        for job in jobs:
            if job.known and len(set(job.read)) > 1 and job.ended <= version.created:
                yield job
