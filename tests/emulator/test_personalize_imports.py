"""Proves how import jobs and their data behave, with boto3 against the emulator in process."""

import pytest
from personalize_world import ARN, ME, ROLE, World, interactions, refused, some_interactions

from emulator.personalize import AccessDenied, Switches
from retrain.rehearsal.data.sample_data import FIELDS, sample_data, schema


@pytest.fixture
def world():
    return World()


@pytest.fixture
def dataset(world):
    world.put("interactions.csv", interactions())
    return world.dataset(world.group())


def rows(world, dataset):
    """How many rows the dataset holds; no operation of the API tells."""
    return len(world.personalize.rows(dataset, ME))


def test_an_import_goes_from_pending_over_in_progress_to_active(world, dataset):
    arn = world.start_import(dataset, "first")
    seen = []
    for _ in range(5):
        seen.append(world.describe_import(arn)["status"])
        world.wait(0.9)
    assert seen == [
        "CREATE PENDING",
        "CREATE PENDING",
        "CREATE IN_PROGRESS",
        "CREATE IN_PROGRESS",
        "ACTIVE",
    ], "1 s pending and 2 s in progress are the defaults"


def test_times_of_creation_and_last_change_are_those_of_the_job_not_of_the_look(world, dataset):
    created = world.now
    arn = world.start_import(dataset, "first")
    world.wait(500)
    job = world.describe_import(arn)
    assert job["creationDateTime"] == created, "asked for then"
    assert (job["lastUpdatedDateTime"] - created).total_seconds() == 3, "ended after 1 + 2 s"


def test_describe_shows_the_request_and_the_default_mode(world, dataset):
    job = world.imported(dataset, "first", tags=[{"tagKey": "run", "tagValue": "1"}])
    shown = {k: v for k, v in job.items() if not k.endswith("DateTime")}
    assert shown == {
        "jobName": "first",
        "datasetImportJobArn": f"{ARN}dataset-import-job/first",
        "datasetArn": dataset,
        "dataSource": {"dataLocation": "s3://exports/interactions.csv"},
        "roleArn": ROLE,
        "status": "ACTIVE",
        "importMode": "FULL",
    }, "and no tags"


def test_a_job_name_is_spent_for_ever_in_the_whole_account(world, dataset):
    world.put("interactions.csv", b"nothing useful")
    assert world.imported(dataset, "first")["status"] == "CREATE FAILED", "the file is no export"
    other = world.dataset(world.group("other"))
    assert refused(
        world.client.create_dataset_import_job,
        jobName="first",
        datasetArn=other,
        dataSource={"dataLocation": "s3://exports/x.csv"},
        roleArn=ROLE,
    ) == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {ARN}dataset-import-job/first already exists.",
    ), "even after a failure, even for another dataset"


def test_a_sixth_import_under_way_exceeds_the_regions_limit(world, dataset):
    others = [world.dataset(world.group(f"group-{n}")) for n in range(2)]
    for number in range(5):
        world.start_import([dataset, *others][number % 3], f"job-{number}")
    sixth = {
        "jobName": "sixth",
        "datasetArn": dataset,
        "dataSource": {"dataLocation": "s3://exports/interactions.csv"},
        "roleArn": ROLE,
    }
    assert refused(world.client.create_dataset_import_job, **sixth) == (
        "LimitExceededException",
        "More than 5 resources with PENDING or IN_PROGRESS status",
    ), "the very words of the service, over all dataset groups"
    world.wait()
    world.client.create_dataset_import_job(**sixth)


def test_full_replaces_the_bulk_data(world, dataset):
    world.imported(dataset, "first")
    assert rows(world, dataset) == 11111, "rows of the sample data"
    world.put("interactions.csv", some_interactions(1500))
    world.imported(dataset, "second")
    assert rows(world, dataset) == 1500, "the first import's rows are gone"


def test_incremental_adds_and_replaces_rows_of_the_same_identity(world, dataset):
    world.put("interactions.csv", some_interactions(1500))
    world.imported(dataset, "first")
    world.put("more.csv", some_interactions(2500).replace(b"user-1,film-1,", b"user-1,film-x,"))
    world.imported(dataset, "second", "more.csv", importMode="INCREMENTAL")
    assert rows(world, dataset) == 2501, "1,499 rows were there already, one is new, 1,000 more"


def test_incremental_needs_a_full_import_before(world, dataset):
    request = {
        "jobName": "first",
        "datasetArn": dataset,
        "dataSource": {"dataLocation": "s3://exports/interactions.csv"},
        "roleArn": ROLE,
        "importMode": "INCREMENTAL",
    }
    code, message = refused(world.client.create_dataset_import_job, **request)
    assert (code, message) == (
        "InvalidInputException",
        f"Dataset {dataset} has no bulk data; import with importMode FULL first",
    )
    world.imported(dataset, "full")
    world.client.create_dataset_import_job(**request)


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_fewer_than_a_thousand_interactions_fail_the_import(world, dataset, mode):
    world.imported(dataset, "first")
    world.put("few.csv", some_interactions(999))
    job = world.imported(dataset, "second", "few.csv", importMode=mode)
    assert (job["status"], job["failureReason"]) == (
        "CREATE FAILED",
        "Dataset import job has 999 interactions, fewer than 1000",
    )
    assert rows(world, dataset) == 11111, "a failed import changes nothing"


