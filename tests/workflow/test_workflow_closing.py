"""Runs that end without a report, and what `close_run` makes of them; runs side by side."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from emulator.virtual.lambda_runtime import Fails
from functions.errors import ServiceUnavailable
from functions.executions import REPORTED
from tests.workflow.pipeline import RUN_ID, deploy, handler, killed_after_work
from tests.workflow.summaries import failed_calls, outcomes, report
from tests.world import IMPORT_ROLE, MOVIES, PREFIX, dataset_arn, solution, solution_arn

NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"
DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
SHORT = MOVIES.with_options(
    limits=LimitsArgs(max_import_hours=1, max_training_hours=1, max_campaign_hours=1)
)


def status_change(execution):
    """Give the event of EventBridge for an execution's end.

    As https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html shows it.
    """
    machine = execution.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "123456789012",
        "time": "2026-11-30T03:00:00Z",
        "region": "eu-west-1",
        "resources": [execution.arn],
        "detail": {
            "executionArn": execution.arn,
            "stateMachineArn": machine,
            "name": execution.arn.rpartition(":")[2],
            "status": execution.status,
            "startDate": 1795921200000,
            "stopDate": int(execution.events[-1]["timestamp"].timestamp() * 1000),
            "input": "{}",
            "output": None,
            "inputDetails": {"included": True},
            "outputDetails": None,
            "error": execution.error,
            "cause": execution.cause,
        },
    }


def close(execution):
    """Call close_run as EventBridge does when an execution has ended."""
    return handler("close_run")(status_change(execution), None)


def time_out(pipeline, **request):
    """Run until the machine's own time-out ends it: watching never sees an end or a deadline."""

    def blind(event, _context):
        return {**event["version"], "phase": "UNDER_WAY", "seconds": 3600}

    pipeline.handlers["watch_solution_version"] = blind
    execution = pipeline.run(**request)
    assert execution.status == "TIMED_OUT", execution
    return execution


# A time-out of the machine


def test_the_machine_times_out_long_after_every_deadline():
    with deploy(SHORT) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        began = pipeline.clock.now()
        time_out(pipeline, skipImport=True)
        assert pipeline.clock.now() - began == timedelta(seconds=SHORT.args.backstop_seconds)


def test_a_run_whose_every_stage_takes_all_its_time_ends_by_itself():
    limits = LimitsArgs(max_import_hours=0.5, max_training_hours=1, max_campaign_hours=5)
    five = {f"other-{number}": 0.49 * 3600 for number in range(5)}
    ours = {f"{PREFIX}-{RUN_ID}-items-1": 0.49 * 3600}
    updates = {"solution-version": 0.99 * 3600, "campaign-update": 4.9 * 3600}
    all_slow = MOVIES.with_datasets("items").with_options(limits=limits)
    with deploy(all_slow, durations={**five, **ours, **updates}) as pipeline:
        for each in five:
            pipeline.client.create_dataset_import_job(
                jobName=each,
                datasetArn=dataset_arn("ITEMS"),
                dataSource={"dataLocation": "s3://exports/items.csv"},
                roleArn=IMPORT_ROLE,
            )

        def update_by_hand(event, context):
            if event["update"] is None:
                pipeline.client.update_campaign(
                    campaignArn=event["campaign"]["campaignArn"],
                    solutionVersionArn=pipeline.versions()[0],
                )
            return handler("update_campaign")(event, context)

        pipeline.handlers["update_campaign"] = update_by_hand
        execution = pipeline.run()
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == {"items": "IMPORTED", **DONE}


def test_a_run_that_timed_out_is_closed_with_its_training_stopped():
    with deploy(SHORT) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        execution = time_out(pipeline, skipImport=True)
        assert [
            call.function for call in execution.calls if call.function == "report_outcome"
        ] == []
        closed = close(execution)
        new = pipeline.versions()[-1]
        pipeline.sleep(1200)
        assert pipeline.statuses()[-1] == "CREATE STOPPED"
    assert closed["status"] == "FAILED"
    assert closed["runId"] == RUN_ID
    assert closed["executionArn"] == execution.arn
    assert closed["text"] == (
        f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given; stopped {new}"
    )


def test_closing_a_run_twice_is_harmless():
    with deploy(SHORT) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        execution = time_out(pipeline, skipImport=True)
        first, second = close(execution), close(execution)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
        pipeline.sleep(1200)
        third = close(execution)
        assert pipeline.statuses()[-1] == "CREATE STOPPED"
        new = pipeline.versions()[-1]
    assert first == second, "it is stopping, and was stopped for this run"
    assert third["text"] == (
        f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given; {new} is CREATE STOPPED"
    )


def test_closing_stops_only_the_trainings_of_this_run():
    names = ("by-hand", f"{PREFIX}-20261122T030000Z-0b519087-1", f"ffffffff-{RUN_ID}-0b519087-1")
    with deploy(SHORT) as pipeline:
        pipeline.inject_fault("hang", job="solution-version", times=4)
        for name in names:
            pipeline.client.create_solution_version(
                solutionArn=solution_arn(), name=name, trainingMode="UPDATE"
            )
        pipeline.sleep(600)
        close(time_out(pipeline, skipImport=True))
        stopped = pipeline.requests("StopSolutionVersionCreation")
        assert stopped == [{"solutionVersionArn": pipeline.versions()[-1]}], (
            "not somebody's, not another run's, not another stack's"
        )


