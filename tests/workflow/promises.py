"""Check what the pipeline promises over several slots, with what the emulator really did."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from emulator.personalize.resources import (
    BatchInferenceJob,
    EventTracker,
    ImportJob,
    SolutionVersion,
)
from functions.contract import trains_nothing
from functions.personalize.tags import (
    APPROVAL_TAG,
    BATCH_TAG,
    CONFIRMED_TAG,
    DIGEST_TAG,
    RUN_TAG,
    TAINTED_VALUE,
)
from functions.personalize.trainings import hash_config
from functions.reconcile import MAX_TIME_TO_LAST_CHANGE
from functions.report.mail import format_report
from functions.run.admission import WAIT_AFTER_FAILURE
from tests.workflow.storytelling import (
    DATASETS,
    PROBED_CAMPAIGNS,
    Ended,
    Storyteller,
    end_of,
)
from tests.workflow.witness import is_confirmed
from tests.world import campaign_arn, dataset_arn

FATAL = ("ABORTED", "AccessDenied", "ReportFailed", "TIMED_OUT")
"""The errors in reports after which a function was not called again."""


def broken_promises(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each promise that a story has broken."""
    yield from _paid_twice(teller)
    yield from learned_unconfirmed(teller)
    for ended in teller.ended:
        arn = ended.execution.arn
        yield from (f"{arn}: {problem}" for problem in _wrong_report(teller, ended))
        for at, execution, operation in teller.changes:
            if execution == arn and at > ended.at + MAX_TIME_TO_LAST_CHANGE:
                yield f"{operation} at {at} by {execution}, which had ended at {ended.at}"
        for campaign in ended.untried:
            yield f"after {arn}, {campaign} serves {ended.served[campaign]}, untried"
    yield from _unreported_jobs(teller)
    yield from _written_twice(teller)
    yield from _began_during_deletions(teller)
    yield from teller.written_untrusted
    yield from teller.wrongly_trained
    for witness in teller.witnesses.values():
        yield from witness.problems
    for left in teller.left:
        yield f"a day after a slot, nobody has taken care of {left}"


