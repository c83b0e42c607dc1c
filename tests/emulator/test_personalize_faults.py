"""Proves that injected faults happen to the calls and jobs that they name, and not again."""

import math

import pytest
from botocore.exceptions import ReadTimeoutError
from personalize_world import CALLER, GROUP, INTERACTIONS, World, error_of, recipe_arn

from emulator.personalize import Faults


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def group_names(world):
    return [group["name"] for group in world.client.list_dataset_groups()["datasetGroups"]]


def test_throttling_refuses_the_named_operation_as_often_as_asked(world):
    world.inject("throttle", operation="CreateDatasetGroup", times=2)
    for _ in range(2):
        assert group_names(world) == [], "other operations succeed"
        assert error_of(world.client.create_dataset_group, name="movies") == (
            "ThrottlingException",
            "Rate exceeded",
        )
    world.client.create_dataset_group(name="movies")


@pytest.mark.parametrize("fault", ["throttle", "server-error", "lost-answer"])
def test_botocore_retries_these_faults(world, monkeypatch, fault):
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.inject(fault, operation="ListSchemas")
    response = world.connect(attempts=3).list_schemas()
    assert response["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable")]
)
def test_a_server_error_has_its_status(world, status, code):
    world.inject("server-error", operation="*", status=status)
    with pytest.raises(world.client.exceptions.ClientError) as error:
        world.client.list_schemas()
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "More than 5 resources with PENDING or IN_PROGRESS status"),
        ({"message": "enough"}, "enough"),
    ],
)
def test_a_limit_is_exceeded_with_the_message_of_imports_or_another(world, parameters, message):
    world.inject("limit-exceeded", operation="CreateSchema", **parameters)
    error = error_of(world.client.create_schema, name="s", schema="{}")
    assert error == ("LimitExceededException", message)


def test_the_fault_limit_exceeded_has_the_message_of_the_quota_of_trainings(world, solution):
    world.inject("limit-exceeded", operation="CreateSolutionVersion")
    error = error_of(world.client.create_solution_version, solutionArn=solution)
    message = "More than 20 resources with PENDING or IN_PROGRESS status"
    assert error == ("LimitExceededException", message)


@pytest.mark.parametrize("operation", ["create_dataset_import_job", "create_solution_version"])
def test_an_import_or_a_training_can_be_refused_because_a_resource_is_in_use(
    world, solution, operation
):
    requests = {
        "create_dataset_import_job": world.import_request(INTERACTIONS, "second"),
        "create_solution_version": {"solutionArn": solution},
    }
    operation_names = world.client.meta.method_to_api_mapping
    world.inject("resource-in-use", operation=operation_names[operation])
    call = getattr(world.client, operation)
    error = error_of(call, **requests[operation])
    assert error == ("ResourceInUseException", "Resource is in use.")
    call(**requests[operation])


def test_a_denied_call_names_the_caller_and_the_action(world):
    world.inject("deny", operation="DescribeSolution")
    error = error_of(world.client.describe_solution, solutionArn=GROUP)
    assert error == (
        "AccessDeniedException",
        f"User: {CALLER.arn} is not authorized to perform: personalize:DescribeSolution",
    )


def test_a_resource_can_have_too_many_tags(world):
    group = world.create_group()
    world.inject("too-many-tags", operation="TagResource")
    tags = [{"tagKey": "team", "tagValue": "films"}]
    error = error_of(world.client.tag_resource, resourceArn=group, tags=tags)
    assert error == ("TooManyTagsException", "A resource can have at most 50 tags")


def test_any_other_error_has_the_code_the_message_and_the_status_that_the_fault_names(world):
    world.inject(
        "error", operation="ListSchemas", code="TeapotException", message="short", status=418
    )
    with pytest.raises(world.client.exceptions.ClientError) as error:
        world.client.list_schemas()
    assert error.value.response["Error"] == {"Code": "TeapotException", "Message": "short"}
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 418


def test_a_fault_for_calls_can_name_a_value_in_the_request(world, solution):
    campaign = world.create_campaign(world.train(solution))
    world.inject("error", operation="GetRecommendations", of="user-001", times=None)
    for _ in range(3):
        error = error_of(world.runtime.get_recommendations, campaignArn=campaign, userId="user-001")
        assert error.code == "InvalidInputException", "a fault without an end stays"
        world.runtime.get_recommendations(campaignArn=campaign, userId="user-002")


def test_a_fault_with_a_rate_happens_to_that_share_of_the_calls(world):
    world.inject("throttle", operation="ListSchemas", times=None, rate=0.3)
    refused = 0
    for _ in range(1000):
        try:
            world.client.list_schemas()
        except world.client.exceptions.ClientError:
            refused += 1
    assert 250 < refused < 350


