"""Proves that faults on order happen, once each, to the calls and jobs that they are meant for."""

import pytest
from botocore.exceptions import ReadTimeoutError
from personalize_world import World, refused


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.movies()


def test_throttling_happens_so_many_times_and_no_more(world):
    world.personalize.faults.inject(
        {"fault": "throttle", "operation": "CreateDatasetGroup", "times": 2}
    )
    for _ in range(2):
        assert world.client.list_dataset_groups()["datasetGroups"] == [], "other calls go through"
        assert refused(world.client.create_dataset_group, name="movies") == (
            "ThrottlingException",
            "Rate exceeded",
        )
    world.client.create_dataset_group(name="movies")


def test_botocore_retries_what_it_would_retry_at_aws(world, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = world.connect(attempts=3)
    for order in ({"fault": "throttle"}, {"fault": "server-error"}, {"fault": "lost-answer"}):
        world.personalize.faults.inject({**order, "operation": "ListSchemas"})
        answer = client.list_schemas()
        assert answer["ResponseMetadata"]["RetryAttempts"] == 1, order


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable")]
)
def test_server_errors_have_their_status(world, status, code):
    order = {"fault": "server-error", "operation": "*", "status": status}
    world.personalize.faults.inject(order)
    with pytest.raises(world.client.exceptions.ClientError) as error:
        world.client.list_schemas()
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_limit_is_exceeded_on_order_with_the_message_of_imports_or_another(world):
    order = {"fault": "limit-exceeded", "operation": "CreateSchema"}
    for message in ("More than 5 resources with PENDING or IN_PROGRESS status", "enough"):
        world.personalize.faults.inject(
            order | ({"message": message} if message == "enough" else {})
        )
        answer = refused(world.client.create_schema, name="s", schema="{}")
        assert answer == ("LimitExceededException", message)


def test_an_answer_can_be_lost_after_the_operation_was_performed(world):
    world.personalize.faults.inject({"fault": "lost-answer", "operation": "CreateDatasetGroup"})
    with pytest.raises(ReadTimeoutError):
        world.client.create_dataset_group(name="movies")
    assert len(world.client.list_dataset_groups()["datasetGroups"]) == 1, "it is there"
    code, _ = refused(world.client.create_dataset_group, name="movies")
    assert code == "ResourceAlreadyExistsException", "and so is its name"


def test_a_lost_answer_can_be_a_server_error(world):
    order = {"fault": "lost-answer", "operation": "CreateDatasetGroup", "status": 500}
    world.personalize.faults.inject(order)
    code, _ = refused(world.client.create_dataset_group, name="movies")
    assert code == "InternalServerError"
    assert len(world.client.list_dataset_groups()["datasetGroups"]) == 1


def test_a_stale_describe_answers_as_of_some_seconds_ago(world, solution):
    arn = world.start_version(solution)
    world.wait(30)
    assert world.describe_version(arn)["status"] == "ACTIVE"
    order = {"fault": "stale", "operation": "DescribeSolutionVersion", "seconds": 28}
    world.personalize.faults.inject(order)
    assert world.describe_version(arn)["status"] == "CREATE IN_PROGRESS"
    assert world.describe_version(arn)["status"] == "ACTIVE", "once only"


def test_a_stale_answer_does_not_know_what_was_made_since(world, solution):
    campaign = world.campaign(world.version(solution))
    arn = world.start_version(solution)
    world.client.update_campaign(campaignArn=campaign, minProvisionedTPS=2)
    world.personalize.faults.inject({"fault": "stale", "operation": "*", "times": 3})
    code, _ = refused(world.client.describe_solution_version, solutionVersionArn=arn)
    assert code == "ResourceNotFoundException"
    listed = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert len(listed) == 1, "the older version alone"
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign)


@pytest.mark.parametrize("job", ["solution-version", "dataset-import-job"])
def test_the_next_job_of_a_kind_fails_with_a_reason(world, solution, job):
    world.personalize.faults.inject({"fault": "fail", "job": job, "reason": "out of luck"})
    ends = []
    for number in range(2):
        if job == "solution-version":
            ends.append(world.describe_version(world.version(solution)))
        else:
            dataset = solution.replace("solution/for-you", "dataset/movies/INTERACTIONS")
            ends.append(world.imported(dataset, f"job-{number}"))
    assert [end["status"] for end in ends] == ["CREATE FAILED", "ACTIVE"]
    assert [end.get("failureReason") for end in ends] == ["out of luck", None]


