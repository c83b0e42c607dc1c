"""What the pipeline promises, whatever goes wrong around a run: held against a witness's record."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from emulator.virtual.step_functions import Execution
from functions.close_run import LAST_CALL
from functions.personalize.tags import VERDICT
from tests.workflow.pipeline import RUN_ID
from tests.workflow.witness import Report, Update, Witness, of_this_run, own_report
from tests.world import PREFIX

MAX_DROP = 0.25
"""The gate's, unless configured otherwise."""
WITHOUT_A_REPORT = ("ABORTED", "TIMED_OUT", "ReportFailed")


def hold(witness: Witness, ended: Sequence[Execution], resumed: Execution | None) -> list[Report]:
    """Hold an example to all that is promised, and give the reports of its executions.

    Args:
        witness: who has seen all of it.
        ended: every execution, the resumed one last.
        resumed: the one that goes on with the run, if there is one.
    """
    reports = [_ends_in_a_report(witness, each) for each in ended]
    told = [report for report in reports if report is not None]
    for update in witness.updates:
        _is_safe(witness, update)
    _is_trained_once(witness, ended, told, resumed)
    _stops_its_own_alone(witness)
    _says_what_was_started(witness, ended, told)
    _has_probed_what_it_deployed(witness, told)
    _matches_the_world(witness, told)
    return told


def campaigns(reports: Sequence[Report]) -> Iterator[tuple[Mapping, Mapping]]:
    """Give each report of a campaign, with the one of its solution."""
    for report in reports:
        for solution in report["solutions"]:
            for campaign in solution["campaigns"]:
                yield solution, campaign


def _ends_in_a_report(witness: Witness, execution: Execution) -> Report | None:
    """An execution ends by itself and reports, or `close_run` does (if it is not kept from it)."""
    own, closed = own_report(execution), witness.closed.get(execution.arn, [])
    if execution.arn in witness.aborted:
        assert execution.status == "ABORTED", "who aborts an execution finds it aborted"
    if own is not None:
        assert execution.status in ("SUCCEEDED", "FAILED"), "an execution that reports ends itself"
        assert closed in ([], [None]), f"{execution.arn} has reported, and is reported again"
        return own
    why = execution.error if execution.status == "FAILED" else execution.status
    assert why in WITHOUT_A_REPORT, f"{why}: nothing else may keep an execution from its report"
    for report in closed:
        assert (report["status"], report["runId"]) == ("FAILED", RUN_ID), "no report is no success"
        assert report["executionArn"] == execution.arn, "close_run reports what it was told of"
        assert execution.status in report["text"], "close_run says how the execution ended"
    assert closed or witness.seen["closed: in vain"], f"{execution.arn} ends without a report"
    return closed[0] if closed else None


def _is_safe(witness: Witness, update: Update) -> None:
    """An update moves a campaign on to what the gate lets pass, or back to where it came from."""
    assert update.status == "ACTIVE", f"{update} moves the campaign to what is not ACTIVE"
    if _is_rollback(witness, update):
        assert VERDICT not in update.tags, f"{update} rolls back to what was judged bad"
        return
    _, judge = witness.verdicts.get(update.target, (None, None))
    # Another campaign's gate, in this execution, has compared with another version.
    elsewhere = update.tags.get(VERDICT) == "REJECTED" and judge == update.by
    assert VERDICT not in update.tags or elsewhere, (
        f"{update} deploys what was rejected or rolled back from"
    )
    assert update.drop <= MAX_DROP, f"{update} deploys what the gate must reject"
    assert update.newer, f"{update} moves the campaign to an older version, and is no rollback"


def _is_rollback(witness: Witness, update: Update) -> bool:
    """Tell whether an update leaves what was judged bad for what the campaign served before."""
    return update.left.get(VERDICT) == "ROLLED_BACK" and any(
        before.campaign == update.campaign and before.served == update.target
        for before in witness.updates[: witness.updates.index(update)]
    )