def test_a_rate_hits_the_same_calls_each_time():
    def outcomes():
        faults = Faults()
        faults.inject({"fault": "deny", "operation": "*", "times": None, "rate": 0.5})
        return [faults.take_for_call("ListSchemas", {}) is None for _ in range(50)]

    assert outcomes() == outcomes()


@pytest.mark.parametrize(
    ("recipe", "operation", "request_fields"),
    [
        ("user-personalization", "get_recommendations", {"userId": "user-001"}),
        (
            "personalized-ranking",
            "get_personalized_ranking",
            {"userId": "user-001", "inputList": ["film-001"]},
        ),
    ],
)
def test_a_response_of_the_runtime_can_be_without_a_list(world, recipe, operation, request_fields):
    solution = world.create_trainable_solution(recipe_arn(recipe))
    campaign = world.create_campaign(world.train(solution))
    world.inject("no-item-list", operation=world.runtime.meta.method_to_api_mapping[operation])
    response = getattr(world.runtime, operation)(campaignArn=campaign, **request_fields)
    assert response.keys() == {"recommendationId", "ResponseMetadata"}


@pytest.mark.parametrize(
    ("recipe", "operation", "request_fields", "key"),
    [
        ("user-personalization", "get_recommendations", {"userId": "user-001"}, "itemList"),
        (
            "personalized-ranking",
            "get_personalized_ranking",
            {"userId": "user-001", "inputList": ["film-001"]},
            "personalizedRanking",
        ),
    ],
)
def test_a_version_can_be_trained_that_never_has_a_result(
    world, recipe, operation, request_fields, key
):
    solution = world.create_trainable_solution(recipe_arn(recipe))
    good = world.train(solution, name="good")
    world.inject("no-results", job="solution-version")
    empty = world.train(solution, name="empty")
    campaign = world.create_campaign(good)
    assert getattr(world.runtime, operation)(campaignArn=campaign, **request_fields)[key] != []
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=empty)
    world.wait()
    assert getattr(world.runtime, operation)(campaignArn=campaign, **request_fields)[key] == []


def test_metrics_can_be_changed_to_no_number_to_infinity_and_to_nothing(world, solution):
    version = world.train(solution)
    values = {"coverage": math.nan, "precision_at_5": -math.inf, "precision_at_10": None}
    world.inject("metrics", operation="GetSolutionMetrics", of=version, values=values)
    changed, real = (
        world.client.get_solution_metrics(solutionVersionArn=version)["metrics"] for _ in range(2)
    )
    assert math.isnan(changed["coverage"])
    assert changed["precision_at_5"] == -math.inf
    assert changed.keys() == real.keys() - {"precision_at_10"}
    assert changed["precision_at_25"] == real["precision_at_25"]


@pytest.mark.usefixtures("solution")
def test_a_failure_reason_can_be_very_long(world):
    reason = "why? " * 20_000  # 100 KB
    world.inject("fail", job="dataset-import-job", reason=reason)
    assert world.import_file(INTERACTIONS, "second")["failureReason"] == reason


def test_a_response_is_lost_after_the_operation_was_performed(world):
    world.inject("lost-answer", operation="CreateDatasetGroup")
    with pytest.raises(ReadTimeoutError):
        world.client.create_dataset_group(name="movies")
    assert group_names(world) == ["movies"]


def test_a_lost_response_can_be_replaced_by_a_server_error(world):
    world.inject("lost-answer", operation="CreateDatasetGroup", status=500)
    error = error_of(world.client.create_dataset_group, name="movies")
    assert error.code == "InternalServerError"
    assert group_names(world) == ["movies"]


def test_a_stale_describe_shows_the_status_of_some_seconds_ago(world, solution):
    version = world.start_training(solution)
    world.wait(30)
    world.inject("stale", operation="DescribeSolutionVersion", seconds=28)
    statuses = world.statuses(world.describe_version, version, [0])
    assert statuses == ["CREATE IN_PROGRESS", "ACTIVE"]


def test_a_stale_response_does_not_show_what_was_created_since(world, solution):
    campaign = world.create_campaign(world.train(solution))
    version = world.start_training(solution)
    world.start_update(campaign, minProvisionedTPS=2)
    world.inject("stale", operation="*", times=3)
    error = error_of(world.client.describe_solution_version, solutionVersionArn=version)
    assert error.code == "ResourceNotFoundException"
    listed = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert len(listed) == 1, "only the older version"
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign)