def test_the_next_training_is_stopped_by_somebody_else(world, solution):
    world.personalize.faults.inject({"fault": "stop", "job": "solution-version"})
    arn = world.start_version(solution)
    seen = []
    for _ in range(3):
        world.wait(1.5)
        seen.append(world.describe_version(arn)["status"])
    assert seen == ["CREATE IN_PROGRESS", "CREATE STOPPING", "CREATE STOPPED"]


def test_the_next_job_hangs_for_ever(world, solution):
    world.personalize.faults.inject({"fault": "hang", "job": "solution-version"})
    arn = world.start_version(solution)
    world.wait(10**8)
    assert world.describe_version(arn)["status"] == "CREATE IN_PROGRESS"
    world.client.stop_solution_version_creation(solutionVersionArn=arn)
    world.wait()
    assert world.describe_version(arn)["status"] == "CREATE STOPPED", "it can still be stopped"


def test_the_next_job_shows_a_status_that_nobody_knows(world, solution):
    world.personalize.faults.inject({"fault": "unknown-status", "job": "solution-version"})
    arn = world.start_version(solution)
    world.wait(2)
    assert world.describe_version(arn)["status"] == "CREATE PAUSED"
    world.wait()
    assert world.describe_version(arn)["status"] == "ACTIVE"


def test_the_next_job_takes_its_time(world, solution):
    order = {"fault": "take", "job": "solution-version", "seconds": 7200}
    world.personalize.faults.inject(order)
    arn = world.start_version(solution)
    world.wait(7200)
    assert world.describe_version(arn)["status"] == "CREATE IN_PROGRESS", "after 1 s pending"
    world.wait(1)
    assert world.describe_version(arn)["trainingHours"] == 2


@pytest.mark.parametrize("of", ["nightly", "solution"])
def test_a_fault_can_wait_for_a_named_job_or_one_of_a_resource(world, solution, of):
    order = {"fault": "fail", "job": "solution-version", "of": solution if of == "solution" else of}
    world.personalize.faults.inject(order)
    other = world.solution(f"{solution.split('solution/')[0]}dataset-group/movies", "other")
    ends = [
        world.describe_version(arn)["status"]
        for arn in (world.version(other, name="daily"), world.version(solution, name="nightly"))
    ]
    assert ends == ["ACTIVE", "CREATE FAILED"]


def test_orders_can_be_listed_and_withdrawn(world):
    faults = world.personalize.faults
    first = faults.inject({"fault": "throttle", "operation": "ListSchemas", "times": 2})
    second = faults.inject({"fault": "fail", "job": "campaign-update", "of": "live"})
    refused(world.client.list_schemas)
    assert faults.list() == [
        {"id": first, "fault": "throttle", "operation": "ListSchemas", "times": 1},
        {
            "id": second,
            "fault": "fail",
            "job": "campaign-update",
            "of": "live",
            "times": 1,
            "reason": "Internal service error",
        },
    ], "what is left of them"
    faults.clear(first)
    assert [order["id"] for order in faults.list()] == [second]
    faults.clear()
    assert faults.list() == []
    with pytest.raises(ValueError, match="there is no open fault 'fault-1'"):
        faults.clear(first)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            {"fault": "earthquake"},
            (
                "unknown fault 'earthquake'; known are throttle, server-error, limit-exceeded, "
                "lost-answer, stale, fail, stop, hang, unknown-status, take"
            ),
        ),
        ({}, "unknown fault None; known are throttle, "),
        ({"fault": "throttle"}, "unknown operation None; known are *, CreateBatchInferenceJob, "),
        ({"fault": "throttle", "operation": "Sing"}, "unknown operation 'Sing'; known are *, "),
        (
            {"fault": "fail", "job": "dinner"},
            "unknown job 'dinner'; known are dataset-import-job, ",
        ),
        (
            {"fault": "fail", "job": "campaign", "seconds": 1},
            "the fault fail has no 'seconds'; it has fault, job, of, times, reason",
        ),
        (
            {"fault": "hang", "job": "campaign", "times": 0},
            "times must be a whole number from 1 on: 0",
        ),
        (
            {"fault": "take", "job": "campaign", "seconds": "1"},
            "seconds of the fault take must be a number: '1'",
        ),
        (
            {"fault": "lost-answer", "operation": "*", "status": "none"},
            "status of the fault lost-answer must be a number: 'none'",
        ),
        (
            {"fault": "fail", "job": "campaign", "reason": 5},
            "reason of the fault fail must be a text: 5",
        ),
    ],
)
def test_an_order_with_a_mistake_is_refused(world, order, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is asserted
        world.personalize.faults.inject(order)
    assert str(error.value).startswith(message)
