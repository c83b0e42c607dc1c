"""Trainings may fail, hang or be stopped, and no version is trained twice."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from tests.workflow.pipeline import RUN_ID, before_step, deploy, handler, killed_after_work
from tests.workflow.summaries import DEPLOYED, failed_calls, failures, outcomes, report
from tests.world import MOVIES, PREFIX, solution, solution_arn

VERSION_NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"
with_and_without_unique_names = pytest.mark.parametrize(
    "unique", [True, False], ids=["unique names", "any names"]
)


# Failures


def test_after_a_failed_training_the_campaign_is_not_updated():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=VERSION_NAME, reason="Too few users"
        )
        old = pipeline.served_version()
        execution = pipeline.run()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == old
        new = pipeline.versions()[-1]
    assert execution.status == "FAILED"
    assert execution.cause == (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: FAILED: Too few users\n"
        f"    version {new}"
    )
    assert failed_calls(execution) == []


def test_if_one_solution_fails_the_other_continues_and_the_run_fails():
    two = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    with deploy(two) as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=VERSION_NAME, reason="Too few users"
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version("detail") == pipeline.versions("like")[-1]
    assert (execution.status, report(execution)["status"]) == ("FAILED", "FAILED")
    assert outcomes(execution) == {"taste": "FAILED", "like": "DEPLOYED", "detail": "DEPLOYED"}


def test_a_training_that_a_person_stopped_is_not_repeated():
    with deploy() as pipeline:
        pipeline.inject_fault("stop", job="solution-version", of=VERSION_NAME)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        version = pipeline.versions()[-1]
    assert failures(execution) == {
        "taste": f"{version}: its status is CREATE STOPPED, and Personalize gives no reason"
    }


QUOTA = "More than 20 resources with PENDING or IN_PROGRESS status"


@pytest.mark.parametrize("fault", ["limit-exceeded", "resource-in-use"])
def test_a_training_waits_until_there_is_room_for_it(fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation="CreateSolutionVersion", times=5)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("CreateSolutionVersion")) == 6
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) == [], "a full quota is no error of a function"


def test_a_training_that_cannot_be_created_is_reported_after_the_deadline():
    limits = LimitsArgs(max_training_hours=2)
    with deploy(MOVIES.with_options(limits=limits)) as pipeline:
        pipeline.inject_fault(
            "limit-exceeded", operation="CreateSolutionVersion", message=QUOTA, times=None
        )
        started_at = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        assert pipeline.clock.now() - started_at < timedelta(hours=2, minutes=5)
    assert failures(execution) == {
        "taste": f"gave up after 2 hours: the training cannot start yet: {QUOTA}"
    }


def test_a_training_is_stopped_at_its_deadline():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        started_at = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        duration = pipeline.clock.now() - started_at
        new = pipeline.versions()[-1]
        assert pipeline.requests("StopSolutionVersionCreation") == [{"solutionVersionArn": new}]
        assert pipeline.statuses() == ["ACTIVE", "CREATE STOPPED"]
    assert failures(execution) == {
        "taste": "still CREATE IN_PROGRESS after 24 hours, so it was stopped"
    }
    assert timedelta(hours=24) <= duration < timedelta(hours=24, minutes=15)
    assert execution.states.count("Stop solution version") == 1


def test_the_run_waits_an_hour_for_a_training_that_does_not_stop():
    with deploy(durations={"stop": 5 * 3600}) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        started_at = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        duration = pipeline.clock.now() - started_at
    assert failures(execution) == {
        "taste": "still CREATE IN_PROGRESS after 24 hours, and did not stop within an hour"
    }
    assert timedelta(hours=25) <= duration < timedelta(hours=25, minutes=5)


def test_a_training_with_an_unknown_status_is_stopped_at_its_deadline_with_a_warning():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_training_hours=1))) as pipeline:
        pipeline.inject_fault("unknown-status", job="solution-version", status="CREATE PAUSED")
        execution = pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
    assert failures(execution) == {"taste": "still CREATE PAUSED after 1 hours, so it was stopped"}
    assert report(execution)["warnings"] == [
        f"{new}: the status 'CREATE PAUSED' is unknown and counts as running"
    ]


def test_a_training_that_ends_right_before_it_is_stopped_is_deployed():
    def watch_and_wait(event, context):
        job = handler("watch_solution_version")(event, context)
        if job["phase"] == "OVERDUE":
            pipeline.sleep(60)
        return job

    group = MOVIES.with_options(limits=LimitsArgs(max_training_hours=1.5))
    with deploy(group, handlers={"watch_solution_version": watch_and_wait}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("StopSolutionVersionCreation") == []
    assert outcomes(execution) == DEPLOYED


@pytest.mark.parametrize("seconds_after_deadline", [10, 40])
def test_a_training_that_ends_before_the_service_stops_it_is_deployed(seconds_after_deadline):
    def delay_stop(_event):
        pipeline.inject_fault("stale", operation="DescribeSolutionVersion", seconds=120)
        pipeline.sleep(50)

    seconds = 1.5 * 3600 - 60 + seconds_after_deadline
    group = MOVIES.with_options(limits=LimitsArgs(max_training_hours=1.5))
    with deploy(group, handlers=before_step("stop_solution_version", delay_stop)) as pipeline:
        pipeline.inject_fault("take", job="solution-version", seconds=seconds)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
    assert outcomes(execution) == DEPLOYED


# Faults


@pytest.mark.parametrize(
    "operation", ["CreateSolutionVersion", "DescribeSolutionVersion", "ListSolutionVersions"]
)
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_a_training_is_retried_after_throttling_and_server_errors(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=5)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) != [], "the workflow retried too, not only botocore"


def test_a_stop_is_retried_after_throttling():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.inject_fault("throttle", operation="StopSolutionVersionCreation", times=3)
        execution = pipeline.run(skipImport=True)
        assert pipeline.statuses()[-1] == "CREATE STOPPED"
    assert failed_calls(execution) == [("stop_solution_version", "Throttled")] * 3


def test_a_stop_without_a_response_is_not_requested_twice():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.inject_fault("lost-answer", operation="StopSolutionVersionCreation")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
    assert failures(execution)["taste"] == (
        "still CREATE IN_PROGRESS after 24 hours, so it was stopped"
    )


@with_and_without_unique_names
@pytest.mark.parametrize("status", [None, 500])
def test_a_training_whose_creation_got_no_response_is_not_created_twice(unique, status):
    with deploy(switches=Switches(unique_version_names=unique)) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion", status=status)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2, "the first version and a new version"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) == [("create_solution_version", "ServiceUnavailable")]


@with_and_without_unique_names
def test_a_function_that_was_killed_after_it_created_a_version_adopts_the_version(unique):
    switches = Switches(unique_version_names=unique)
    with deploy(
        switches=switches, handlers=killed_after_work("create_solution_version", times=2)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) == [("create_solution_version", "Sandbox.Timedout")] * 2


def test_a_version_that_is_not_listed_yet_is_searched_again_if_its_name_is_taken():
    def let_lists_be_stale(_event):
        pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=200, times=2)

    with deploy(
        switches=Switches(unique_version_names=True),
        handlers=before_step("create_solution_version", let_lists_be_stale, times=9),
    ) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DEPLOYED
    assert len(failed_calls(execution)) > 1, "the first retry came too early"


def test_a_version_that_is_not_listed_yet_is_found_by_the_retry():
    def let_list_be_stale(_event):
        pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=25)

    with deploy(
        handlers=before_step("create_solution_version", let_list_be_stale, times=9)
    ) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2, (
            "names need not be unique, so only the list shows the version"
        )
    assert outcomes(execution) == DEPLOYED


def test_a_training_whose_creation_never_responds_is_adopted_when_the_run_is_resumed():
    with deploy(handlers=killed_after_work("create_solution_version", times=6)) as pipeline:
        failed = pipeline.run(skipImport=True)
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.versions()) == 2
    assert report(failed)["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        f"  {solution_arn()}: FAILED: Sandbox.Timedout: made to fail\n"
        f"  warning: Personalize did not answer the request to create {VERSION_NAME}, so it may "
        f"exist; resume run {RUN_ID}, which uses it if it exists"
    )
    assert outcomes(execution) == DEPLOYED
