"""Check what the pipeline promises over several slots, with what the emulator really did."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from functions.executions import day_of
from functions.report.text import text_of
from tests.workflow.storytelling import DATASETS, SOLUTIONS, Ended, Storyteller
from tests.world import solution_arn

DAY = timedelta(days=1)
LATEST_CHANGE = timedelta(minutes=2)
"""An invocation acts in its first minute, and may have to repeat its requests."""
FATAL = ("AccessDenied", "OutOfMemory")
"""The errors in reports after which a function was not called again."""
MAX_DROP = 0.25
"""The limit of the default quality gate."""
MAX_TRAINING = timedelta(hours=2)
"""The deadline of a training (`stories.py`)."""


def broken_promises(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each promise that a story has broken."""
    yield from _paid_twice(teller)
    yield from _stopped_without_need(teller)
    yield from _bad_updates(teller)
    for ended in teller.ended:
        yield from _wrong_report(teller, ended)
        yield from _outdated(teller, ended)
        for at, execution, operation in teller.truth.changes:
            if execution == ended.execution.arn and at > ended.at + LATEST_CHANGE:
                yield f"{operation} at {at} by {execution}, which had ended at {ended.at}"
        for campaign in ended.untried:
            served = ended.served[campaign]
            yield f"after {ended.execution.arn}, {campaign} serves {served}, untried"
    yield from _unreported_jobs(teller)
    for left in teller.left:
        yield f"a day after a slot, nobody has taken care of {left}"
    for dataset in filter(teller.truth.is_daily, DATASETS):
        yield from _appended_twice(teller, dataset)
        yield from _unnamed_days(teller, dataset)


