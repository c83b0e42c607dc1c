"""Proves the rules of import jobs, and what they do to the rows of a dataset."""

from hashlib import sha256

import pytest
from personalize_world import (
    ARN,
    CALLER,
    GROUP,
    IMPORT_ROLE,
    World,
    error_of,
    numbered_interactions,
)

from emulator.personalize import JobFailed, Switches
from emulator.personalize.resources import Dataset, ImportJob, SolutionVersion
from retrain.rehearsal.data.sample_data import FIELDS, sample_data, schema

HEADER = "USER_ID,ITEM_ID,EVENT_TYPE,TIMESTAMP"
COLUMNS = HEADER.replace(",", ", ")
PLACE = "s3://exports/daily/a.csv, line 2"
ACTIONS = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP\nu1,a1,Taken,1790000000\n"
ESCAPE = "surrogateescape"
"""A text of a test has `\\udce9` for the byte E9, which is not UTF-8."""
READ = ("exports", "interactions.csv", IMPORT_ROLE)
MISSING = "Input csv is missing the following columns: "
TOO_LONG = (
    "Length cannot be more than 256 characters for USER_ID. If no values exceed the character "
    "limit, make sure your data follows the formatting guidelines listed in "
    "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)


@pytest.fixture
def world():
    world = World()
    world.put("interactions.csv", numbered_interactions(1500))
    return world


@pytest.fixture
def dataset(world):
    return world.create_dataset()


def rows(world, dataset):
    """Return the rows that a dataset has, which no operation shows."""
    return list(world.personalize.resources(Dataset, CALLER)[dataset].table.rows.values())


def failure(world, *args, **fields):
    """Run an import job, and return why it failed, or None if it succeeded."""
    job = world.import_file(*args, **fields)
    assert job["status"] == ("CREATE FAILED" if "failureReason" in job else "ACTIVE")
    return job.get("failureReason")


def test_an_import_job_is_pending_then_in_progress_then_active(world, dataset):
    created = world.now
    arn = world.start_import(dataset)
    assert world.files.reads == []
    statuses = world.statuses(world.describe_import, arn, [0.9] * 4)
    assert statuses == [
        "CREATE PENDING",
        "CREATE PENDING",
        "CREATE IN_PROGRESS",
        "CREATE IN_PROGRESS",
        "ACTIVE",
    ], "by default 1 s pending and 2 s in progress"
    assert world.files.reads == [READ, READ], "listed once and read once, at the end"
    world.wait(500)
    job = world.describe_import(arn)
    times = [job[name] - created for name in ("creationDateTime", "lastUpdatedDateTime")]
    assert [time.total_seconds() for time in times] == [0, 3], "not the time of the call"


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


def test_a_job_name_can_never_be_used_again_and_only_unfinished_jobs_count(world, dataset):
    world.put("bad.csv", b"nothing useful")
    assert failure(world, dataset, key="bad.csv") == f"{MISSING}[{COLUMNS}]"
    other_dataset = world.create_dataset(world.create_group("other"))
    request = world.import_request(other_dataset)
    error = error_of(world.client.create_dataset_import_job, **request)
    assert error.code == "ResourceAlreadyExistsException", "after a failure, for another dataset"
    for number in range(5):
        world.start_import(dataset, f"job-{number}")
    request = world.import_request(other_dataset, "sixth")
    error = error_of(world.client.create_dataset_import_job, **request)
    assert error.code == "LimitExceededException", "over all dataset groups"
    world.wait()
    world.start_import(other_dataset, "sixth")


def test_full_replaces_the_rows_and_incremental_adds_rows(world, dataset):
    world.put("few.csv", numbered_interactions(999))
    world.import_file(dataset, "failed", "few.csv")
    request = world.import_request(dataset, importMode="INCREMENTAL")
    error = error_of(world.client.create_dataset_import_job, **request)
    assert error.code == "InvalidInputException", "it needs an ACTIVE full import"
    world.import_file(dataset)
    increment = numbered_interactions(2500).replace(b"user-1,film-1,", b"user-1,film-x,")
    world.put("more.csv", increment)
    world.import_file(dataset, "second", "more.csv", importMode="INCREMENTAL")
    assert len(rows(world, dataset)) == 2501, "1,000 more rows, and the changed one"
    for mode in ("FULL", "INCREMENTAL"):
        reason = "Dataset import job has 999 interactions, fewer than 1000"
        assert failure(world, dataset, f"few-{mode}", "few.csv", importMode=mode) == reason
    assert len(rows(world, dataset)) == 2501, "a failed import changes nothing"
    world.import_file(dataset, "third")
    assert len(rows(world, dataset)) == 1500


def test_an_incremental_import_of_more_than_1_gb_fails(world, dataset, monkeypatch):
    world.import_file(dataset)
    size = len(numbered_interactions(1500))
    monkeypatch.setattr("emulator.personalize.import_jobs.MAX_INCREMENTAL_BYTES", size)
    assert failure(world, dataset, "exactly", importMode="INCREMENTAL") is None
    monkeypatch.setattr("emulator.personalize.import_jobs.MAX_INCREMENTAL_BYTES", size - 1)
    assert failure(world, dataset, "more", importMode="INCREMENTAL") == (
        f"Incremental dataset import job has {size} bytes, more than 1 GB"
    )
    assert failure(world, dataset, "full") is None, "FULL may be larger"


@pytest.mark.parametrize("dataset_type", FIELDS)
def test_each_of_the_five_types_of_dataset_can_be_imported(world, dataset_type):
    dataset = world.create_dataset(dataset_type=dataset_type)
    world.put("file.csv", sample_data()[dataset_type])
    assert failure(world, dataset, key="file.csv") is None


USERS_FILES = {
    "a.csv": "USER_ID,AGE_GROUP,PLAN\nu1,30-44,basic\n",
    "b.csv": "AGE_GROUP,PLAN,USER_ID\n",
}
FOLDERS = {
    "one level": (
        "INTERACTIONS",
        {"": "", "a.csv": 1200, "b.csv": 1100, "2026/_SUCCESS": ""},
        None,
    ),
    "subfolders only": (
        "INTERACTIONS",
        {"2026/a.csv": 1200},
        "Invalid Data location. There is no CSV file at s3://exports/daily/",
    ),
    "another file": (
        "INTERACTIONS",
        {"a.csv": 1200, "_SUCCESS": ""},
        "s3://exports/daily/_SUCCESS is not a CSV file",
    ),
    "a byte-order mark": ("USERS", {"a.csv": "\ufeffUSER_ID,AGE_GROUP,PLAN\n"}, None),
    "another order of columns": ("USERS", USERS_FILES, None),
    "other columns": (
        "USERS",
        {**USERS_FILES, "c.csv": "AGE_GROUP,USER_ID\n30-44,u3\n"},
        "Input csv files do not have the same columns",
    ),
    "a column that the schema lacks": ("USERS", {"a.csv": "NEW,USER_ID,AGE_GROUP\n,u,30\n"}, None),
    "an empty nullable value": ("USERS", {"a.csv": "USER_ID,AGE_GROUP,PLAN\nu2,30-44,\n"}, None),
    "quotes and escapes": (
        "USERS",
        {"a.csv": 'USER_ID,AGE_GROUP,PLAN\n"u,1",30-44,basic\nu\\,2,30-44,basic\n'},
        None,
    ),
    "an open quote": (
        "USERS",
        {"a.csv": 'USER_ID,AGE_GROUP,PLAN\n"u1,30-44,basic\n'},
        f"{PLACE} does not have 3 values",
    ),
    "no rows": ("USERS", {"a.csv": "USER_ID,AGE_GROUP\n"}, None),
    "empty": ("INTERACTIONS", {"a.csv": ""}, f"{MISSING}[{COLUMNS}]"),
    "missing columns": (
        "INTERACTIONS",
        {"a.csv": "USER_ID,EVENT_TYPE\n"},
        f"{MISSING}[ITEM_ID, TIMESTAMP]",
    ),
    "duplicate columns": (
        "USERS",
        {"a.csv": "USER_ID,USERID,AGE_GROUP,A\x1b,A\x1b\n"},
        r"Input csv has duplicate columns: [USER_ID, USERID, 'A\x1b', 'A\x1b']",
    ),
    "a quoted header": (
        "USERS",
        {"a.csv": 'USER_ID,"AGE_GROUP"\n'},
        'Input csv has quotation marks in its header: ["AGE_GROUP"]',
    ),
    "a wrong type": (
        "INTERACTIONS",
        {"a.csv": f"{HEADER}\nu,i,watch,1790000000\n\nu,i,watch,yesterday\n"},
        "s3://exports/daily/a.csv, line 4: TIMESTAMP 'yesterday' is not a long",
    ),
    "a wrong time": (
        "INTERACTIONS",
        {"a.csv": f"{HEADER}\nu,i,watch,1790000000000\n"},
        f"{PLACE}: TIMESTAMP '1790000000000' is not a time in seconds since 1970",
    ),
    "no value": (
        "INTERACTIONS",
        {"a.csv": f"{HEADER}\n,i,watch,1\n"},
        f"{PLACE}: USER_ID '' is not a string",
    ),
    "too few values": (
        "INTERACTIONS",
        {"a.csv": f"{HEADER}\nu,i\n"},
        f"{PLACE} does not have 4 values",
    ),
    "a long value": (
        "INTERACTIONS",
        {"a.csv": f"{HEADER}\n{'u' * 257},i,watch,1790000000\n"},
        f"{PLACE}: {TOO_LONG}",
    ),
    "another encoding": (
        "USERS",
        {"a.csv": "USER_ID,AGE_GROUP\nAm\udce9lie,30-44\n"},
        "s3://exports/daily/a.csv is not a CSV file in UTF-8",
    ),
    "no text": (
        "INTERACTIONS",
        {"a.csv": "\0"},
        "s3://exports/daily/a.csv is not a CSV file in UTF-8",
    ),
}


@pytest.mark.parametrize(("dataset_type", "files", "reason"), FOLDERS.values(), ids=FOLDERS)
def test_an_import_of_a_folder_succeeds_or_has_a_reason(world, dataset_type, files, reason):
    dataset = world.create_dataset(dataset_type=dataset_type)
    for name, content in files.items():
        is_number = isinstance(content, int)
        data = numbered_interactions(content) if is_number else content.encode(errors=ESCAPE)
        world.put(f"daily/{name}", data)
    world.put("daily.csv", b"not in the folder")
    assert failure(world, dataset, key="daily/") == reason


def test_only_an_incremental_import_of_action_interactions_needs_1000_rows(world):
    dataset = world.create_dataset(dataset_type="ACTION_INTERACTIONS")
    world.put("one.csv", ACTIONS.encode())
    assert failure(world, dataset, "first", "one.csv") is None
    assert failure(world, dataset, "second", "one.csv", importMode="INCREMENTAL") == (
        "Dataset import job has 1 interactions, fewer than 1000"
    )


def test_numbers_and_booleans_are_read(world):
    avro = (
        schema("ITEMS")
        .replace('"long"', '"double"')
        .replace('{"name": "GENRE", "type": "string"', '{"name": "GENRE", "type": "boolean"')
    )
    dataset = world.create_dataset(dataset_type="ITEMS", avro=avro)
    world.put("good.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,True,1.5\nj,t,false,2\n")
    assert failure(world, dataset, key="good.csv") is None
    values = [row[2:4] for row in rows(world, dataset)]
    assert values == [(True, 1.5), (False, 2.0)]


def test_an_import_whose_role_may_not_read_fails(world, dataset, monkeypatch):
    def deny(bucket, key, role_arn):
        raise JobFailed(f"{role_arn} may not read s3://{bucket}/{key}")

    monkeypatch.setattr(world.files, "read", deny)
    assert failure(world, dataset) == (f"{IMPORT_ROLE} may not read s3://exports/interactions.csv")


def test_an_import_of_a_missing_object_fails(world, dataset, monkeypatch):
    assert failure(world, dataset, key="absent.csv") == (
        "Invalid Data location. There is no CSV file at s3://exports/absent.csv"
    )
    monkeypatch.setattr(world.files, "keys", lambda *_: ["gone.csv"])
    assert failure(world, dataset, "second", "gone.csv") == (
        "s3://exports/gone.csv does not exist"
    ), "deleted after it was listed"


def test_the_emulator_knows_what_each_import_read_and_what_each_version_learned(world, dataset):
    solution = world.create_solution(GROUP)
    first = world.import_file(dataset, "first")["datasetImportJobArn"]
    full = world.train(solution)
    world.put("more.csv", numbered_interactions(1000))
    request = {"importMode": "INCREMENTAL"}
    more = world.import_file(dataset, "more", "more.csv", **request)["datasetImportJobArn"]
    both = world.train(solution)
    world.put("bad.csv", b"X,Y")
    world.import_file(dataset, "bad", "bad.csv")
    again = world.import_file(dataset, "again")["datasetImportJobArn"]
    versions = world.personalize.resources(SolutionVersion, CALLER)
    learned = [versions[arn].learned for arn in (full, both)]
    assert learned == [{dataset: (first,)}, {dataset: (first, more)}]
    assert world.personalize.resources(Dataset, CALLER)[dataset].imports == (again,), (
        "a FULL import replaces the others, and a failed one brings nothing"
    )
    job = world.personalize.resources(ImportJob, CALLER)[more]
    digest = sha256(numbered_interactions(1000)).hexdigest()
    assert (job.hashes, job.files) == ({"s3://exports/more.csv": digest}, {})


@pytest.mark.parametrize(("reads", "number"), [("start", 1000), ("end", 1001)])
def test_a_job_reads_its_files_at_the_start_or_the_end_of_its_work(reads, number):
    world = World(timings=lambda *_: (10, 20), switches=Switches(import_reads=reads))
    dataset = world.create_dataset()
    world.put("interactions.csv", numbered_interactions(1000))
    world.start_import(dataset)
    world.wait(15)
    world.client.list_dataset_import_jobs()
    world.put("interactions.csv", numbered_interactions(1001))
    world.wait(15)
    assert len(rows(world, dataset)) == number
