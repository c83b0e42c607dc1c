"""Trainings: what fails, hangs or is stopped, whose they are, and that none is paid for twice."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from tests.workflow.pipeline import RUN_ID, deploy, handler, killed_after_work
from tests.workflow.summaries import failed_calls, failures, outcomes, report
from tests.world import MOVIES, PREFIX, solution, solution_arn

NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"
NO_IMPORT = {"taste": "DEPLOYED", "home": "DEPLOYED"}
UNIQUENESS = pytest.mark.parametrize("unique", [True, False], ids=["unique names", "any names"])


# What fails


def test_a_failed_training_leaves_the_campaign_as_it_is():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", of=NAME, reason="Too few users")
        first = pipeline.served_version()
        execution = pipeline.run()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == first
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


def test_when_one_solution_of_two_fails_the_other_goes_on_and_the_run_is_failed():
    two = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    with deploy(two) as pipeline:
        pipeline.inject_fault("fail", job="solution-version", of=NAME, reason="Too few users")
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version("detail") == pipeline.versions("like")[-1]
    assert (execution.status, report(execution)["status"]) == ("FAILED", "FAILED")
    assert outcomes(execution) == {"taste": "FAILED", "like": "DEPLOYED", "detail": "DEPLOYED"}


def test_a_training_that_somebody_stopped_is_not_tried_again():
    with deploy() as pipeline:
        pipeline.inject_fault("stop", job="solution-version", of=NAME)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
    assert failures(execution) == {"taste": "its status is CREATE STOPPED"}


def test_a_solution_that_cannot_be_trained_says_why():
    with deploy() as pipeline:
        quota = "More than 20 resources with PENDING or IN_PROGRESS status"
        pipeline.inject_fault("limit-exceeded", operation="CreateSolutionVersion", message=quota)
        execution = pipeline.run(skipImport=True)
    assert failures(execution) == {
        "taste": "LimitExceededException: An error occurred (LimitExceededException) when calling "
        f"the CreateSolutionVersion operation (reached max retries: 0): {quota}"
    }
    assert report(execution)["solutions"][0]["solutionVersionArn"] is None


# Deadlines


def test_a_training_of_ours_that_is_overdue_is_stopped():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        began = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        took = pipeline.clock.now() - began
        new = pipeline.versions()[-1]
        assert pipeline.requests("StopSolutionVersionCreation") == [{"solutionVersionArn": new}]
        assert pipeline.statuses() == ["ACTIVE", "CREATE STOPPED"]
    assert failures(execution) == {
        "taste": "still CREATE IN_PROGRESS after 24 hours, so it was stopped"
    }
    assert timedelta(hours=24) <= took < timedelta(hours=24, minutes=15)
    assert execution.states.count("Stop solution version") == 1


def test_a_training_that_does_not_stop_is_left_after_an_hour():
    with deploy(durations={"stop": 5 * 3600}) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        began = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        took = pipeline.clock.now() - began
    assert failures(execution) == {
        "taste": "still CREATE IN_PROGRESS after 24 hours, and does not stop"
    }
    assert timedelta(hours=25) <= took < timedelta(hours=25, minutes=5)


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


def test_a_training_that_ends_between_the_last_look_and_the_stop_is_used():
    limits = LimitsArgs(max_training_hours=1.5)
    with deploy(MOVIES.with_options(limits=limits)) as pipeline:

        def look_then_wait(event, context):
            answer = handler("watch_solution_version")(event, context)
            if answer["phase"] == "OVERDUE":
                pipeline.clock.sleep(60)
            return answer

        pipeline.handlers["watch_solution_version"] = look_then_wait
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("StopSolutionVersionCreation") == []
    assert outcomes(execution) == NO_IMPORT


@pytest.mark.parametrize("late", [10, 40])
def test_a_stop_that_comes_too_late_is_no_failure(late):
    limits = LimitsArgs(max_training_hours=1.5)
    with deploy(MOVIES.with_options(limits=limits)) as pipeline:
        pipeline.inject_fault("take", job="solution-version", seconds=1.5 * 3600 - 60 + late)

        def stop_late(event, context):
            pipeline.inject_fault("stale", operation="DescribeSolutionVersion", seconds=120)
            pipeline.clock.sleep(50)
            return handler("stop_solution_version")(event, context)

        pipeline.handlers["stop_solution_version"] = stop_late
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
    assert outcomes(execution) == NO_IMPORT, "the service refuses to stop what has ended"


# Trouble on the way


@pytest.mark.parametrize(
    "operation", ["CreateSolutionVersion", "DescribeSolutionVersion", "ListSolutionVersions"]
)
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_throttling_and_server_errors_of_trainings_pass(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=5)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2, "trained once"
    assert outcomes(execution) == NO_IMPORT
    assert failed_calls(execution) != [], "and the workflow, not botocore alone, tried again"


def test_throttling_of_the_stop_passes():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.inject_fault("throttle", operation="StopSolutionVersionCreation", times=3)
        execution = pipeline.run(skipImport=True)
        assert pipeline.statuses()[-1] == "CREATE STOPPED"
    assert failed_calls(execution) == [("stop_solution_version", "Throttled")] * 3


def test_a_stop_that_was_not_answered_is_not_repeated():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.inject_fault("lost-answer", operation="StopSolutionVersionCreation")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1
    assert failures(execution)["taste"] == (
        "still CREATE IN_PROGRESS after 24 hours, so it was stopped"
    )


@UNIQUENESS
@pytest.mark.parametrize("status", [None, 500])
def test_a_training_whose_creation_was_not_answered_is_not_created_again(unique, status):
    with deploy(switches=Switches(unique_version_names=unique)) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion", status=status)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2, "the first one and the run's"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == NO_IMPORT
    assert failed_calls(execution) == [("create_solution_version", "ServiceUnavailable")]


@UNIQUENESS
def test_a_function_killed_after_it_created_a_version_adopts_it(unique):
    switches = Switches(unique_version_names=unique)
    with deploy(
        switches=switches, handlers=killed_after_work("create_solution_version", times=2)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == NO_IMPORT
    assert failed_calls(execution) == [("create_solution_version", "Sandbox.Timedout")] * 2


def test_a_version_whose_name_is_taken_but_that_is_not_listed_yet_is_looked_for_again():
    def with_old_lists(event, context):
        pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=90, times=2)
        return handler("create_solution_version")(event, context)

    switches = Switches(unique_version_names=True)
    handlers = {"create_solution_version": with_old_lists}
    with deploy(switches=switches, handlers=handlers) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == NO_IMPORT
    assert len(failed_calls(execution)) > 1, "the first look came too early"


def test_a_version_that_is_not_listed_at_once_is_found_by_the_next_try():
    def with_old_lists(event, context):
        pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=25)
        return handler("create_solution_version")(event, context)

    with deploy(handlers={"create_solution_version": with_old_lists}) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateSolutionVersion")
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2, "names may be used twice, so only the list tells"
    assert outcomes(execution) == NO_IMPORT


def test_a_training_whose_creation_is_never_answered_is_told_and_adopted_when_resumed():
    with deploy(handlers=killed_after_work("create_solution_version", times=6)) as pipeline:
        failed = pipeline.run(skipImport=True)
        execution = pipeline.run(resume=RUN_ID, skipImport=True)
        assert len(pipeline.versions()) == 2
    assert report(failed)["text"] == (
        f"Retraining run {RUN_ID}: FAILED\n"
        f"  {solution_arn()}: FAILED: Sandbox.Timedout: made to fail\n"
        f"  warning: {NAME} may have been created; to resume run {RUN_ID} adopts it"
    )
    assert outcomes(execution) == NO_IMPORT