@pytest.mark.usefixtures("solution")
def test_the_next_import_job_fails_with_a_reason(world):
    world.inject("fail", job="dataset-import-job", reason="bad luck")
    jobs = [world.import_file(INTERACTIONS, name) for name in ("second", "third")]
    assert [(job["status"], job.get("failureReason")) for job in jobs] == [
        ("CREATE FAILED", "bad luck"),
        ("ACTIVE", None),
    ]


def test_the_next_training_is_stopped_where_it_would_have_ended(world, solution):
    world.inject("stop", job="solution-version")
    version = world.start_training(solution)
    assert world.statuses(world.describe_version, version, [1.5, 1.5, 1.5]) == [
        "CREATE PENDING",
        "CREATE IN_PROGRESS",
        "CREATE STOPPING",
        "CREATE STOPPED",
    ]


def test_the_next_training_hangs_and_can_be_stopped(world, solution):
    world.inject("hang", job="solution-version")
    version = world.start_training(solution)
    world.wait(10**8)
    assert world.describe_version(version)["status"] == "CREATE IN_PROGRESS"
    world.client.stop_solution_version_creation(solutionVersionArn=version)
    world.wait()
    assert world.describe_version(version)["status"] == "CREATE STOPPED"


def test_the_next_training_has_an_unknown_status_for_a_while(world, solution):
    world.inject("unknown-status", job="solution-version")
    version = world.start_training(solution)
    statuses = world.statuses(world.describe_version, version, [2, 60])
    assert statuses == ["CREATE PENDING", "CREATE PAUSED", "ACTIVE"]


def test_the_next_training_takes_as_long_as_asked(world, solution):
    world.inject("take", job="solution-version", seconds=7200)
    version = world.start_training(solution)
    world.wait(7200)
    assert world.describe_version(version)["status"] == "CREATE IN_PROGRESS", "1 s was pending"
    world.wait(1)
    assert world.describe_version(version)["trainingHours"] == 2


@pytest.mark.parametrize("names_the_solution", [False, True])
def test_a_fault_can_name_a_job_or_the_resource_that_it_belongs_to(
    world, solution, names_the_solution
):
    world.inject("fail", job="solution-version", of=solution if names_the_solution else "nightly")
    other_solution = world.create_solution(GROUP, "other")
    versions = [world.train(other_solution, name="daily"), world.train(solution, name="nightly")]
    statuses = [world.describe_version(version)["status"] for version in versions]
    assert statuses == ["ACTIVE", "CREATE FAILED"]


def test_faults_can_be_listed_and_removed(world):
    faults = world.personalize.faults
    first = world.inject("throttle", operation="ListSchemas", times=2)
    second = world.inject("fail", job="campaign-update", of="live")
    error_of(world.client.list_schemas)
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
    ], "with the remaining times"
    faults.clear(first)
    assert [fault["id"] for fault in faults.list()] == [second]
    faults.clear()
    assert faults.list() == []
    with pytest.raises(ValueError, match="there is no open fault 'fault-1'"):
        faults.clear(first)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"fault": "earthquake"},
            (
                "unknown fault 'earthquake'; known are throttle, server-error, deny, "
                "limit-exceeded, resource-in-use, too-many-tags, error, lost-answer, stale, "
                "no-item-list, metrics, fail, stop, hang, unknown-status, take, no-results"
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
            "the fault fail has no 'seconds'; it has fault, job, of, times, rate, reason",
        ),
        (
            {"fault": "hang", "job": "campaign", "times": 0},
            "times must be a whole number from 1 on, or null for always: 0",
        ),
        (
            {"fault": "throttle", "operation": "*", "rate": 0},
            "rate must be a number above 0 and at most 1: 0",
        ),
        (
            {"fault": "no-item-list", "operation": "ListSchemas"},
            "unknown operation 'ListSchemas'; known are GetActionRecommendations, ",
        ),
        (
            {"fault": "metrics", "operation": "GetSolutionMetrics", "values": "NaN"},
            "values of the fault metrics must be a JSON object: 'NaN'",
        ),
        (
            {"fault": "take", "job": "campaign", "seconds": "1"},
            "seconds of the fault take must be a number: '1'",
        ),
        *(
            (
                {"fault": "stale", "operation": "*", "seconds": seconds},
                f"seconds of the fault stale must be 0 or more: {seconds!r}",
            )
            for seconds in (-1, math.nan, math.inf)
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
def test_an_invalid_fault_is_refused(world, fault, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is asserted
        world.personalize.faults.inject(fault)
    assert str(error.value).startswith(message)