def test_closing_goes_on_when_a_training_has_just_ended():
    two = SHORT.with_solutions(solution("taste"), solution("like", campaigns=[]))
    with deploy(two) as pipeline:
        late = SHORT.args.backstop_seconds + 30
        pipeline.inject_fault(
            "take", job="solution-version", of=solution_arn("taste"), seconds=late - 60
        )
        pipeline.inject_fault("hang", job="solution-version", of=solution_arn("like"))
        execution = time_out(pipeline, skipImport=True)
        pipeline.sleep(60)
        for operation in ("ListSolutionVersions", "DescribeSolutionVersion"):
            pipeline.inject_fault("stale", operation=operation, seconds=120)
        closed = close(execution)
        pipeline.sleep(1200)
        assert pipeline.statuses("taste")[-1] == "ACTIVE", "it had ended, and the service refused"
        assert pipeline.statuses("like")[-1] == "CREATE STOPPED", (
            "the other one is stopped all the same"
        )
    assert closed["status"] == "FAILED"


# An abort


def test_an_abort_leaves_the_training_to_whoever_aborted():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(3600)
        running.abort("Enough", "of this")
        closed = close(running.now())
        assert pipeline.requests("StopSolutionVersionCreation") == []
        pipeline.sleep(2 * 3600)
        assert pipeline.statuses()[-1] == "ACTIVE"
        new = pipeline.versions()[-1]
    told = [each.rpartition("/")[2] for each in closed["reason"].split("; ")]
    assert told == [
        "ABORTED: Enough: of this",
        *(f"{PREFIX}-{RUN_ID}-{each}-1 is ACTIVE" for each in ("interactions", "items", "users")),
        f"{new.rpartition('/')[2]} is CREATE IN_PROGRESS",
    ]


def test_closing_late_leaves_alone_what_a_resumed_execution_has_started_since():
    with deploy(SHORT) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        execution = time_out(pipeline, skipImport=True)
        close(execution)
        pipeline.sleep(1200)
        resumed = pipeline.start(scheduledTime=None, scheduleArn=None, trigger=None, resume=RUN_ID)
        pipeline.sleep(1800)
        assert pipeline.statuses()[-1] == "CREATE IN_PROGRESS"
        late = close(execution)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
        resumed.wait()
        _, first, _ = pipeline.versions()
    assert late["text"] == (
        f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given; {first} is CREATE STOPPED"
    )


def test_an_abort_without_words_is_reported_too():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(60)
        running.abort()
        closed = close(running.now())
    assert closed["reason"].split("; ")[0] == "ABORTED: no cause given"


# Runs that have reported, and runs that could not


@pytest.mark.parametrize("fails", [False, True], ids=["deployed", "failed"])
def test_a_run_that_has_reported_is_left_alone(fails):
    with deploy() as pipeline:
        if fails:
            pipeline.inject_fault("fail", job="solution-version", of=NAME)
        execution = pipeline.run(skipImport=True)
        assert execution.error == (REPORTED if fails else None)
        assert close(execution) is None
        assert pipeline.requests("StopSolutionVersionCreation") == []


def test_a_run_that_is_still_under_way_is_left_alone():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(3600)
        with pytest.raises(ServiceUnavailable):  # the answer may be stale: Lambda tries again
            close(running.now())
        running.abort()


def test_a_run_that_could_not_report_is_closed():
    def broken(_event, _context):
        raise MemoryError("out of it")

    with deploy(handlers={"report_outcome": broken}) as pipeline:
        execution = pipeline.run(skipImport=True)
        closed = close(execution)
    assert (execution.status, execution.error) == ("FAILED", "ReportFailed")
    assert closed["text"].startswith(f"Retraining run {RUN_ID}: FAILED: FAILED: ReportFailed: "), (
        "EventBridge tells of every FAILED run, and this one has not reported"
    )


def test_a_report_that_is_killed_is_made_again():
    with deploy(handlers=killed_after_work("report_outcome", times=2)) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert execution.status == "SUCCEEDED"
    assert failed_calls(execution) == [("report_outcome", "Sandbox.Timedout")] * 2


def test_a_plan_that_cannot_be_made_is_reported():
    def broken(_event, _context):
        raise Fails("Runtime.ExitError", "signal: killed")

    with deploy(handlers={"plan_retraining": broken}) as pipeline:
        execution = pipeline.run()
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: FAILED: Runtime.ExitError: signal: killed"
    )
    assert len(failed_calls(execution)) == 6


@pytest.mark.parametrize("error", ["Lambda.TooManyRequestsException", "Lambda.ServiceException"])
def test_hiccups_of_lambda_pass(error):
    failing = {
        step: killed_after_work(step, error=error)[step]
        for step in ("plan_retraining", "create_solution_version", "update_campaign")
    }
    with deploy(handlers=failing) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DONE
    assert [error for _, error in failed_calls(execution)] == [error] * 3


@pytest.mark.parametrize(
    "operation",
    ["ListDatasetImportJobs", "ListSolutionVersions", "DescribeSolution", "DescribeCampaign"],
)
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_throttling_and_server_errors_of_the_plan_pass(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=6)
        execution = pipeline.run(dryRun=True)
    assert report(execution)["status"] == "SKIPPED"
    errors = {"throttle": "Throttled", "server-error": "ServiceUnavailable"}
    assert failed_calls(execution) == [("plan_retraining", errors[fault])], (
        "four times botocore tried, then the workflow called again"
    )


def test_throttling_without_end_fails_the_run_after_some_minutes():
    with deploy() as pipeline:
        pipeline.inject_fault("throttle", operation="DescribeCampaign", times=1000)
        began = pipeline.clock.now()
        execution = pipeline.run()
        took = pipeline.clock.now() - began
    assert report(execution)["reason"] == (
        "Throttled: DescribeCampaign: ThrottlingException: Rate exceeded"
    )
    assert timedelta(minutes=1) < took < timedelta(minutes=20), took
