"""The exports are checked before a run writes anything, and again after the imports."""

import gzip
import re
from dataclasses import replace
from datetime import datetime

import pytest

from emulator.server.slots import next_slot
from functions.executions import export_day, run_of
from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, failures, outcomes, problems_of, report
from tests.world import (
    MOVIES,
    DatasetGroup,
    campaign_arn,
    dataset_arn,
    exports,
    interactions,
    solution,
    solution_arn,
)

INTERACTIONS_ONLY = MOVIES.with_datasets("interactions")
INTERACTIONS = interactions()
ROWS = INTERACTIONS.decode().split("\n")
"""The header and the rows of the export."""


def run_and_get_problems(pipeline):
    """Run, check that nothing was written, and return the problems."""
    problems = problems_of(pipeline.run())
    write_verbs = ("Create", "Update", "Stop", "Tag")
    writes = [
        call
        for call in pipeline.personalize.calls
        if call.caller != OPERATOR.arn and call.operation.startswith(write_verbs)
    ]
    assert writes == [], "a run that is refused writes nothing"
    return problems


def rows_of_export(count):
    """Return an export with the first rows."""
    return "\n".join(ROWS[: count + 1]).encode()


# One export


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        pytest.param(
            b"",
            [
                (
                    "1 of 1 objects at s3://exports/interactions.csv are empty, for example "
                    "interactions.csv; if one is a marker, write it outside of this location, "
                    "otherwise repeat the export"
                ),
            ],
            id="empty",
        ),
        pytest.param(
            INTERACTIONS.replace(b"ITEM_ID,TIMESTAMP", b"ITEM,TIME", 1),
            [
                (
                    "s3://exports/interactions.csv: the header lacks ITEM_ID, TIMESTAMP, which the "
                    "dataset's schema requires; the header is USER_ID, ITEM, TIME; add or rename "
                    "columns in the export"
                ),
            ],
            id="header",
        ),
        pytest.param(
            INTERACTIONS.replace(b"1790000001", b"yesterday"),
            [
                (
                    "s3://exports/interactions.csv: line 3: TIMESTAMP is 'yesterday', but the "
                    "schema requires long; write a whole number, as digits with an optional minus"
                ),
            ],
            id="type",
        ),
        pytest.param(
            INTERACTIONS.replace(b"u1,", b"u1,u1,", 1),
            [
                (
                    "s3://exports/interactions.csv: line 3 has 4 values for 3 columns; put "
                    "quotation marks around values with a comma, and complete the row"
                ),
            ],
            id="columns",
        ),
        pytest.param(
            gzip.compress(INTERACTIONS, mtime=0),
            [
                (
                    "s3://exports/interactions.csv: is a gzip file, but Personalize reads only "
                    "plain CSV; export plain CSV"
                ),
            ],
            id="gzip",
        ),
        pytest.param(
            INTERACTIONS.replace(b",1790000001", b",1790000001000"),
            [
                (
                    "s3://exports/interactions.csv: line 3: TIMESTAMP is '1790000001000', which is "
                    "in milliseconds; write seconds since 1970"
                ),
            ],
            id="milliseconds",
        ),
        pytest.param(
            b"\n\r\n" * 20,
            [
                "s3://exports/interactions.csv has no rows; repeat the export",
                (
                    "s3://exports/interactions.csv: the header lacks USER_ID, ITEM_ID, TIMESTAMP, "
                    "which the dataset's schema requires; the header is empty; add or rename "
                    "columns in the export"
                ),
            ],
            id="line breaks",
        ),
        pytest.param(
            b"USER_ID,ITEM_ID,TIMESTAMP\n\n\n",
            [
                "s3://exports/interactions.csv has no rows; repeat the export",
            ],
            id="no rows",
        ),
        pytest.param(
            rows_of_export(999),
            [
                (
                    "s3://exports/interactions.csv has 999 interactions, but an import takes at "
                    "least 1000; export all interactions, because a FULL import replaces all bulk "
                    "data"
                ),
            ],
            id="999 rows",
        ),
        pytest.param(
            None,
            [
                (
                    "there is no object at s3://exports/interactions.csv; check dataLocation and "
                    "the job that writes the export"
                ),
            ],
            id="missing",
        ),
    ],
)
def test_a_bad_export_is_refused(content, problems):
    with deploy(INTERACTIONS_ONLY) as pipeline:
        if content is None:
            del pipeline.bucket.objects["interactions.csv"]
        else:
            pipeline.bucket.put("interactions.csv", content)
        expected = [f"datasets.interactions: {problem}" for problem in problems]
        assert run_and_get_problems(pipeline) == expected