def _is_trained_once(
    witness: Witness,
    ended: Sequence[Execution],
    reports: Sequence[Report],
    resumed: Execution | None,
) -> None:
    """At most one version is paid for that is of use, and none where one was adopted."""
    versions = witness.versions()
    ours = {_arn(version) for version in versions if of_this_run(version)}
    good = {_arn(version) for version in versions if not witness.has_failed(version)}
    assert len(ours & good) <= 1, f"{ours & good} were trained, and none of them failed"
    reported = [solution for report in reports for solution in report["solutions"]]
    others = adopted(ended)
    others |= {each["solutionVersionArn"] for each in reported if each["adopted"]}
    assert others & ours == set(), f"{others & ours} are ours, and taken for somebody else's"
    own = {each["solutionVersionArn"] for each in reported if not each["adopted"]} - {None}
    assert own <= ours, f"{own - ours} are somebody else's, and taken for ours"
    if any(version["status"] == "ACTIVE" for version in versions if _arn(version) in others):
        assert len(ours) <= 1, f"{others} were adopted, and {ours} were trained all the same"
    if resumed and adopted(each for each in ended if each is not resumed) & good:
        asked = [version for version in versions if _was_asked_for(witness, version, resumed)]
        assert asked == [], f"{others} were adopted, and the resumed run trains another"


def adopted(executions: Iterable[Execution]) -> set[str]:
    """Give the versions of somebody else's that executions took for their own."""
    return {
        call.outcome["arn"]
        for execution in executions
        for call in execution.calls
        if call.function == "create_solution_version"
        and isinstance(call.outcome, dict)
        and not call.outcome["ours"]
    }


def _was_asked_for(witness: Witness, version: Mapping[str, object], execution: Execution) -> bool:
    return execution.arn in witness.started.get(str(version.get("name")), ())


def _stops_its_own_alone(witness: Witness) -> None:
    """What is stopped is of this run and, when a run is closed, of no later execution.

    Within `LAST_CALL` it could still be of the execution that has ended: nobody can tell.
    """
    for version, closing in witness.stops:
        stopped = witness.version(version)
        assert of_this_run(stopped), f"{version} is not ours, and was stopped"
        if closing is not None:
            others = witness.started[str(stopped["name"])] - {closing.arn}
            ended = closing.events[-1]["timestamp"]
            later = others and stopped["creationDateTime"] > ended + LAST_CALL
            assert not later, f"closing {closing.arn} stops {version}, which {others} have started"


def _says_what_was_started(
    witness: Witness, ended: Sequence[Execution], reports: Sequence[Report]
) -> None:
    """What an execution that reports has started is in a report."""
    reporting = {each.arn for each in ended if own_report(each)}
    begun = {name for name, executions in witness.started.items() if executions & reporting}
    started = {
        *(job["datasetImportJobArn"] for job in witness.import_jobs() if job["jobName"] in begun),
        *(_arn(version) for version in witness.versions() if version.get("name") in begun),
    }
    told = {
        arn
        for report in reports
        for arn in (
            *(each["datasetImportJobArn"] for each in report["imports"]),
            *(each["solutionVersionArn"] for each in report["solutions"]),
        )
    }
    assert started <= told, f"{started - told} were started, and no report says so"
    assert all(name.startswith(f"{PREFIX}-{RUN_ID}-") for name in witness.started), (
        "names tell whose"
    )


def _has_probed_what_it_deployed(witness: Witness, reports: Sequence[Report]) -> None:
    """A version that we moved a campaign to is DEPLOYED only if it has answered well there."""
    for solution, campaign in campaigns(reports):
        arn, version = campaign["campaignArn"], solution["solutionVersionArn"]
        moved = [
            update.at
            for update in witness.updates
            if (update.campaign, update.target) == (arn, version) and update.served != version
        ]
        if moved and campaign["outcome"] == "DEPLOYED" and arn in witness.probes:
            assert any(
                (answer.campaign, answer.version) == (arn, version) and answer.at >= moved[-1]
                for answer in witness.answers
            ), f"{campaign} has a probe, and never answered it"


def _matches_the_world(witness: Witness, reports: Sequence[Report]) -> None:
    """The last report that touched a campaign tells what it serves now."""
    touched = {
        campaign["campaignArn"]: (solution, campaign)
        for solution, campaign in campaigns(reports)
        if campaign["outcome"] in ("DEPLOYED", "ROLLED_BACK")
    }
    for arn, (solution, campaign) in touched.items():
        ours = [update.at for update in witness.updates if update.campaign == arn]
        if arn in witness.overtaken and (not ours or ours[-1] < witness.overtaken[arn]):
            continue
        expected = {
            "DEPLOYED": solution["solutionVersionArn"],
            "ROLLED_BACK": campaign["previousVersionArn"],
        }
        assert witness.served(arn) == expected[campaign["outcome"]], f"{campaign} is not served"


def _arn(version: Mapping[str, object]) -> str:
    return str(version["solutionVersionArn"])
