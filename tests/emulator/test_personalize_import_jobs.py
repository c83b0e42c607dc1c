"""Proves the rules of import jobs, and what they do to the rows of a dataset."""

from hashlib import sha256

import pytest
from personalize_world import (
    ARN,
    CALLER,
    GROUP,
    IMPORT_ROLE,
    INTERACTIONS,
    SAMPLE_INTERACTIONS,
    World,
    error_of,
    interactions,
    numbered_interactions,
)

from emulator.personalize import AccessDenied, Switches
from emulator.personalize.resources import Dataset, ImportJob, SolutionVersion
from retrain.rehearsal.data.sample_data import FIELDS, sample_data, schema

HEADER = "USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP\n"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def dataset(world):
    world.put("interactions.csv", interactions())
    return world.create_dataset()


def number_of_rows(world, dataset):
    return len(world.personalize.rows(dataset, CALLER))


def error_of_import(world, *args, **fields):
    """Return the error of CreateDatasetImportJob."""
    request = world.import_request(*args, **fields)
    return error_of(world.client.create_dataset_import_job, **request)


def import_result(world, *args, **fields):
    """Run an import job, and return its status and its failure reason."""
    job = world.import_file(*args, **fields)
    return job["status"], job.get("failureReason")


def test_an_import_job_is_pending_then_in_progress_then_active(world, dataset):
    statuses = world.statuses(world.describe_import, world.start_import(dataset), [0.9] * 4)
    assert statuses == [
        "CREATE PENDING",
        "CREATE PENDING",
        "CREATE IN_PROGRESS",
        "CREATE IN_PROGRESS",
        "ACTIVE",
    ], "by default 1 s pending and 2 s in progress"


def test_a_job_can_be_pending_without_an_end():
    world = World(timings=lambda kind, _: (float("inf") if "import" in kind else 0, 0))
    arn = world.start_import(world.create_dataset())
    world.wait(10**8)
    assert world.describe_import(arn)["status"] == "CREATE PENDING"


def test_a_job_shows_its_own_times_and_not_the_time_of_the_call(world, dataset):
    created = world.now
    arn = world.start_import(dataset)
    world.wait(500)
    job = world.describe_import(arn)
    assert job["creationDateTime"] == created
    assert (job["lastUpdatedDateTime"] - created).total_seconds() == 3, "it ended after 1 + 2 s"


def test_describe_shows_the_request_and_the_default_mode_but_no_tags(world, dataset):
    job = world.import_file(dataset, tags=[{"tagKey": "run", "tagValue": "1"}])
    fields = {name: value for name, value in job.items() if not name.endswith("DateTime")}
    assert fields == {
        "jobName": "first",
        "datasetImportJobArn": f"{ARN}dataset-import-job/first",
        "datasetArn": dataset,
        "dataSource": {"dataLocation": "s3://exports/interactions.csv"},
        "roleArn": IMPORT_ROLE,
        "status": "ACTIVE",
        "importMode": "FULL",
    }


def test_a_job_name_can_never_be_used_again_in_the_account(world, dataset):
    world.put("interactions.csv", b"nothing useful")
    assert world.import_file(dataset)["status"] == "CREATE FAILED"
    other_dataset = world.create_dataset(world.create_group("other"))
    assert error_of_import(world, other_dataset) == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {ARN}dataset-import-job/first already exists.",
    ), "even after a failure, and for another dataset"


def test_a_region_has_at_most_five_unfinished_import_jobs(world, dataset):
    datasets = [dataset, world.create_dataset(world.create_group("other"))]
    for number in range(5):
        world.start_import(datasets[number % 2], f"job-{number}")
    assert error_of_import(world, dataset, "sixth") == (
        "LimitExceededException",
        "More than 5 resources with PENDING or IN_PROGRESS status",
    ), "the words of the service, over all dataset groups"
    world.wait()
    world.start_import(dataset, "sixth")


def test_a_full_import_replaces_the_rows(world, dataset):
    world.import_file(dataset)
    assert number_of_rows(world, dataset) == SAMPLE_INTERACTIONS
    world.put("interactions.csv", numbered_interactions(1500))
    world.import_file(dataset, "second")
    assert number_of_rows(world, dataset) == 1500


def test_an_incremental_import_adds_rows_and_replaces_rows_with_the_same_identity(world, dataset):
    world.put("interactions.csv", numbered_interactions(1500))
    world.import_file(dataset)
    increment = numbered_interactions(2500).replace(b"user-1,film-1,", b"user-1,film-x,")
    world.put("more.csv", increment)
    world.import_file(dataset, "second", "more.csv", importMode="INCREMENTAL")
    assert number_of_rows(world, dataset) == 2501, "1,000 more rows, and the changed one"