FOLDER = MOVIES.with_datasets("interactions", data_location="s3://exports/days/")
HEADER = b"USER_ID,ITEM_ID,TIMESTAMP\n"


def test_an_export_of_thousands_of_files_without_a_data_row_is_refused():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = FOLDER
        for number in range(5000):
            pipeline.bucket.put(f"days/part-{number:05}.csv", HEADER)
        assert run_and_get_problems(pipeline) == [
            "datasets.interactions: s3://exports/days/ has no rows; repeat the export"
        ]


def test_files_without_rows_beside_files_with_rows_are_imported():
    """Spark writes such files for its empty partitions."""
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = FOLDER
        for number in range(300):
            pipeline.bucket.put(f"days/part-{number:05}.csv", HEADER)
        pipeline.bucket.put("days/part-00123.csv", INTERACTIONS)
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}


def test_a_folder_that_has_only_subfolders_is_refused():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = FOLDER
        pipeline.bucket.put("days/mon/interactions.csv", INTERACTIONS)
        assert run_and_get_problems(pipeline) == [
            (
                "datasets.interactions: the objects at s3://exports/days/ are all in subfolders: "
                "days/mon/interactions.csv; Personalize imports only the first level of a folder; "
                "write the export there, or set dataLocation to the subfolder"
            )
        ]


def test_what_is_not_imported_of_an_export_is_a_warning():
    marked = b"\xef\xbb\xbf" + INTERACTIONS.replace(b"TIMESTAMP", b"TIMESTAMP,NOTE", 1)
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = FOLDER
        pipeline.bucket.put("days/all.csv", re.sub(rb"(\d{10})", rb"\1,new", marked))
        pipeline.bucket.put("days/mon/more.csv", interactions(shift=1))
        execution = pipeline.run()
        (job,) = pipeline.requests("CreateDatasetImportJob")
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}
    assert report(execution)["warnings"] == [
        (
            "datasets.interactions: objects in subfolders of s3://exports/days/ are not imported: "
            "days/mon/more.csv; Personalize imports only the first level of a folder; move them "
            "there, or away from this location"
        ),
        (
            "datasets.interactions: files at s3://exports/days/ begin with a byte-order mark: "
            "days/all.csv; if the import fails because it misses the first column, export UTF-8 "
            "without the mark"
        ),
        (
            "datasets.interactions: s3://exports/days/ has columns that the dataset's schema "
            "lacks: NOTE; they are not imported; remove them, or rename them if a name is misspelt"
        ),
    ]
    tags = {tag["tagKey"]: tag["tagValue"] for tag in job["tags"]}
    size = len(pipeline.bucket.objects["days/all.csv"])
    assert tags["retraining-bytes"] == str(size), "more.csv does not count"


def test_an_export_may_have_its_columns_in_another_order_and_more_columns():
    rows = [row.split(",") for row in ROWS]
    reordered = "\n".join(f"{time},x,{user},{item}" for user, item, time in rows)
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.bucket.put("interactions.csv", reordered.encode())
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}


def test_an_export_that_cannot_be_read_is_refused():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = MOVIES.with_datasets(
            "interactions", data_location="s3://elsewhere/data.csv"
        )
        assert run_and_get_problems(pipeline) == [
            (
                "datasets.interactions: s3://elsewhere/data.csv cannot be read: NoSuchBucket: it "
                "does not exist; check that it exists and that the role of plan-retraining may "
                "list and read it"
            )
        ]