def test_a_failed_import_leaves_no_full_import_to_add_to(world, dataset):
    world.put("interactions.csv", some_interactions(3))
    world.imported(dataset, "failed")
    code, _ = refused(
        world.client.create_dataset_import_job,
        jobName="more",
        datasetArn=dataset,
        dataSource={"dataLocation": "s3://exports/interactions.csv"},
        importMode="INCREMENTAL",
    )
    assert code == "InvalidInputException"


def test_a_prefix_imports_all_files_below(world, dataset):
    header, *lines = some_interactions(2400).splitlines(keepends=True)
    world.put("daily/2026/a.csv", header + b"".join(lines[:1200]))
    world.put("daily/b.csv", header + b"".join(lines[1200:]))
    world.put("daily.csv", b"not below the prefix")
    assert world.imported(dataset, "first", "daily/")["status"] == "ACTIVE"
    assert rows(world, dataset) == 2400, "the rows of both files"


def test_a_folders_own_marker_below_a_prefix_is_no_file(world, dataset):
    world.put("daily/", b"")
    world.put("daily/a.csv", interactions())
    assert world.imported(dataset, "first", "daily/")["status"] == "ACTIVE"


@pytest.mark.parametrize(("other_files", "status"), [("fail", "CREATE FAILED"), ("skip", "ACTIVE")])
def test_what_other_files_below_a_prefix_do_is_a_switch(other_files, status):
    world = World(switches=Switches(other_files=other_files))
    dataset = world.dataset(world.group())
    world.put("daily/a.csv", interactions())
    world.put("daily/_SUCCESS", b"")
    job = world.imported(dataset, "first", "daily/")
    assert job["status"] == status
    reason = "s3://exports/daily/_SUCCESS is not a CSV file" if other_files == "fail" else None
    assert job.get("failureReason") == reason


@pytest.mark.parametrize("location", ["https://exports/x.csv", "s3://", "s3:///x.csv"])
def test_a_location_outside_of_s3_is_refused(world, dataset, location):
    code, message = refused(
        world.client.create_dataset_import_job,
        jobName="first",
        datasetArn=dataset,
        dataSource={"dataLocation": location},
        roleArn=ROLE,
    )
    assert code == "InvalidInputException"
    assert location == "s3://" or message == "Invalid Data location.", "the model refuses s3://"


def test_a_location_without_files_fails_the_import(world, dataset):
    job = world.imported(dataset, "first", "absent.csv")
    assert job["failureReason"] == (
        "Invalid Data location. There is no CSV file at s3://exports/absent.csv"
    )


def test_files_are_listed_and_read_as_the_import_role(world, dataset):
    world.imported(dataset, "first")
    asked = [("exports", "interactions.csv", ROLE)] * 2
    assert world.files.reads == asked, "once to list and once to read, when the job has ended"


def test_a_role_that_may_not_read_fails_the_import(world, dataset, monkeypatch):
    def denied(bucket, key, role_arn):
        raise AccessDenied(f"{role_arn} may not read s3://{bucket}/{key}")

    monkeypatch.setattr(world.files, "read", denied)
    job = world.imported(dataset, "first")
    assert (job["status"], job["failureReason"]) == (
        "CREATE FAILED",
        (
            "Failed to create a data import job for INTERACTIONS dataset. Insufficient privileges "
            f"for accessing data in S3: {ROLE} may not read s3://exports/interactions.csv"
        ),
    )