def _paid_twice(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each finished training that learned what an earlier one has learned.

    A training during which an import ended may have learned either import, so it does not count. A
    person who uses `force` asks for the same data again, but for one version per run.
    """
    forced = [(ended.started, ended.at) for ended in teller.ended if _is_forced(ended)]
    import_ends = [item.ended for item in teller.truth.imports()]
    paid: dict[tuple[object, ...], str] = {}
    for training in teller.truth.trainings():
        if training.status != "ACTIVE" or training.run is None:
            continue
        keys: list[tuple[object, ...]] = [(training.solution, training.run)]
        is_mixed = any(training.created <= end <= training.ended for end in import_ends)
        if not is_mixed and not any(since <= training.created <= end for since, end in forced):
            learned = sorted(training.learned.items())
            keys.append((training.solution, training.config, *learned))
        for key in keys:
            if key in paid:
                yield f"{training.arn} was paid for although there was {paid[key]}: {key}"
            paid[key] = training.arn


def _is_forced(ended: Ended) -> bool:
    return '"force": true' in str(ended.execution.events[0].get("executionStartedEventDetails"))


def _stopped_without_need(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each training that was stopped and is foreign, or had time left.

    The emulator stops some trainings by itself, at their planned end.
    """
    for request in teller.pipeline.requests("StopSolutionVersionCreation"):
        arn = request["solutionVersionArn"]
        (stopped,) = [item for item in teller.truth.trainings() if item.arn == arn]
        if stopped.run is None or stopped.ended - stopped.created < MAX_TRAINING:
            yield f"{stopped} was stopped"


def _bad_updates(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each update to a version that is bad, worse or older.

    A rollback goes to an older version that the campaign has served.
    """
    created = {training.arn: training.created for training in teller.truth.trainings()}
    served: set[tuple[str, str]] = set()
    for update in teller.truth.updates:
        served.add((update.campaign, update.served))
        is_newer = created[update.target] >= created[update.served]
        is_rollback = (update.campaign, update.target) in served and not is_newer
        is_allowed = is_rollback or (is_newer and update.drop <= MAX_DROP)
        if not update.by_person and (update.was_bad or not is_allowed):
            yield f"{update} deploys a bad version"


def _wrong_report(teller: Storyteller, ended: Ended) -> Iterator[str]:
    """Yield a message if an execution has no report or two, or one that is not true."""
    arn, reports = ended.execution.arn, [ended.report] if ended.report else ended.closed_by
    if not reports or (ended.report and ended.closed_by):
        yield f"{arn} ended as {ended.execution.status} with the reports {ended.closed_by}"
    foreign = {item.arn for item in teller.truth.trainings() if item.run is None}
    for report in reports:
        campaigns = [*report["trials"]]
        for solution in report["solutions"]:
            campaigns += solution["campaigns"]
            if solution["solutionVersionArn"] in foreign:
                yield f"{arn} used a version that somebody else has trained: {solution}"
        for campaign in campaigns:
            served, outcome = ended.served[campaign["campaignArn"]], campaign["outcome"]
            is_wrong = (outcome == "DEPLOYED") != (served == campaign["versionArn"])
            if is_wrong and outcome in ("DEPLOYED", "ROLLED_BACK"):
                yield f"{arn} says {campaign}, but it serves {served}"
    text = " ".join(map(text_of, reports))
    for campaign in ended.on_trial:
        if "trial" not in text:
            yield f"{arn} does not say that {campaign} has a version on trial"


def _unreported_jobs(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each job of a run that its reports do not name.

    Several executions have the same run if Scheduler has delivered an event twice. A function that
    may not describe the job that it has created, or that has no memory left, cannot name it.
    """
    reports = [report for ended in teller.ended for report in (ended.report, *ended.closed_by)]
    for run in {str(ended.report["runId"]) for ended in teller.ended if ended.report}:
        text = str([report for report in reports if report and report["runId"] == run])
        for job in sorted(teller.truth.jobs_of(run)):
            if job not in text and not any(error in text for error in FATAL):
                yield f"the run {run} has no word about {job}"


def _outdated(teller: Storyteller, ended: Ended) -> Iterator[str]:
    """Yield a message for each version that an execution trained on other data than the exports.

    There is no message if the solution has failed. An export may change during the execution. An
    execution that says that nothing is new must be right. A daily export is that of the run's day.
    """
    truth, report = teller.truth, ended.report or {"solutions": [], "reason": None, "runId": ""}
    used = {
        solution["solutionVersionArn"]
        for solution in report["solutions"]
        if solution["outcome"] != "FAILED"
    }
    hashes = {
        training.arn: training.hashes
        for training in truth.trainings()
        if training.arn in used and training.created >= ended.started
    }
    if "nothing is new" in (report["reason"] or ""):
        hashes["nothing"] = ended.held
    for version, hash_of in hashes.items():
        for dataset in DATASETS:
            allowed = truth.exports(dataset, ended.started, ended.at)
            if truth.is_daily(dataset):
                day = datetime.fromisoformat(f"{day_of(str(report['runId']))}T00:00:00Z")
                allowed |= truth.exports(dataset, day, day + DAY)
            if hash_of[dataset] not in allowed:
                arn = ended.execution.arn
                yield f"{arn} uses {version}, but {dataset} had other data than the export"


def _appended_twice(teller: Storyteller, dataset: str) -> Iterator[str]:
    """Yield a message for each daily export whose rows were added twice."""
    imported: dict[str, datetime] = {}
    for item in teller.truth.imports(dataset):
        if item.location in imported:
            yield f"{item} adds rows that were added at {imported[item.location]}"
        imported[item.location] = item.created


def _unnamed_days(teller: Storyteller, dataset: str) -> Iterator[str]:
    """Yield a message for each day that no import appended and that the last report conceals.

    A run looks at the days of a month, and not at those before the last FULL import.
    """
    truth, last, last_day = teller.truth, teller.ended[-1], teller.slots[-2].date()
    imports = truth.imports(dataset)
    last_full = max(item.created for item in imports if item.mode == "FULL").date()
    first_day = max(last_full + DAY, last_day - 31 * DAY)
    appended = {item.day for item in imports if item.mode == "INCREMENTAL"}
    warnings = " ".join((last.report or {}).get("warnings", ()))
    for day in sorted({at.date() for at, name, _ in truth.uploads if name == dataset}):
        is_named = str(day) in appended or str(day) in warnings
        if first_day <= day < last_day and not is_named:
            yield f"the last report does not name {day}, which {dataset} does not hold"


def not_up_to_date(teller: Storyteller) -> Iterator[str]:
    """Yield a message for what is not as it should be after quiet slots.

    The last run may fail only if a campaign serves a bad version, which a person has chosen.
    """
    truth, last = teller.truth, teller.ended[-1]
    for dataset in DATASETS:
        now = truth.pipeline.clock.now()
        if truth.held(dataset) not in truth.exports(dataset, now, now):
            yield f"{dataset} does not hold its export"
    for campaign, served in last.served.items():
        is_guarded = campaign in truth.probed_campaigns() and not truth.was_chosen(campaign)
        if truth.is_bad(served) and is_guarded:
            yield f"{campaign} still serves {served}, which answers badly"
    has_bad_choice = any(truth.is_bad(served) for served in last.served.values())
    if last.report is None or (last.report["outcome"] == "FAILED" and not has_bad_choice):
        yield f"nothing goes wrong any more, but {last.execution.arn} failed: {last.report}"


def missed_weeks(teller: Storyteller) -> dict[int, list[str]]:
    """Return the texts of the reports of each week in which a solution was not trained.

    A week counts if a version was created in it that is ACTIVE and learned an import of this week.
    """
    missed = {}
    for week, (start, end) in enumerate(pairwise(teller.slots)):
        trained = {
            training.solution
            for training in teller.truth.trainings()
            if training.status == "ACTIVE"
            and start <= training.created < end
            and training.newest_import >= start
        }
        if not trained >= set(map(solution_arn, SOLUTIONS)):
            missed[week] = [
                text_of(ended.report) if ended.report else "no report"
                for ended in teller.ended
                if start <= ended.at < end
            ]
    return missed
