"""Check what the pipeline promises over several slots, with what the emulator really did."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from functions.executions import day_of
from functions.report.text import text_of
from tests.workflow.stories import DATASETS, SOLUTIONS
from tests.workflow.storytelling import Ended, Storyteller
from tests.workflow.truth import Training, Truth

DAY = timedelta(days=1)
HALF_WEEK = timedelta(days=3.5)


def broken_promises(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each promise that a story has broken, after its quiet end."""
    truth = teller.truth
    yield from paid_twice(truth, asked=asked_times(teller))
    yield from moved_to_older(truth)
    for ended in teller.ended:
        yield from wrong_report(ended)
        yield from untried(ended)
        yield from outdated(truth, ended)
    for dataset in truth.daily_datasets():
        yield from imported_twice(teller, dataset)
    for dataset in truth.incremental_datasets():
        yield from unnamed_days(teller, dataset)
    yield from not_up_to_date(teller)


def asked_times(teller: Storyteller) -> list[tuple[datetime, datetime]]:
    """Return the times at which executions with `force` or `trainingMode` were running."""
    return [
        (ended.execution.events[0]["timestamp"], ended.at)
        for ended in teller.ended
        if is_asked(ended)
    ]


def is_asked(ended: Ended) -> bool:
    """Return True if the input of an execution asks for a training of the same data."""
    started = str(ended.execution.events[0].get("executionStartedEventDetails"))
    return '"force": true' in started or '"trainingMode"' in started


def run_id(ended: Ended) -> str | None:
    """Return the id of the run of an execution, or None without a report."""
    report = ended.report or next(iter(ended.closed_by), {})
    return report.get("runId")


def paid_twice(truth: Truth, *, asked: list[tuple[datetime, datetime]]) -> Iterator[str]:
    """Yield a message for each finished training that learned what an earlier one has learned.

    A training during which an import ended may have learned either import, so it does not count.
    Events are new data after half the time between two slots. UPDATE learns nothing new from the
    imports that FULL has learned.
    """
    import_ends = truth.import_ends()
    paid: dict[tuple[object, ...], Training] = {}
    for training in truth.trainings():
        is_mixed = any(training.created <= end <= training.ended for end in import_ends)
        was_asked = any(start <= training.created <= end for start, end in asked)
        if training.status != "ACTIVE" or training.arn in truth.foreign or is_mixed or was_asked:
            continue
        learned = training.solution, training.config, *sorted(training.learned.items())
        for mode in {training.mode, "FULL"}:
            earlier = paid.get((mode, *learned))
            has_events = truth.receives_events() and earlier is not None
            if earlier and not (has_events and training.created - earlier.created > HALF_WEEK):
                yield f"{training.arn} learned the same as {earlier.arn}"
        paid[training.mode, *learned] = training


def moved_to_older(truth: Truth) -> Iterator[str]:
    """Yield a message for each update to an older version that is no rollback."""
    created = {training.arn: training.created for training in truth.trainings()}
    for update in truth.updates:
        served_before = truth.was_served(update.campaign, update.target, update.at)
        is_older = created[update.target] < created[update.served]
        is_rollback = served_before and not update.was_good
        if is_older and not update.person and not is_rollback:
            yield f"{update} moves to an older version"


def wrong_report(ended: Ended) -> Iterator[str]:
    """Yield a message if an execution has no report, or one that Describe contradicts."""
    execution = ended.execution
    reports = [ended.report] if ended.report else ended.closed_by
    if not reports:
        yield f"{execution.arn} ended as {execution.status} {execution.error} without a report"
    for report in reports:
        for solution in report["solutions"]:
            for campaign in solution["campaigns"]:
                arn, outcome = campaign["campaignArn"], campaign["outcome"]
                served, version = ended.served[arn], solution["solutionVersionArn"]
                if (outcome == "DEPLOYED") != (served == version) and outcome in (
                    "DEPLOYED",
                    "ROLLED_BACK",
                ):
                    yield f"{execution.arn} says {outcome} of {arn}, which serves {served}"
    for arn, served in ended.served.items():
        text = "".join(map(text_of, reports))
        if ended.on_trial[arn] and execution.status != "RUNNING" and "trial" not in text:
            yield f"{execution.arn} does not say that {served} is on trial at {arn}"


def untried(ended: Ended) -> Iterator[str]:
    """Yield a message for each version that went live without a trial."""
    for campaign in ended.untried:
        yield f"after {ended.execution.arn}, {campaign} serves {ended.served[campaign]}, untried"