def test_an_incremental_import_needs_an_active_full_import(world, dataset):
    expected = (
        "InvalidInputException",
        f"Dataset {dataset} has no bulk data; import with importMode FULL first",
    )
    assert error_of_import(world, dataset, importMode="INCREMENTAL") == expected
    world.put("few.csv", numbered_interactions(3))
    world.import_file(dataset, "failed", "few.csv")
    assert error_of_import(world, dataset, importMode="INCREMENTAL") == expected
    world.import_file(dataset, "full")
    world.start_import(dataset, importMode="INCREMENTAL")


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_an_import_of_fewer_than_1000_interactions_fails_and_changes_nothing(world, dataset, mode):
    world.import_file(dataset)
    world.put("few.csv", numbered_interactions(999))
    assert import_result(world, dataset, "second", "few.csv", importMode=mode) == (
        "CREATE FAILED",
        "Dataset import job has 999 interactions, fewer than 1000",
    )
    assert number_of_rows(world, dataset) == SAMPLE_INTERACTIONS


def test_an_incremental_import_of_more_than_1_gb_fails(world, dataset, monkeypatch):
    world.import_file(dataset)
    monkeypatch.setattr("emulator.personalize.rules.MAX_INCREMENTAL_BYTES", 100)
    assert import_result(world, dataset, "second", importMode="INCREMENTAL") == (
        "CREATE FAILED",
        f"Incremental dataset import job has {len(interactions())} bytes, more than 1 GB",
    )
    assert world.import_file(dataset, "third")["status"] == "ACTIVE", "FULL may be larger"


def test_a_folder_imports_the_csv_files_of_its_first_level(world, dataset):
    header, *lines = numbered_interactions(3600).splitlines(keepends=True)
    world.put("daily/", b"")  # the object that stands for the folder
    world.put("daily/a.csv", header + b"".join(lines[:1200]))
    world.put("daily/b.csv", header + b"".join(lines[1200:2400]))
    world.put("daily/2026/c.csv", header + b"".join(lines[2400:]))
    world.put("daily/2026/_SUCCESS", b"")
    world.put("daily.csv", b"not in the folder")
    assert world.import_file(dataset, key="daily/")["status"] == "ACTIVE"
    assert number_of_rows(world, dataset) == 2400, "a file of a subfolder is not imported"


def test_an_import_of_a_folder_that_has_only_subfolders_fails(world, dataset):
    world.put("daily/2026/a.csv", interactions())
    assert import_result(world, dataset, key="daily/") == (
        "CREATE FAILED",
        "Invalid Data location. There is no CSV file at s3://exports/daily/",
    )


def test_all_files_of_a_folder_must_have_the_same_columns(world):
    dataset = world.create_dataset(dataset_type="USERS")
    world.put("users/a.csv", b"USER_ID,AGE_GROUP,PLAN\nu1,30-44,basic\n")
    world.put("users/b.csv", b"AGE_GROUP,PLAN,USER_ID\n30-44,basic,u2\n")
    assert import_result(world, dataset, "first", "users/") == ("ACTIVE", None)
    world.put("users/c.csv", b"AGE_GROUP,USER_ID\n30-44,u3\n")
    assert import_result(world, dataset, "second", "users/") == (
        "CREATE FAILED",
        "Input csv files do not have the same columns",
    )


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("FULL", ("ACTIVE", None)),
        (
            "INCREMENTAL",
            ("CREATE FAILED", "Dataset import job has 1 interactions, fewer than 1000"),
        ),
    ],
)
def test_only_an_incremental_import_of_action_interactions_needs_1000_rows(world, mode, result):
    dataset = world.create_dataset(dataset_type="ACTION_INTERACTIONS")
    header = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP\n"
    world.put("first.csv", f"{header}u1,a1,Taken,1790000000\n".encode())
    world.import_file(dataset, "first", "first.csv")
    world.put("second.csv", f"{header}u1,a1,Taken,1790000001\n".encode())
    assert import_result(world, dataset, "second", "second.csv", importMode=mode) == result


def test_an_import_of_items_or_users_may_have_no_row(world):
    """The service would delete all items, so the pipeline has to refuse the export."""
    dataset = world.create_dataset(dataset_type="USERS")
    world.put("users.csv", b"USER_ID,AGE_GROUP,PLAN\n")
    assert import_result(world, dataset, key="users.csv") == ("ACTIVE", None)