@pytest.mark.parametrize(
    ("share", "min_relative_size", "is_refused"),
    [(0.4, 0.5, True), (0.6, 0.5, False), (0.2, 0.1, False)],
)
def test_an_export_much_smaller_than_the_last_one_is_refused(share, min_relative_size, is_refused):
    group = MOVIES.with_datasets("interactions", min_relative_size=min_relative_size)
    complete = interactions(6000)
    content = interactions(round(6000 * share))
    with deploy(group) as pipeline:
        pipeline.bucket.put("interactions.csv", complete)
        pipeline.run()
        pipeline.bucket.put("interactions.csv", content)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == (1 if is_refused else 2)
    if is_refused:
        assert problems_of(execution) == [
            (
                f"datasets.interactions: s3://exports/interactions.csv has {len(content)} bytes, "
                f"and the last FULL import took {len(complete)}: less than minRelativeSize 0.5 "
                "of it; a FULL import replaces all bulk data, so only if the data really shrank, "
                "lower minRelativeSize for one run"
            )
        ]


@pytest.mark.parametrize("import_mode", ["FULL", "INCREMENTAL"])
def test_a_foreign_import_does_not_change_the_size_to_compare_with(import_mode):
    complete = interactions(3000)
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.bucket.put("interactions.csv", complete)
        pipeline.run()
        pipeline.bucket.put("more/interactions.csv", INTERACTIONS)
        pipeline.foreign_import(
            "interactions", location="s3://exports/more/", importMode=import_mode
        )
        pipeline.sleep(3600)
        pipeline.bucket.put("interactions.csv", rows_of_export(1000))
        (problem,) = problems_of(pipeline.run(scheduledTime=NEXT_SLOT))
    assert f"the last FULL import took {len(complete)}: less than" in problem


def test_all_problems_of_all_datasets_are_reported_together():
    with deploy() as pipeline:
        pipeline.bucket.put("interactions.csv", INTERACTIONS.replace(b"USER_ID", b"USER", 1))
        pipeline.bucket.put("items.csv", b"")
        del pipeline.bucket.objects["users.csv"]
        problems = run_and_get_problems(pipeline)
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "datasets.interactions",
        "datasets.items",
        "datasets.users",
    ]


def test_an_export_that_is_not_imported_is_not_checked():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("items.csv", b"")
        execution = pipeline.machine.start({"datasets": ["users"], "force": True}).wait()
    assert outcomes(execution) == {"users": "IMPORTED", **DEPLOYED}


def test_all_pages_of_a_folder_are_checked():
    header, *rows = ROWS
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = MOVIES.with_datasets("interactions", data_location="s3://exports/days/")
        for number, row in enumerate(rows):
            pipeline.bucket.put(f"days/{number:04}.csv", f"{header}\n{row}".encode())
        pipeline.bucket.put("days/1199.csv", b"")
        assert run_and_get_problems(pipeline) == [
            (
                "datasets.interactions: 1 of 1200 objects at s3://exports/days/ are empty, "
                "for example days/1199.csv; if one is a marker, write it outside of this "
                "location, otherwise repeat the export"
            )
        ]


# Ready markers and dates


def test_an_export_needs_a_ready_marker_that_is_newer_than_its_objects():
    group = MOVIES.with_datasets("interactions", ready_marker="s3://exports/_READY")
    with deploy(group) as pipeline:
        assert run_and_get_problems(pipeline) == [
            (
                "datasets.interactions: the ready marker s3://exports/_READY does not exist; "
                "write it when the export is complete, or use retrain start --skip-import to train "
                "without an import"
            )
        ]
        pipeline.bucket.put("_READY", b"")
        pipeline.run()
        forced = pipeline.run(scheduledTime=NEXT_SLOT, force=True)
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        assert problems_of(pipeline.run(scheduledTime=NEXT_SLOT)) == [
            (
                "datasets.interactions: 1 of 1 objects at s3://exports/interactions.csv are newer "
                "than the ready marker s3://exports/_READY, for example interactions.csv; write "
                "the marker after the last object of the export"
            )
        ]
        pipeline.bucket.put("_READY", b"")
        execution = pipeline.run(scheduledTime="2026-12-13T03:00:00Z")
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}
    assert outcomes(forced)["interactions"] == "IMPORTED", "an old marker does not forbid it"


