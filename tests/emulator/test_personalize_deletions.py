"""Proves what data deletion jobs do to datasets and models, and which jobs they exclude."""

import pytest
from personalize_world import (
    BATCH,
    CALLER,
    GROUP,
    IMPORT_ROLE,
    INTERACTIONS,
    World,
    error_of,
)

from emulator.personalize import Switches
from emulator.personalize.resources import Dataset

USERS = b"USER_ID\nuser-1\nuser-2\nnobody\n"


@pytest.fixture
def world():
    return trained_world()


def trained_world(**options):
    """Return a world with interactions of 50 users, and a solution with a version."""
    world = World(**options)
    world.solution = world.create_trainable_solution()
    world.version = world.train(world.solution)
    world.put("users.csv", USERS)
    return world


def request(name="forget", key="users.csv"):
    return {
        "jobName": name,
        "datasetGroupArn": GROUP,
        "dataSource": {"dataLocation": f"s3://exports/{key}"},
        "roleArn": IMPORT_ROLE,
    }


def start(world, *args):
    return world.client.create_data_deletion_job(**request(*args))["dataDeletionJobArn"]


def describe(world, arn):
    response = world.client.describe_data_deletion_job(dataDeletionJobArn=arn)
    return response["dataDeletionJob"]


def users(world):
    """Return the users that the dataset of interactions has, which no operation shows."""
    return set(world.personalize.resources(Dataset, CALLER)[INTERACTIONS].table.column("USER_ID"))


def test_a_job_deletes_users_from_datasets_and_models_until_an_import_brings_them_back(world):
    campaign = world.create_campaign(world.version)

    def recommended(user):
        response = world.runtime.get_recommendations(campaignArn=campaign, userId=user)
        return [item["itemId"] for item in response["itemList"]]

    assert recommended("user-1") == [], "the user knows all films"
    arn = start(world)
    assert describe(world, arn)["status"] == "PENDING"
    world.wait(1.5)
    assert describe(world, arn)["status"] == "IN_PROGRESS"
    assert "user-1" in users(world)
    world.wait()
    job = describe(world, arn)
    assert (job["status"], job["numDeleted"]) == ("COMPLETED", 40), "20 films of two users"
    (listed,) = world.client.list_data_deletion_jobs(datasetGroupArn=GROUP)["dataDeletionJobs"]
    assert {"status": "COMPLETED", "dataDeletionJobArn": arn}.items() <= listed.items()
    assert users(world).isdisjoint(("user-1", "user-2"))
    assert len(users(world)) == 48
    assert len(recommended("user-1")) == 20, "the model does not know the user any more"
    world.import_file(INTERACTIONS, "again")
    assert "user-1" in users(world)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"ID\nuser-1\n", "Input csv is missing the following columns: [USER_ID]"),
        (USERS * 5, "Data deletion job has 145 bytes, more than 50 MB"),
        (None, "Invalid Data location. There is no CSV file at s3://exports/users.csv"),
    ],
    ids=["another column", "too large", "missing"],
)
def test_a_job_with_a_wrong_file_fails_and_deletes_nothing(world, monkeypatch, content, reason):
    monkeypatch.setattr("emulator.personalize.deletion_jobs.MAX_BYTES", 100)
    world.files.pop(("exports", "users.csv"))
    if content is not None:
        world.put("users.csv", content)
    arn = start(world)
    world.wait()
    job = describe(world, arn)
    assert (job["status"], job["failureReason"]) == ("FAILED", reason)
    assert len(users(world)) == 50


def test_a_group_has_five_pending_jobs(world):
    for number in range(5):
        start(world, f"job-{number}")
    error = error_of(world.client.create_data_deletion_job, **request("sixth"))
    assert error.code == "LimitExceededException"
    world.wait(1.5)
    start(world, "sixth")
    error = error_of(world.client.create_data_deletion_job, **request("sixth"))
    assert error.code == "ResourceAlreadyExistsException"


@pytest.mark.parametrize("excludes", [True, False])
def test_jobs_and_deletions_exclude_each_other_or_not(excludes):
    world = trained_world(switches=Switches(deletions_exclude_jobs=excludes))

    def attempt(operation, **fields):
        """Return the code of the error, or None."""
        if excludes:
            return error_of(getattr(world.client, operation), **fields).code
        getattr(world.client, operation)(**fields)
        return None

    expected = "ResourceInUseException" if excludes else None
    start(world)
    imports = world.import_request(INTERACTIONS, "more")
    assert attempt("create_dataset_import_job", **imports) == expected
    assert attempt("create_solution_version", solutionArn=world.solution) == expected
    batch = {"jobName": "batch", "solutionVersionArn": world.version, **BATCH}
    assert attempt("create_batch_inference_job", **batch) == expected
    world.wait()
    world.start_training(world.solution)
    assert attempt("create_data_deletion_job", **request("during-training")) == expected
    world.wait()
    world.start_import(INTERACTIONS, "other")
    assert attempt("create_data_deletion_job", **request("during-import")) == expected