@pytest.mark.parametrize(
    ("other_files", "result"),
    [
        ("fail", ("CREATE FAILED", "s3://exports/daily/_SUCCESS is not a CSV file")),
        ("skip", ("ACTIVE", None)),
    ],
)
def test_a_switch_decides_about_other_files_below_a_prefix(other_files, result):
    world = World(switches=Switches(other_files=other_files))
    world.put("daily/a.csv", interactions())
    world.put("daily/_SUCCESS", b"")
    assert import_result(world, world.create_dataset(), key="daily/") == result


@pytest.mark.parametrize(
    ("byte_order_mark", "result"),
    [
        ("skip", ("ACTIVE", None)),
        ("keep", ("CREATE FAILED", "Input csv is missing the following columns: [USER_ID]")),
    ],
)
def test_a_switch_decides_about_a_byte_order_mark(byte_order_mark, result):
    world = World(switches=Switches(byte_order_mark=byte_order_mark))
    world.put("interactions.csv", b"\xef\xbb\xbf" + interactions())
    assert import_result(world, world.create_dataset()) == result


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("https://exports/x.csv", "Invalid Data location."),
        ("s3:///x.csv", "Invalid Data location."),
        ("s3://", "satisfy regular expression pattern: (s3|http|https)://.+"),
        ("s3://exports/" + "x" * 244, "Member must have length less than or equal to 256"),
    ],
)
def test_a_location_must_be_in_s3_and_have_at_most_256_characters(
    world, dataset, location, message
):
    error = error_of_import(world, dataset, dataSource={"dataLocation": location})
    assert error.code == "InvalidInputException"
    assert error.message.endswith(message)


def test_files_are_listed_and_read_as_the_import_role_when_the_job_ends(world, dataset):
    world.start_import(dataset)
    assert world.files.reads == []
    world.wait()
    world.client.list_schemas()
    read = ("exports", "interactions.csv", IMPORT_ROLE)
    assert world.files.reads == [read, read], "listed once and read once"


def test_an_import_whose_role_may_not_read_fails(world, dataset, monkeypatch):
    def deny(bucket, key, role_arn):
        raise AccessDenied(f"{role_arn} may not read s3://{bucket}/{key}")

    monkeypatch.setattr(world.files, "read", deny)
    assert import_result(world, dataset) == (
        "CREATE FAILED",
        (
            "Failed to create a data import job for INTERACTIONS dataset. Insufficient privileges "
            f"for accessing data in S3: {IMPORT_ROLE} may not read s3://exports/interactions.csv"
        ),
    )


