"""Proves what data deletion jobs do to datasets, and which jobs they exclude."""

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
    return filled_world()


def filled_world(**options):
    """Return a world with interactions of 50 users, and a solution."""
    world = World(**options)
    world.solution = world.create_trainable_solution()
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


def test_a_job_deletes_users_from_all_datasets_until_an_import_brings_them_back(world):
    arn = start(world)
    assert describe(world, arn)["status"] == "PENDING"
    world.wait(1.5)
    assert describe(world, arn)["status"] == "IN_PROGRESS"
    assert "user-1" in users(world)
    world.wait()
    job = describe(world, arn)
    assert (job["status"], job["numDeleted"]) == ("COMPLETED", 40), "20 films of two users"
    (listed,) = world.client.list_data_deletion_jobs(datasetGroupArn=GROUP)["dataDeletionJobs"]
    assert (listed["status"], listed["dataDeletionJobArn"]) == ("COMPLETED", arn)
    assert (len(users(world)), "user-1" in users(world)) == (48, False)
    world.import_file(INTERACTIONS, "again")
    assert "user-1" in users(world)


def test_a_job_with_a_wrong_file_fails_and_deletes_nothing(world):
    world.put("users.csv", b"ID\nuser-1\n")
    arn = start(world)
    world.wait()
    job = describe(world, arn)
    reason = "Input csv is missing the following columns: [USER_ID]"
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
    world = filled_world(switches=Switches(deletions_exclude_jobs=excludes))

    def attempt(operation, **fields):
        """Check that a request is accepted, or refused because of another job."""
        call = getattr(world.client, operation)
        if excludes:
            assert error_of(call, **fields).code == "ResourceInUseException"
        else:
            call(**fields)

    batch = {"jobName": "batch", "solutionVersionArn": world.train(world.solution), **BATCH}
    start(world)
    attempt("create_batch_inference_job", **batch)
    attempt("create_dataset_import_job", **world.import_request(INTERACTIONS, "more"))
    attempt("create_solution_version", solutionArn=world.solution)
    world.wait()
    world.start_training(world.solution)
    attempt("create_data_deletion_job", **request("during-training"))
    world.wait()
    world.start_import(INTERACTIONS, "other")
    attempt("create_data_deletion_job", **request("during-import"))
