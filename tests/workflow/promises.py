"""Check what the pipeline promises over several slots, with what the emulator really did."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from tests.workflow.stories import DATASETS, SOLUTIONS
from tests.workflow.storytelling import Ended, Storyteller
from tests.workflow.truth import Training, Truth


def broken_promises(teller: Storyteller) -> Iterator[str]:
    """Yield a message for each promise that a story has broken, after its quiet end."""
    truth = teller.truth
    yield from paid_twice(truth, asked=asked_times(teller))
    yield from moved_to_older(truth)
    for ended in teller.ended:
        yield from wrong_report(ended)
        yield from untried(ended)
        yield from outdated(truth, ended)
    yield from not_up_to_date(teller)


def asked_times(teller: Storyteller) -> list[tuple[datetime, datetime]]:
    """Return the times at which executions with `force` were running."""
    return [
        (ended.execution.events[0]["timestamp"], ended.at)
        for ended in teller.ended
        if '"force": true' in str(ended.execution.events[0].get("executionStartedEventDetails"))
    ]


def paid_twice(truth: Truth, *, asked: list[tuple[datetime, datetime]]) -> Iterator[str]:
    """Yield a message for each finished training that learned what an earlier one has learned.

    A training during which an import ended may have learned either import, so it does not count.
    """
    import_ends = truth.import_ends()
    paid: dict[tuple[object, ...], Training] = {}
    for training in truth.trainings():
        is_mixed = any(training.created <= end <= training.ended for end in import_ends)
        was_asked = any(start <= training.created <= end for start, end in asked)
        if training.status != "ACTIVE" or training.arn in truth.foreign or is_mixed or was_asked:
            continue
        key = training.solution, training.config, *sorted(training.learned.items())
        if key in paid:
            yield f"{training.arn} learned the same as {paid[key].arn}"
        paid[key] = training


def moved_to_older(truth: Truth) -> Iterator[str]:
    """Yield a message for each update to an older version that is no rollback."""
    created = {training.arn: training.created for training in truth.trainings()}
    for number, update in enumerate(truth.updates):
        served_before = any(
            earlier.campaign == update.campaign and earlier.served == update.target
            for earlier in truth.updates[:number]
        )
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
        text = "".join(str(report.get("text")) for report in reports)
        if ended.on_trial[arn] and execution.status != "RUNNING" and "trial" not in text:
            yield f"{execution.arn} does not say that {served} is on trial at {arn}"


def untried(ended: Ended) -> Iterator[str]:
    """Yield a message for each version that went live without a trial."""
    for campaign in ended.untried:
        yield f"after {ended.execution.arn}, {campaign} serves {ended.served[campaign]}, untried"


def outdated(truth: Truth, ended: Ended) -> Iterator[str]:
    """Yield a message for each version that an execution trained on other data than the exports.

    There is no message if the solution has failed. An export may change during the execution. An
    execution that says that nothing is new must be right.
    """
    report, arn = ended.report or {"solutions": [], "text": ""}, ended.execution.arn
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
    if "nothing is new" in report["text"]:
        hashes["nothing"] = ended.held
    for version, hash_of in hashes.items():
        for dataset in DATASETS:
            if hash_of[dataset] not in truth.exports(dataset, since, ended.at):
                yield f"{arn} uses {version}, but {dataset} had other data than the export"


def not_up_to_date(teller: Storyteller) -> Iterator[str]:
    """Yield a message for what is not as it should be after a quiet end."""
    truth = teller.truth
    for dataset in DATASETS:
        now = truth.pipeline.clock.now()
        if truth.held(dataset) not in truth.exports(dataset, now, now):
            yield f"{dataset} does not hold its export"
    for campaign in teller.ended[-1].served:
        served = truth.served(campaign)
        if truth.is_bad(served) and not truth.was_chosen(campaign):
            yield f"{campaign} still serves {served}, which answers badly"
        if truth.on_trial(campaign):
            yield f"{served} is still on trial at {campaign}"
    last = teller.ended[-1]
    has_bad_choice = any(truth.is_bad(served) for served in last.served.values())
    if last.report is None or (last.report["status"] == "FAILED" and not has_bad_choice):
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
                str((ended.report or {}).get("text"))
                for ended in teller.ended
                if start <= ended.at < end
            ]
    return missed