def test_an_import_of_a_missing_object_fails(world, dataset, monkeypatch):
    assert import_result(world, dataset, key="absent.csv") == (
        "CREATE FAILED",
        "Invalid Data location. There is no CSV file at s3://exports/absent.csv",
    )
    monkeypatch.setattr(world.files, "keys", lambda *_: ["gone.csv"])
    assert import_result(world, dataset, "second", "gone.csv") == (
        "CREATE FAILED",
        "Invalid Data location. s3://exports/gone.csv does not exist",
    ), "deleted after it was listed"


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
        (
            HEADER + "u,i,watch,1790000000\n\nu,i,watch,yesterday\n",
            "s3://exports/bad.csv, line 4: TIMESTAMP 'yesterday' is not a long",
        ),
        (HEADER + ",i,watch,1\n", "s3://exports/bad.csv, line 2: USER_ID '' is not a string"),
        (HEADER + "u,i\n", "s3://exports/bad.csv, line 2 has 2 values for 4 columns"),
        (
            HEADER + "u" * 257 + ",i,watch,1790000000\n",
            (
                "s3://exports/bad.csv, line 2: Length cannot be more than 256 characters for "
                "USER_ID. If no values exceed the character limit, make sure your data follows the "
                "formatting guidelines listed in https://docs.aws.amazon.com/personalize/latest/"
                "dg/data-prep-formatting.html."
            ),
        ),
        (b"\x93\xff\x00", "s3://exports/bad.csv is UTF-16, not UTF-8"),
        (b"USER_ID,\xe9", "s3://exports/bad.csv is not UTF-8"),
        (b"\x1f\x8b\x08", "s3://exports/bad.csv is gzip, not CSV"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_fails_the_import(world, dataset, text, reason):
    world.put("bad.csv", text if isinstance(text, bytes) else text.encode())
    assert import_result(world, dataset, key="bad.csv") == ("CREATE FAILED", reason)


def test_the_order_of_columns_is_free_and_unknown_columns_are_ignored(world, dataset):
    lines = [line.split(",") for line in numbered_interactions(1200).decode().splitlines()]
    reversed_lines = [",".join([*reversed(line), "extra"]) for line in lines]
    world.put("reversed.csv", "\n".join(reversed_lines).encode())
    assert world.import_file(dataset, key="reversed.csv")["status"] == "ACTIVE"


def test_a_nullable_column_may_be_empty_or_missing(world):
    dataset = world.create_dataset(dataset_type="USERS")
    world.put("missing.csv", b"USER_ID,AGE_GROUP\nu1,30-44\n")
    world.put("empty.csv", b"USER_ID,AGE_GROUP,PLAN\nu2,30-44,\n")
    for key in ("missing.csv", "empty.csv"):
        assert world.import_file(dataset, key.replace(".", "-"), key)["status"] == "ACTIVE"


@pytest.mark.parametrize("dataset_type", FIELDS)
def test_each_of_the_five_types_of_dataset_can_be_imported(world, dataset_type):
    dataset = world.create_dataset(dataset_type=dataset_type)
    world.put("file.csv", sample_data()[dataset_type])
    assert world.import_file(dataset, key="file.csv")["status"] == "ACTIVE"


def test_numbers_and_booleans_are_read_and_checked(world):
    avro = (
        schema("ITEMS")
        .replace('"long"', '"double"')
        .replace('{"name": "GENRE", "type": "string"', '{"name": "GENRE", "type": "boolean"')
    )
    dataset = world.create_dataset(dataset_type="ITEMS", avro=avro)
    world.put("good.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,True,1.5\n")
    world.put("bad.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,maybe,1.5\n")
    assert import_result(world, dataset, "good", "good.csv") == ("ACTIVE", None)
    assert import_result(world, dataset, "bad", "bad.csv") == (
        "CREATE FAILED",
        "s3://exports/bad.csv, line 2: GENRE 'maybe' is not a boolean",
    )


def test_an_import_into_a_missing_dataset_is_not_found(world):
    arn = f"{ARN}dataset/none/USERS"
    assert error_of_import(world, arn) == (
        "ResourceNotFoundException",
        f"Resource Arn {arn} does not exist.",
    )


def test_the_emulator_knows_what_each_import_read_and_what_each_version_learned(world, dataset):
    solution = world.create_solution(GROUP)
    first = world.start_import(dataset, "first")
    world.wait()
    full = world.train(solution)
    world.put("more.csv", numbered_interactions(1000))
    more = world.start_import(dataset, "more", "more.csv", importMode="INCREMENTAL")
    world.wait()
    both = world.train(solution)
    world.put("bad.csv", b"X,Y")
    world.import_file(dataset, "bad", "bad.csv")
    again = world.start_import(dataset, "again")
    world.wait()

    versions = world.personalize.resources(SolutionVersion, CALLER)
    assert [versions[arn].learned for arn in (full, both)] == [
        {dataset: (first,)},
        {dataset: (first, more)},
    ]
    assert world.personalize.resources(Dataset, CALLER)[dataset].imports == (again,), (
        "a FULL import replaces the others, and a failed one brings nothing"
    )
    assert world.personalize.resources(ImportJob, CALLER)[more].hashes == {
        "s3://exports/more.csv": sha256(numbered_interactions(1000)).hexdigest()
    }


@pytest.mark.parametrize(("reads", "rows"), [("start", 1000), ("end", 1001)])
def test_a_job_reads_its_files_at_the_start_or_the_end_of_its_work(reads, rows):
    world = World(timings=lambda *_: (10, 20), switches=Switches(import_reads=reads))
    dataset = world.create_dataset()
    world.put("interactions.csv", numbered_interactions(1000))
    world.start_import(dataset)
    world.wait(15)
    world.client.list_dataset_import_jobs()
    world.put("interactions.csv", numbered_interactions(1001))
    world.wait(15)
    assert number_of_rows(world, dataset) == rows


def test_a_bug_of_the_emulator_is_raised_once_and_fails_the_job(world, dataset, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(world.files, "keys", fail)
    arn = world.start_import(dataset)
    world.wait()
    with pytest.raises(ZeroDivisionError):
        world.describe_import(arn)
    job = world.describe_import(arn)
    assert (job["status"], job["failureReason"]) == ("CREATE FAILED", "Internal service error")


@pytest.mark.parametrize("refuses", [False, True])
def test_an_import_may_have_to_wait_for_another_import_of_the_dataset(refuses):
    world = World(switches=Switches(refuses_while_importing=refuses))
    solution = world.create_trainable_solution()
    running = world.start_import(INTERACTIONS, "second")
    requests = {
        world.client.create_dataset_import_job: world.import_request(INTERACTIONS, "third"),
        world.client.create_solution_version: {"solutionArn": solution},
    }
    for call, request in requests.items():
        if refuses:
            message = f"Resource {INTERACTIONS} is in use by {running}"
            assert error_of(call, **request) == ("ResourceInUseException", message)
            world.wait()
        call(**request)
        running = f"{ARN}dataset-import-job/third"