def outdated(truth: Truth, ended: Ended) -> Iterator[str]:
    """Yield a message for each version that an execution trained on other data than the exports.

    There is no message if the solution has failed. An export may change during the execution. An
    execution that says that nothing is new must be right. A daily export is that of the run's day,
    or of a day that a person brought back on the day of the execution.
    """
    report, arn = ended.report or {"solutions": [], "reason": None}, ended.execution.arn
    since = ended.execution.events[0]["timestamp"]
    used = {
        solution["solutionVersionArn"]
        for solution in report["solutions"]
        if solution["outcome"] != "FAILED"
    }
    hashes = {
        training.arn: training.hashes
        for training in truth.trainings()
        if training.arn in used and training.created >= since
    }
    if "nothing is new" in (report["reason"] or ""):
        hashes["nothing"] = ended.held
    days = {day for at, day in truth.brought_back if since - DAY <= at <= ended.at}
    days.add(day_of(str(run_id(ended))))
    for version, hash_of in hashes.items():
        for dataset in DATASETS:
            allowed = truth.exports(dataset, since, ended.at)
            if truth.is_daily(dataset):
                allowed |= truth.exports_of_days(dataset, days)
            if hash_of[dataset] not in allowed:
                yield f"{arn} uses {version}, but {dataset} had other data than the export"


def imported_twice(teller: Storyteller, dataset: str) -> Iterator[str]:
    """Yield a message for each daily export that was imported twice, although nobody wanted that.

    A person wants it who writes the export again, or who starts a run with `exportDate` or, if the
    import is FULL, with `force`. A foreign import replaces what was imported before.
    """
    truth, imported = teller.truth, dict[tuple[str, str], datetime]()
    forced = asked_times(teller) if dataset not in truth.incremental_datasets() else []
    for item in truth.imports(dataset):
        if item.day is None:
            imported.clear()
            continue
        before = imported.get((item.day, item.digest))
        imported[item.day, item.digest] = item.created
        if before is None or any(start <= item.created <= end for start, end in forced):
            continue
        brought_back = any(day == item.day and at > before for at, day in truth.brought_back)
        if not brought_back and not truth.uploads_between(dataset, before, item.created):
            yield f"{item.location} was imported at {before} and again at {item.created}"


def unnamed_days(teller: Storyteller, dataset: str) -> Iterator[str]:
    """Yield a message for each day that no import appended and that the last report conceals.

    A run looks at the days of a month, and not at those before the last FULL import.
    """
    truth, last = teller.truth, teller.ended[-1]
    last_day = teller.slots[-2].date()
    imports = truth.imports(dataset)
    last_full = max(item.created for item in imports if item.mode == "FULL").date()
    first_day = max(last_full + DAY, last_day - 31 * DAY)
    appended = {item.day for item in imports if item.mode == "INCREMENTAL"}
    written = {at.date() for at, name, _ in truth.uploads if name == dataset}
    warnings = " ".join((last.report or {}).get("warnings", ()))
    for day in sorted(written):
        is_named = str(day) in appended or str(day) in warnings
        if first_day <= day < last_day and not is_named:
            yield f"the last report does not name {day}, which {dataset} does not hold"


def not_up_to_date(teller: Storyteller) -> Iterator[str]:
    """Yield a message for what is not as it should be after a quiet end."""
    truth = teller.truth
    for dataset in DATASETS:
        now = truth.pipeline.clock.now()
        if truth.held(dataset) not in truth.exports(dataset, now, now):
            yield f"{dataset} does not hold its export"
    for campaign in teller.ended[-1].served:
        served = truth.served(campaign)
        is_guarded = truth.has_probe(campaign) and not truth.was_chosen(campaign)
        if truth.is_bad(served) and is_guarded:
            yield f"{campaign} still serves {served}, which answers badly"
        if truth.on_trial(campaign):
            yield f"{served} is still on trial at {campaign}"
    last = teller.ended[-1]
    has_bad_choice = any(truth.is_bad(served) for served in last.served.values())
    if last.report is None or (last.report["outcome"] == "FAILED" and not has_bad_choice):
        yield f"nothing goes wrong any more, but {last.execution.arn} failed: {last.report}"


def missed_weeks(teller: Storyteller) -> dict[int, list[str]]:
    """Return the texts of the reports of each week in which a solution was not trained.

    A week counts if a version was created in it that is ACTIVE and learned an import of this week.
    """
    trainings = teller.truth.trainings()
    missed = {}
    for week, (start, end) in enumerate(pairwise(teller.slots)):
        trained = {
            training.solution
            for training in trainings
            if training.status == "ACTIVE"
            and start <= training.created < end
            and training.newest_import >= start
        }
        if len(trained) < len(SOLUTIONS):
            missed[week] = [
                text_of(ended.report) if ended.report else "no report"
                for ended in teller.ended
                if start <= ended.at < end
            ]
    return missed
