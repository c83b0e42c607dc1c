"""Check what the pipeline promises, whatever goes wrong around a run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from emulator.virtual.step_functions import Execution
from tests.workflow.pipeline import RUN_ID
from tests.workflow.recorder import Recorder, Report, Update, is_of_this_run, report_of
from tests.world import PREFIX

MAX_DROP = 0.25
"""The limit of the default quality gate."""
ENDS_WITHOUT_REPORT = ("ABORTED", "TIMED_OUT", "ReportFailed")


def check_invariants(recorder: Recorder, executions: Sequence[Execution]) -> list[Report]:
    """Assert all invariants, and return the reports of the executions.

    Args:
        recorder: has recorded all requests.
        executions: all executions, which have ended.
    """
    optional_reports = [_check_report(recorder, execution) for execution in executions]
    reports = [report for report in optional_reports if report is not None]
    for update in recorder.updates:
        _check_update(recorder, update)
    _check_trainings(recorder, reports)
    _check_stops(recorder)
    _check_started_jobs_are_reported(recorder, executions, reports)
    _check_probes(recorder, reports)
    _check_served_versions(recorder, reports)
    return reports


def campaigns_of(reports: Iterable[Report]) -> Iterator[tuple[Mapping, Mapping]]:
    """Yield the solution and the campaign of each campaign in the reports."""
    for report in reports:
        for solution in report["solutions"]:
            for campaign in solution["campaigns"]:
                yield solution, campaign


def _check_report(recorder: Recorder, execution: Execution) -> Report | None:
    """Check that an execution, or `close_run` after it, reported once. Return the report.

    There is no report if `close_run` failed in all its attempts.
    """
    report, closings = report_of(execution), recorder.closings.get(execution.arn, [])
    if execution.arn in recorder.aborted:
        assert execution.status == "ABORTED", "an aborted execution ended in another way"
    if report is not None:
        assert execution.status in ("SUCCEEDED", "FAILED"), "it reported, so it ended by itself"
        assert closings in ([], [None]), f"{execution.arn} has reported, and was reported again"
        return report
    end = execution.error if execution.status == "FAILED" else execution.status
    assert end in ENDS_WITHOUT_REPORT, f"{end}: an execution that ends so must report"
    for closing in closings:
        assert (closing["outcome"], closing["runId"]) == ("FAILED", RUN_ID), "the run has failed"
        assert closing["executionArn"] == execution.arn, "the report is about another execution"
        assert closing["error"] == execution.status, "the report says how the execution ended"
    assert closings or execution.arn in recorder.not_closed, f"{execution.arn} has no report"
    return closings[0] if closings else None


def _check_update(recorder: Recorder, update: Update) -> None:
    """Check that an update deploys a good, newer version, or rolls back to a served version."""
    assert update.target_status == "ACTIVE", f"{update} deploys a version that is not ACTIVE"
    assert not update.was_rolled_back, f"{update} deploys a version that was rolled back from"
    if _is_rollback(recorder, update):
        return
    assert update.drop <= MAX_DROP, f"{update} deploys a version that the gate must reject"
    assert update.target_is_newer, f"{update} deploys an older version, and is no rollback"


def _is_rollback(recorder: Recorder, update: Update) -> bool:
    """Return True if a campaign returns to a version that it served before."""
    earlier_updates = recorder.updates[: recorder.updates.index(update)]
    return any(
        earlier.campaign == update.campaign and earlier.served == update.target
        for earlier in earlier_updates
    )


def _check_trainings(recorder: Recorder, reports: Sequence[Report]) -> None:
    """Check that the run trains at most one useful version, and uses no foreign version."""
    versions = recorder.versions()
    trained = {_arn(version) for version in versions if is_of_this_run(version)}
    useful = {_arn(version) for version in versions if not recorder.is_useless(version)}
    assert len(trained & useful) <= 1, f"{trained & useful} were trained, and none of them failed"

    solutions = [solution for report in reports for solution in report["solutions"]]
    reported = {item["solutionVersionArn"] for item in solutions} - {None}
    assert reported <= trained, f"{reported - trained} are foreign"


def _check_stops(recorder: Recorder) -> None:
    """Check that only versions of this run were stopped, and none by `close_run`."""
    for version_arn, closed_execution in recorder.stops:
        version = recorder.version(version_arn)
        assert is_of_this_run(version), f"{version_arn} is foreign, and was stopped"
        assert closed_execution is None, f"closing an execution stopped {version_arn}"


def _check_started_jobs_are_reported(
    recorder: Recorder, executions: Sequence[Execution], reports: Sequence[Report]
) -> None:
    """Check that a report names each job that a reporting execution created."""
    reporting = {execution.arn for execution in executions if report_of(execution)}
    names = {name for name, creators in recorder.creators.items() if creators & reporting}
    created = {
        *(job["datasetImportJobArn"] for job in recorder.import_jobs() if job["jobName"] in names),
        *(_arn(version) for version in recorder.versions() if version.get("name") in names),
    }
    reported = {
        arn
        for report in reports
        for arn in (
            *(item["datasetImportJobArn"] for item in report["imports"]),
            *(item["solutionVersionArn"] for item in report["solutions"]),
        )
    }
    assert created <= reported, f"no report names {created - reported}"
    prefix = f"{PREFIX}-{RUN_ID}-"
    assert all(name.startswith(prefix) for name in recorder.creators), "a name shows its run"


def _check_probes(recorder: Recorder, reports: Sequence[Report]) -> None:
    """Check that a version is DEPLOYED only after the campaign answered its probe well."""
    for solution, campaign in campaigns_of(reports):
        arn, version = campaign["campaignArn"], solution["solutionVersionArn"]
        deployed_at = [
            update.at
            for update in recorder.updates
            if (update.campaign, update.target) == (arn, version) and update.served != version
        ]
        if deployed_at and campaign["outcome"] == "DEPLOYED" and arn in recorder.probes:
            assert any(
                (answer.campaign, answer.version) == (arn, version) and answer.at >= deployed_at[-1]
                for answer in recorder.answers
            ), f"{campaign} has a probe, which was never answered well"


def _check_served_versions(recorder: Recorder, reports: Sequence[Report]) -> None:
    """Check that a campaign serves what the last report about it says."""
    last_reports = {
        campaign["campaignArn"]: (solution, campaign)
        for solution, campaign in campaigns_of(reports)
        if campaign["outcome"] in ("DEPLOYED", "ROLLED_BACK")
    }
    for arn, (solution, campaign) in last_reports.items():
        updated_at = [update.at for update in recorder.updates if update.campaign == arn]
        overtaken_at = recorder.overtaken.get(arn)
        if overtaken_at and (not updated_at or updated_at[-1] < overtaken_at):
            continue
        expected = {
            "DEPLOYED": solution["solutionVersionArn"],
            "ROLLED_BACK": campaign["previousVersionArn"],
        }
        served = recorder.served_version(arn)
        assert served == expected[campaign["outcome"]], f"{campaign} is not served"


def _arn(version: Mapping[str, object]) -> str:
    return str(version["solutionVersionArn"])