def _paid_twice(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each finished training that learned what an earlier one has learned.

    A training during which an import ended may have learned either import, so it does not count. A
    person who uses `force` asks for the same data again, but for one version per run. Events ask
    for another version after half the time between two runs.
    """
    half_cadence = timedelta(seconds=teller.pipeline.group.settings()["cadenceSeconds"] / 2)
    has_events = bool(teller.resources(EventTracker))
    forced = [
        (ended.execution.events[0]["timestamp"], ended.at)
        for ended in teller.ended
        if '"force": true' in str(ended.execution.events[0].get("executionStartedEventDetails"))
    ]
    deletion_ends = [*map(end_of, teller.deletions())]
    import_ends = [*map(end_of, teller.imports())]
    paid: dict[tuple[object, ...], SolutionVersion] = {}
    for version in teller.versions("ACTIVE"):
        if RUN_TAG not in version.tags:
            continue
        solution = version.solution.arn
        created = version.timeline.created
        ended = end_of(version)
        keys: list[tuple[object, ...]] = [(solution, version.tags[RUN_TAG])]
        is_mixed = any(created <= end <= ended for end in import_ends)
        if not is_mixed and not any(since <= created <= end for since, end in forced):
            config = version.tags[DIGEST_TAG].partition("-")[2]
            deleted = sum(end <= created for end in deletion_ends)
            keys.append((solution, config, deleted, *sorted(version.trained_imports.items())))
        for key in keys:
            earlier = paid.get(key)
            paid[key] = version
            if earlier is not None:
                is_asked_for = has_events and created > earlier.timeline.created + half_cadence
                if not is_asked_for:
                    yield f"{version.arn} was paid for although there was {earlier.arn}: {key}"


def _written_twice(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each batch job beside another one, or with the same results again."""
    jobs = teller.resources(BatchInferenceJob).values()
    for before, after in pairwise(job for job in jobs if job.status(teller.now) != "CREATE FAILED"):
        if after.timeline.created < end_of(before):
            yield f"{after.arn} was created before the end of {before.arn}"
        if after.tags[BATCH_TAG].partition(" ")[0] == before.tags[BATCH_TAG].partition(" ")[0]:
            yield f"{after.arn} writes the same as {before.arn}"


def _began_during_deletions(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each job that a run created while a list showed a deletion of users."""
    jobs = {**teller.resources(SolutionVersion), **teller.resources(BatchInferenceJob)}
    for arn, job in jobs.items():
        for deletion in teller.deletions():
            began_at = deletion.timeline.created
            ended_at = end_of(deletion)
            if (
                RUN_TAG in job.tags
                and began_at + WAIT_AFTER_FAILURE < job.timeline.created < ended_at
            ):
                yield f"{arn} was created during {deletion.arn}"


def learned_unconfirmed(teller: Storyteller, *, accepts_foreign: bool = False) -> Iterator[str]:
    """Yield a message for each import that a version has learned although no run has checked it.

    An import that ended during the training does not count. What is tainted stays so for ever. A
    pipeline that appends accepts the import of a person before its own.
    """
    jobs = teller.resources(ImportJob)
    for arn in teller.tainted:
        if jobs[arn].tags[CONFIRMED_TAG] != TAINTED_VALUE:
            yield f"{arn} was tainted, and then confirmed"
    for version in teller.versions("ACTIVE"):
        for arn in (arn for arns in version.trained_imports.values() for arn in arns):
            tags = jobs[arn].tags
            ended = end_of(jobs[arn])
            is_checked = is_confirmed(jobs[arn]) and (RUN_TAG in tags or accepts_foreign)
            if RUN_TAG in version.tags and not is_checked and ended <= version.timeline.created:
                yield f"{version.arn} has learned {arn}, which is unconfirmed"


def wrongly_appended(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each export that was appended twice, and each stray file in a version."""
    appended = [job for job in teller.imports() if job.details.get("importMode") == "INCREMENTAL"]
    sources = [job.details["dataSource"]["dataLocation"] for job in appended]
    yield from {f"{source} was appended twice" for source in sources if sources.count(source) > 1}
    stray = {job.arn for job in appended if any("stray" in url for url in job.hashes)}
    for version in teller.versions("ACTIVE"):
        if any(stray.intersection(arns) for arns in version.trained_imports.values()):
            yield f"{version.arn} has learned a stray file"


def _wrong_report(teller: Storyteller, ended: Ended) -> Iterator[str]:
    """Yield a message if an execution has no report or two, or one that is not true."""
    reports = [ended.report] if ended.report else ended.closed_by
    if not reports or (ended.report and ended.closed_by):
        yield f"it ended as {ended.execution.status} with the reports {ended.closed_by}"
    versions = teller.resources(SolutionVersion)
    for report in reports:
        trials = {trial["campaignArn"]: trial for trial in report["trials"]}
        campaigns = []
        for solution in report["solutions"]:
            campaigns += solution["campaigns"]
            version = versions.get(solution["solutionVersionArn"])
            is_foreign = version is not None and RUN_TAG not in version.tags
            if is_foreign and solution["trainedBy"] == "pipeline":
                yield f"it used a version that somebody else has trained: {solution}"
        latest = trials | {campaign["campaignArn"]: campaign for campaign in campaigns}
        for campaign in latest.values():
            served = ended.served[campaign["campaignArn"]]
            outcome = campaign["outcome"]
            if (
                outcome == "AWAITING_APPROVAL"
                and "REQUESTED" not in ended.answers[campaign["versionArn"]]
            ):
                yield f"it waits for an approval, but nobody was asked: {campaign}"
            is_wrong = (outcome == "DEPLOYED") != (served == campaign["versionArn"])
            if is_wrong and outcome in ("DEPLOYED", "ROLLED_BACK"):
                yield f"it says {campaign}, but the campaign serves {served}"
    own = [serving["campaignArn"] for report in reports for serving in report["serving"]]
    on_trial = [campaign for campaign in ended.on_trial if campaign in own]
    if on_trial and "trial" not in " ".join(map(format_report, reports)):
        yield f"it does not say that {on_trial} have a version on trial"


def _unreported_jobs(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each job of a run that its reports do not name.

    Several executions have the same run if Scheduler has delivered an event twice. A function that
    may not describe the job that it has created cannot name it.
    """
    reports = [report for ended in teller.ended for report in (ended.report, *ended.closed_by)]
    for run in {str(ended.report["runId"]) for ended in teller.ended if ended.report}:
        text = str([report for report in reports if report and report["runId"] == run])
        for job in teller.jobs_of(run):
            if job not in text and not any(error in text for error in FATAL):
                yield f"the run {run} has no word about {job}"


def _untold_verdicts(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each campaign without the newest version, if no report says why."""
    reports = [report for ended in teller.ended for report in (ended.report, *ended.closed_by)]
    results = [
        result
        for report in filter(None, reports)
        for result in (
            *report["trials"],
            *(campaign for solution in report["solutions"] for campaign in solution["campaigns"]),
        )
    ]
    told = {(item["campaignArn"], item["versionArn"]): item["outcome"] for item in results}
    created = {version.arn: version.timeline.created for version in teller.versions("ACTIVE")}
    for _, solution, campaign in teller.campaigns():
        served = teller.served(campaign)
        newest = teller.candidates(solution)[-1]
        outcome = told.get((campaign, newest.arn))
        answer = newest.tags.get(APPROVAL_TAG, "")
        is_overdue = outcome == "AWAITING_APPROVAL" and "APPROVED" in answer
        # Of two versions that were created in the same second, either may be the candidate.
        is_older = created[served] < created[newest.arn]
        if is_older and (outcome is None or is_overdue):
            yield f"{campaign} serves {served} and not {newest.arn}, which was told: {outcome}"


def not_up_to_date(teller: Storyteller) -> Iterator[str]:
    """Yield a message for what is not as it should be after quiet slots.

    The last run may fail only if a campaign serves a bad version, which a person has chosen.
    """
    last = teller.ended[-1]
    versions = teller.versions("ACTIVE")
    yield from _outdated_data(teller)
    yield from _untold_verdicts(teller)
    yield from _found_again(teller)
    bad = {version.arn for version in versions if version.timeline.fault == "no-results"}
    for campaign in map(campaign_arn, PROBED_CAMPAIGNS):
        if last.served[campaign] in bad and teller.witnesses[campaign].is_untried:
            yield f"{campaign} still serves {last.served[campaign]}, which answers badly"
    if last.report is None or (
        last.report["outcome"] == "FAILED" and bad.isdisjoint(last.served.values())
    ):
        yield f"nothing goes wrong any more, but {last.execution.arn} failed: {last.report}"


def _found_again(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each last run that has found something, although nothing was new."""
    reports = [ended.report for ended in teller.ended[-len(teller.stacks) :]]
    # Another promise says whether the last run may fail.
    good = [report for report in reports if report and report["outcome"] != "FAILED"]
    for report in good:
        if found := [*report["imports"], *report["solutions"], *report["trials"]]:
            yield f"nothing is new any more, but {report['executionArn']} has found {found}"

    is_quiet = all(trains_nothing(stack.group.settings()) for stack in teller.stacks)
    if is_quiet and good == reports:
        yield from (f"nobody asked for {item}" for item in teller.pipeline.inbox.messages)


def _outdated_data(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each dataset and each newest version that is not up to date."""
    datasets = [dataset for dataset in DATASETS if dataset in teller.pipeline.group.datasets]
    for dataset in datasets:
        if not teller.holds_export(dataset):
            yield f"{dataset} does not hold its export"
    deletion_ends = [*map(end_of, teller.deletions())]
    for solution in teller.pipeline.group.solutions:
        if solution.trained_by == "personalize":
            continue  # Nobody promises when Personalize trains.
        arn = solution.solution_arn
        newest = teller.candidates(solution)[-1]
        for dataset in datasets:
            if newest.trained_imports[dataset_arn(dataset)] != teller.held(dataset):
                yield f"{newest.arn} has learned other data than {dataset} holds"
        described = teller.pipeline.client.describe_solution(solutionArn=arn)["solution"]
        if not newest.tags[DIGEST_TAG].endswith(hash_config(described)):
            yield f"{newest.arn} was trained with another configuration"
        if any(newest.timeline.created < ended_at for ended_at in deletion_ends):
            yield f"{newest.arn} may know users who were deleted"
