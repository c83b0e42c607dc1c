"""Proves what import jobs do to the rows of a dataset, and which rows trainings use.

`golden/personalize_imports.txt` has a type of dataset and the files of a folder in one line, and
the result of their import in the next one. A number stands for so many interactions.
"""

import itertools
import json
from hashlib import sha256

import pytest
from personalize_world import CALLER, GROUP, INTERACTIONS, World, error_of, numbered_interactions

from emulator.personalize import Switches
from emulator.personalize.resources import Dataset, ImportJob, SolutionVersion
from tests.sample_data import sample_data

ACTIONS = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP\nu1,a1,Taken,1790000000\n"
ESCAPE = "surrogateescape"
"""A text of a test has `\\udce9` for the byte E9, which is not UTF-8."""


@pytest.fixture
def world():
    world = World()
    world.put("interactions.csv", numbered_interactions(1500))
    world.put("interactions.csv.bak", b"a file whose key begins like that of the export")
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


def test_each_folder_of_the_golden_file_is_imported_or_has_a_reason(world, golden):
    group = world.create_group()
    datasets = {
        name: world.create_dataset(group, name) for name in ("INTERACTIONS", "USERS", "ITEMS")
    }
    numbers = itertools.count()

    def answer(line):
        dataset_type, _, files = line.partition(" ")
        world.files.clear()
        world.put("daily.csv", b"not in the folder")
        for name, content in json.loads(files.replace("{u*257}", "u" * 257)).items():
            is_number = isinstance(content, int)
            data = numbered_interactions(content) if is_number else content.encode(errors=ESCAPE)
            world.put(f"daily/{name}", data)

        job = f"job-{next(numbers)}"
        return failure(world, datasets[dataset_type], job, "daily/") or "is imported"

    golden.answers("personalize_imports.txt", answer)


def test_only_an_incremental_import_of_action_interactions_needs_1000_rows(world):
    dataset = world.create_dataset(dataset_type="ACTION_INTERACTIONS")
    world.put("one.csv", ACTIONS.encode())
    assert failure(world, dataset, "first", "one.csv") is None
    assert failure(world, dataset, "second", "one.csv", importMode="INCREMENTAL") == (
        "Dataset import job has 1 interactions, fewer than 1000"
    )


def test_numbers_and_booleans_are_read(world):
    avro = (
        sample_data()
        .schemas["ITEMS"]
        .replace('"long"', '"double"')
        .replace('{"name": "GENRE", "type": "string"', '{"name": "GENRE", "type": "boolean"')
    )
    dataset = world.create_dataset(dataset_type="ITEMS", avro=avro)
    world.put("good.csv", b"ITEM_ID,TITLE,GENRE,CREATION_TIMESTAMP\ni,t,True,1.5\nj,t,false,2\n")
    assert failure(world, dataset, key="good.csv") is None

    values = [row[2:4] for row in rows(world, dataset)]
    assert values == [(True, 1.5), (False, 2.0)]


def test_an_import_fails_with_the_reason_for_which_an_object_cannot_be_read(
    world, dataset, monkeypatch
):
    monkeypatch.setattr(world.files, "keys", lambda *_: ["gone.csv"])
    assert failure(world, dataset, key="gone.csv") == "s3://exports/gone.csv does not exist"


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
    learned = [versions[arn].trained_imports for arn in (full, both)]
    assert learned == [{dataset: (first,)}, {dataset: (first, more)}]
    assert world.personalize.resources(Dataset, CALLER)[dataset].import_arns == (again,), (
        "a FULL import replaces the others, and a failed one brings nothing"
    )

    job = world.personalize.resources(ImportJob, CALLER)[more]
    digest = sha256(numbered_interactions(1000)).hexdigest()
    assert (job.hashes, job.files) == ({"s3://exports/more.csv": digest}, {})


@pytest.mark.parametrize("reads, number", [("start", 1000), ("end", 1001)])
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


# Trainings


def training_failure(world, solution):
    """Train a version, and return why the training failed, or None if it succeeded."""
    version = world.describe_version(world.train(solution))
    assert version["status"] == ("CREATE FAILED" if "failureReason" in version else "ACTIVE")
    return version.get("failureReason")


def metrics(world, version):
    return world.client.get_solution_metrics(solutionVersionArn=version)["metrics"]


def test_a_training_uses_the_data_of_the_time_when_it_came_into_progress(world):
    solution = world.create_trainable_solution()
    first = world.train(solution)
    second = world.start_training(solution)
    world.wait(2)
    world.describe_version(second)
    world.put("interactions.csv", sample_data().newer["INTERACTIONS"])
    world.start_import(INTERACTIONS, "second")
    world.wait()
    third = world.train(solution)

    assert metrics(world, first) == metrics(world, second), "the import ended during the training"
    assert metrics(world, second) != metrics(world, third), "it used the new rows"


PURCHASES = b"u,i,purchase,1700000000\n"
GUESTS = [b"guest-%d,film,watch,1700000000\n" % number for number in range(2476)]
TOO_FEW = "Dataset has fewer than 1000 interactions"


@pytest.mark.parametrize(
    "data, event_type, reason",
    [
        (None, None, TOO_FEW),
        (
            numbered_interactions(1000) + PURCHASES * 20,
            "purchase",
            f"{TOO_FEW} after filtering by event type: purchase",
        ),
        (numbered_interactions(1000) + PURCHASES, "watch", None),
        (
            numbered_interactions(1200, users=24) + b"".join(GUESTS[:100]),
            None,
            "Dataset has fewer than 25 users with at least 2 interactions each",
        ),
        (numbered_interactions(1200, users=25) + b"".join(GUESTS[:2475]), None, None),
        (
            numbered_interactions(1200, users=25) + b"".join(GUESTS),
            None,
            "Dataset has fewer than 26 users with at least 2 interactions each",
        ),
    ],
    ids=["no rows", "few purchases", "purchases", "24 users", "25 of 2500", "25 of 2501"],
)
def test_a_training_with_too_few_interactions_or_users_fails(world, data, event_type, reason):
    dataset = world.create_dataset()
    if data is not None:
        world.put("interactions.csv", data)
        world.import_file(dataset)
    fields = {} if event_type is None else {"eventType": event_type}
    assert training_failure(world, world.create_solution(GROUP, **fields)) == reason


def test_an_event_type_without_its_column_fails_the_training(world):
    schema = json.loads(sample_data().schemas["INTERACTIONS"])
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "EVENT_TYPE"]
    avro = json.dumps(schema)
    world.put("interactions.csv", numbered_interactions(1000))
    world.import_file(world.create_dataset(avro=avro))
    solution = world.create_solution(GROUP, eventType="watch")

    assert training_failure(world, solution) == f"{TOO_FEW} after filtering by event type: watch"