HEADER = "USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "USER_ID,EVENT_TYPE\nu,watch\n",
            "Input csv is missing the following columns: [ITEM_ID, TIMESTAMP]",
        ),
        (
            "",
            "Input csv is missing the following columns: [USER_ID, ITEM_ID, EVENT_TYPE, TIMESTAMP]",
        ),
        (HEADER + "u,i,watch,1\nu,i,watch,yesterday\n", "TIMESTAMP 'yesterday' is not a long"),
        (HEADER + "u,i,watch,1.5\n", "TIMESTAMP '1.5' is not a long"),
        (HEADER + ",i,watch,1\n", "USER_ID '' is not a string"),
        (HEADER + "u,i\n", "EVENT_TYPE is missing"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_fails_the_import(world, dataset, text, reason):
    world.put("bad.csv", text.encode())
    job = world.imported(dataset, "first", "bad.csv")
    line = len(text.splitlines())
    where = "" if "columns" in reason else f"s3://exports/bad.csv, line {line}: "
    assert (job["status"], job["failureReason"]) == ("CREATE FAILED", where + reason)


def test_a_file_that_is_no_text_fails_the_import(world, dataset):
    world.put("bad.csv", b"\xff\xfe\x00")
    reason = world.imported(dataset, "first", "bad.csv")["failureReason"]
    assert reason.startswith("s3://exports/bad.csv is not UTF-8 text: ")


def test_columns_in_another_order_and_columns_too_many_do_no_harm(world, dataset):
    lines = [line.split(",") for line in some_interactions(1200).decode().splitlines()]
    turned = "\n".join(",".join([*reversed(line), "extra"]) for line in lines)
    world.put("turned.csv", turned.encode())
    assert world.imported(dataset, "first", "turned.csv")["status"] == "ACTIVE"


def test_a_nullable_column_may_be_empty_or_missing(world):
    dataset = world.dataset(world.group(), "USERS")
    world.put("users.csv", b"USER_ID,AGE_GROUP\nu1,30-44\n")
    world.put("more.csv", b"USER_ID,AGE_GROUP,PLAN\nu2,30-44,\n")
    assert world.imported(dataset, "first", "users.csv")["status"] == "ACTIVE"
    assert world.imported(dataset, "second", "more.csv")["status"] == "ACTIVE"


@pytest.mark.parametrize("kind", FIELDS)
def test_each_of_the_five_types_of_dataset_can_be_imported(world, kind):
    dataset = world.dataset(world.group(), kind)
    assert dataset == f"{ARN}dataset/movies/{kind}"
    world.put("file.csv", sample_data()[kind])
    assert world.imported(dataset, "first", "file.csv")["status"] == "ACTIVE"


def test_all_types_of_values_are_read_and_checked(world):
    text = (
        schema("ITEMS")
        .replace('"long"', '"double"')
        .replace('{"name": "GENRE", "type": "string"', '{"name": "GENRE", "type": "boolean"')
    )
    dataset = world.dataset(world.group(), "ITEMS", text)
    world.put("good.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,True,1.5\n")
    world.put("bad.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,maybe,1.5\n")
    assert world.imported(dataset, "good", "good.csv")["status"] == "ACTIVE"
    job = world.imported(dataset, "bad", "bad.csv")
    assert job["failureReason"] == "s3://exports/bad.csv, line 2: GENRE 'maybe' is not a boolean"


def test_an_import_into_a_dataset_that_does_not_exist_is_not_found(world):
    arn = f"{ARN}dataset/none/USERS"
    assert refused(
        world.client.create_dataset_import_job,
        jobName="first",
        datasetArn=arn,
        dataSource={"dataLocation": "s3://exports/x.csv"},
    ) == ("ResourceNotFoundException", f"Resource Arn {arn} does not exist.")


def test_an_increment_of_more_than_a_gigabyte_fails_the_import(world, dataset, monkeypatch):
    world.imported(dataset, "first")
    monkeypatch.setattr("emulator.personalize.rules.MAX_INCREMENTAL_BYTES", 100)
    job = world.imported(dataset, "second", importMode="INCREMENTAL")
    size = len(interactions())
    assert job["failureReason"] == (
        f"Incremental dataset import job has {size} bytes, more than 1 GB"
    )
    assert world.imported(dataset, "third")["status"] == "ACTIVE", "a FULL import may be larger"


def test_an_object_that_is_gone_when_it_is_read_fails_the_import(world, dataset, monkeypatch):
    monkeypatch.setattr(world.files, "keys", lambda *_: ["gone.csv"])
    job = world.imported(dataset, "first", "gone.csv")
    assert job["failureReason"] == ("Invalid Data location. s3://exports/gone.csv does not exist")


def test_an_error_of_the_emulators_own_is_loud_once_and_fails_the_job(world, dataset, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(world.files, "keys", broken)
    arn = world.start_import(dataset, "first")
    world.wait()
    with pytest.raises(ZeroDivisionError):
        world.describe_import(arn)
    job = world.describe_import(arn)
    assert (job["status"], job["failureReason"]) == ("CREATE FAILED", "Internal service error")


def test_a_job_can_be_pending_for_ever():
    world = World(timings=lambda kind, _: (float("inf") if "import" in kind else 0, 0))
    arn = world.start_import(world.dataset(world.group()), "first")
    world.wait(10**8)
    assert world.describe_import(arn)["status"] == "CREATE PENDING"


def test_a_location_has_at_most_256_characters(world, dataset):
    location = "s3://exports/" + "x" * 244
    code, message = refused(
        world.client.create_dataset_import_job,
        jobName="first",
        datasetArn=dataset,
        dataSource={"dataLocation": location},
        roleArn=ROLE,
    )
    assert code == "InvalidInputException"
    assert message.endswith("Member must have length less than or equal to 256")