def test_the_date_in_a_location_is_the_day_of_the_slot():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = MOVIES.with_datasets(
            "interactions",
            data_location="s3://exports/{date}/data.csv",
            ready_marker="s3://exports/{date}.ready",
        )
        pipeline.bucket.put("2026-11-29/data.csv", INTERACTIONS)
        pipeline.bucket.put("2026-11-29.ready", b"")
        execution = pipeline.run()
        (request,) = pipeline.requests("CreateDatasetImportJob")
        assert problems_of(pipeline.run(scheduledTime=NEXT_SLOT)) == [
            (
                "datasets.interactions: there is no object at "
                "s3://exports/2026-12-06/data.csv; check dataLocation and the job that writes "
                "the export"
            ),
            (
                "datasets.interactions: the ready marker s3://exports/2026-12-06.ready does "
                "not exist; write it when the export is complete, or use retrain start "
                "--skip-import to train without an import"
            ),
        ]
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}
    assert request["dataSource"] == {"dataLocation": "s3://exports/2026-11-29/data.csv"}


@pytest.mark.parametrize(
    ("cron", "eve", "run_ids"),
    [
        (
            "cron(30 1,2 * * ? *)",
            "2027-03-27",
            ["20270327T013000Z", "20270327T023000Z", "20270328T013000Z", "20270329T003000Z"],
        ),
        (
            "cron(30 1,2 * * ? *)",
            "2027-10-30",
            ["20271030T003000Z", "20271030T013000Z", "20271031T003000Z", "20271031T023000Z"],
        ),
        (
            "cron(30 0 * * ? *)",
            "2027-03-27",
            ["20270327T003000Z", "20270328T003000Z", "20270328T233000Z", "20270329T233000Z"],
        ),
        (
            "cron(30 0 * * ? *)",
            "2027-10-29",
            ["20271029T233000Z", "20271030T233000Z", "20271101T003000Z", "20271102T003000Z"],
        ),
    ],
    ids=[
        "01:30 is skipped",
        "01:30 is repeated",
        "two runs on a day of UTC",
        "a day without a run",
    ],
)
def test_each_firing_has_an_id_of_its_own_while_daylight_saving_changes(cron, eve, run_ids):
    timing = {
        "ScheduleExpression": cron,
        "ScheduleExpressionTimezone": "Europe/Dublin",
        "LastModificationDate": 0,
    }
    slot, found = datetime.fromisoformat(f"{eve}T00:00:00+00:00"), []
    for _ in run_ids:
        slot = next_slot(timing, slot)
        started = {"executionArn": "x", "startedAt": slot.isoformat()}
        run = run_of({**started, "request": {"scheduledTime": slot.isoformat()}})
        assert export_day(run) == slot.date().isoformat(), "{date} is the day in UTC"
        found.append(run["id"])
    assert found == run_ids


# INCREMENTAL


def incremental(dataset_type):
    """Return the group with one dataset, which is imported from a new location each time."""
    return MOVIES.with_datasets(
        dataset_type,
        import_mode="INCREMENTAL",
        data_location=f"s3://exports/new-{dataset_type}.csv",
    )


def test_an_incremental_import_of_old_objects_is_refused():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = MOVIES.with_datasets("interactions", import_mode="INCREMENTAL")
        assert run_and_get_problems(pipeline) == [
            (
                "datasets.interactions: 1 of 1 objects at s3://exports/interactions.csv are older "
                "than the last import, for example interactions.csv, and would be appended again; "
                "write each export to a new location, for example "
                "'s3://bucket/interactions/{date}/', or use retrain start --skip-import to train "
                "without an import"
            )
        ]


@pytest.mark.parametrize(("rows", "is_refused"), [(999, True), (1000, False)])
def test_an_incremental_import_needs_1000_interactions(rows, is_refused):
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = incremental("interactions")
        pipeline.bucket.put("new-interactions.csv", rows_of_export(rows))
        execution = pipeline.run()
    if is_refused:
        assert problems_of(execution) == [
            (
                "datasets.interactions: s3://exports/new-interactions.csv has 999 interactions, "
                "but an import takes at least 1000; import less often, or use importMode FULL with "
                "a complete export, because it replaces all bulk data"
            )
        ]
    else:
        assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}


