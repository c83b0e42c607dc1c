"""Proves what data deletion jobs do to datasets. `golden/personalize_lives.txt` has their lives."""

from personalize_world import CALLER, GROUP, IMPORT_ROLE, INTERACTIONS, World

from emulator.personalize.resources import Dataset


def users(world):
    """Return the users that the dataset of interactions has, which no operation shows."""
    return set(world.personalize.resources(Dataset, CALLER)[INTERACTIONS].table.column("USER_ID"))


def test_a_job_deletes_users_from_all_datasets_until_an_import_brings_them_back():
    world = World()
    world.create_trainable_solution()
    world.put("users.csv", b"USER_ID\nuser-1\nuser-2\nnobody\n")
    arn = world.client.create_data_deletion_job(
        jobName="forget",
        datasetGroupArn=GROUP,
        dataSource={"dataLocation": "s3://exports/users.csv"},
        roleArn=IMPORT_ROLE,
    )["dataDeletionJobArn"]
    world.wait(1.5)
    assert "user-1" in users(world)

    world.wait()
    described = world.client.describe_data_deletion_job(dataDeletionJobArn=arn)
    job = described["dataDeletionJob"]
    assert (job["status"], job["numDeleted"]) == ("COMPLETED", 40), "20 films of two users"

    (listed,) = world.client.list_data_deletion_jobs(datasetGroupArn=GROUP)["dataDeletionJobs"]
    assert (listed["status"], listed["dataDeletionJobArn"]) == ("COMPLETED", arn)
    assert (len(users(world)), "user-1" in users(world)) == (48, False)

    world.import_file(INTERACTIONS, "again")
    assert "user-1" in users(world)