def test_a_single_new_item_is_appended():
    with deploy(MOVIES.with_datasets("items")) as pipeline:
        pipeline.group = incremental("items")
        pipeline.bucket.put("new-items.csv", b"ITEM_ID,GENRE\ni999,g1")
        execution = pipeline.run()
        (request,) = pipeline.requests("CreateDatasetImportJob")
    assert request["importMode"] == "INCREMENTAL"
    assert outcomes(execution) == {"items": "IMPORTED", **DEPLOYED}


# What the config names


def test_all_missing_resources_are_reported_together():
    with deploy() as pipeline:
        pipeline.group = MOVIES.with_datasets("interactions", "actions").with_solutions(
            solution("gone", campaigns=["lost"]), solution("taste", campaigns=["nowhere"])
        )
        assert run_and_get_problems(pipeline) == [
            (
                f"{dataset_arn('actions')}: does not exist; create it, or correct the ARN in the "
                "stack's config"
            ),
            (
                f"{solution_arn('gone')}: does not exist; create it, or correct the ARN in the "
                "stack's config"
            ),
            (
                f"{campaign_arn('lost')}: does not exist; create it, or take it out of the stack's "
                "config"
            ),
            (
                f"{campaign_arn('nowhere')}: does not exist; create it, or take it out of the "
                "stack's config"
            ),
        ]


def test_a_campaign_of_another_solution_is_refused():
    two_solutions = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    with deploy(two_solutions) as pipeline:
        pipeline.group = MOVIES.with_solutions(solution("taste", campaigns=["detail"]))
        served = pipeline.served_version("detail")
        assert run_and_get_problems(pipeline) == [
            (
                f"{campaign_arn('detail')}: serves {served}, which is not a version of "
                f"{solution_arn()}; move the campaign to the solution of that version in the config"
            )
        ]


def test_datasets_of_another_group_than_the_solution_are_refused():
    books = DatasetGroup("books").with_datasets("interactions")
    books = books.with_solutions(solution("novels", campaigns=["shelf"]))
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.second_pipeline(books, prefix="beefbeef")
        pipeline.group = books.with_solutions(solution("taste"))
        assert run_and_get_problems(pipeline) == [
            (
                f"{solution_arn()}: belongs to {MOVIES.arn}, but the datasets of this stack "
                "belong to "
                f"{books.arn}; correct the ARN, or give {MOVIES.arn} a stack of its own"
            )
        ]


def test_a_dataset_that_is_not_active_is_refused():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.inject_fault("hang", job="dataset")
        MOVIES.create_dataset(pipeline.client, "users")
        pipeline.group = MOVIES.with_datasets("interactions", "users")
        assert run_and_get_problems(pipeline) == [
            (
                f"{dataset_arn('users')}: its status is CREATE IN_PROGRESS, but it has to be "
                "ACTIVE; wait if it is being created, otherwise repair it or take it out of the "
                "config"
            )
        ]


def test_a_custom_solution_in_a_domain_group_is_retrained():
    with deploy(replace(MOVIES, domain="ECOMMERCE")) as pipeline:
        execution = pipeline.run()
        response = pipeline.client.describe_dataset_group(datasetGroupArn=MOVIES.arn)
    assert response["datasetGroup"]["domain"] == "ECOMMERCE"
    assert outcomes(execution) == ALL_DONE


# During the import


def test_an_export_that_changes_during_the_import_is_imported_by_the_next_run():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(300)
        pipeline.bucket.put("items.csv", exports()["items.csv"] + b"\ni999,g9")
        first = started.wait()
        assert pipeline.requests("CreateSolutionVersion") == []
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 4
    assert failures(first) == {
        "items": "the export changed while it was imported; the next run imports it again"
    }
    assert outcomes(second) == {"items": "IMPORTED", **DEPLOYED}
