"""What lies in S3 is looked at before anything is paid for, and again after it was imported."""

from dataclasses import replace

import pytest

from tests.workflow.pipeline import OPERATOR, RUN_ID, deploy, handler
from tests.workflow.summaries import outcomes, report
from tests.world import (
    MOVIES,
    PERSONALIZE,
    PREFIX,
    DatasetGroup,
    campaign_arn,
    dataset_arn,
    exports,
    interactions,
    solution,
    solution_arn,
)

GROUP = f"{PERSONALIZE}:dataset-group/movies"
DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ALL = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED", **DONE}
NEXT = "2026-12-06T03:00:00Z"
ONE = MOVIES.with_datasets("interactions")
INTERACTIONS = interactions()
ROWS = INTERACTIONS.decode().split("\n")


def told(execution):
    """Give the problems for which a run was refused."""
    assert execution.status == "FAILED", execution
    assert report(execution)["imports"] == report(execution)["solutions"] == []
    first, *problems = report(execution)["reason"].split("\n  ")
    assert first.startswith(f"RunRefused: {len(problems)} problem"), first
    return problems


def refused(pipeline, **request):
    """Run, and give why the run was refused; nothing was written anywhere."""
    problems = told(pipeline.run(**request))
    writes = ("Create", "Update", "Stop", "Tag")
    calls = [each for each in pipeline.personalize.calls if each.caller != OPERATOR.arn]
    assert [call for call in calls if call.operation.startswith(writes)] == []
    return problems


# A single export


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            b"",
            (
                "1 of 1 objects at s3://exports/interactions.csv are empty, interactions.csv "
                "for one; "
                "was the export cut off? Markers belong beside the location"
            ),
        ),
        (
            INTERACTIONS.replace(b"ITEM_ID,TIMESTAMP", b"ITEM,TIME", 1),
            (
                "the header of interactions.csv lacks ITEM_ID, TIMESTAMP, which the dataset's "
                "schema "
                "requires; it has USER_ID, ITEM, TIME"
            ),
        ),
        (
            INTERACTIONS.replace(b"1790000001", b"yesterday"),
            "line 3 of interactions.csv: TIMESTAMP is 'yesterday', and the schema wants long",
        ),
        (
            INTERACTIONS.replace(b"u1,", b",", 1),
            "line 3 of interactions.csv: USER_ID is '', and the schema wants string",
        ),
        (
            INTERACTIONS.replace(b"u1,", b"u1,u1,", 1),
            (
                "line 3 of interactions.csv has 4 values for 3 columns; is a value with a "
                "comma or a "
                "line break unquoted?"
            ),
        ),
    ],
    ids=["empty", "header", "type", "missing value", "columns"],
)
def test_an_export_that_is_no_good_is_refused(content, problem):
    with deploy(ONE) as pipeline:
        pipeline.bucket.put("interactions.csv", content)
        assert refused(pipeline) == [f"datasets.interactions: {problem}"]


def test_the_columns_may_stand_in_any_order_and_more_of_them():
    rows = [line.split(",") for line in ROWS]
    turned = "\n".join(f"{time},x,{user},{item}" for user, item, time in rows)
    with deploy(ONE) as pipeline:
        pipeline.bucket.put("interactions.csv", turned.encode())
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "IMPORTED", **DONE}


def test_an_export_that_was_not_written_is_refused():
    with deploy(ONE) as pipeline:
        del pipeline.bucket.objects["interactions.csv"]
        assert refused(pipeline) == [
            (
                "datasets.interactions: nothing lies at s3://exports/interactions.csv; was the "
                "export "
                "written?"
            )
        ]


def test_an_export_that_cannot_be_read_is_refused():
    args = MOVIES.with_datasets("interactions", data_location="s3://elsewhere/data.csv")
    with deploy(ONE) as pipeline:
        pipeline.group = args
        assert refused(pipeline) == [
            (
                "datasets.interactions: s3://elsewhere/data.csv cannot be read: NoSuchBucket: "
                "it does "
                "not exist; does it exist, and may this account read it?"
            )
        ]


@pytest.mark.parametrize(("share", "refuses"), [(0.4, True), (0.6, False)])
def test_an_export_much_smaller_than_the_one_imported_last_is_refused(share, refuses):
    with deploy(ONE) as pipeline:
        assert outcomes(pipeline.run())["interactions"] == "IMPORTED"
        rows = ROWS[: round(len(ROWS) * share)]
        size = len("\n".join(rows).encode())
        pipeline.bucket.put("interactions.csv", "\n".join(rows).encode())
        execution = pipeline.run(scheduledTime=NEXT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == (1 if refuses else 2)
    if refuses:
        assert told(execution) == [
            (
                f"datasets.interactions: s3://exports/interactions.csv has {size} bytes, and "
                f"the last FULL import took {len(INTERACTIONS)}: less than minRelativeSize 0.5 of "
                "it; if the data really shrank, lower minRelativeSize for one run"
            )
        ]


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_an_import_by_hand_in_between_does_not_blind_the_guard(mode):
    with deploy(ONE) as pipeline:
        pipeline.run()
        pipeline.bucket.put("more/interactions.csv", INTERACTIONS)
        pipeline.client.create_dataset_import_job(
            jobName="by-hand",
            datasetArn=dataset_arn("INTERACTIONS"),
            dataSource={"dataLocation": "s3://exports/more/"},
            roleArn=pipeline.args.import_role_arn,
            importMode=mode,
        )
        pipeline.sleep(3600)
        pipeline.bucket.put("interactions.csv", "\n".join(ROWS[:400]).encode())
        (problem,) = told(pipeline.run(scheduledTime=NEXT))
    assert f"the last FULL import took {len(INTERACTIONS)}: less than" in problem


def test_what_may_shrink_is_configured():
    small = MOVIES.with_datasets("interactions", min_relative_size=0.1)
    with deploy(small) as pipeline:
        pipeline.run()
        pipeline.bucket.put("interactions.csv", "\n".join(ROWS[:240]).encode())
        pipeline.run(scheduledTime=NEXT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 2


def test_all_problems_of_all_datasets_are_told_at_once():
    with deploy() as pipeline:
        pipeline.bucket.put("interactions.csv", INTERACTIONS.replace(b"USER_ID", b"USER", 1))
        pipeline.bucket.put("items.csv", b"")
        del pipeline.bucket.objects["users.csv"]
        problems = refused(pipeline)
    assert [problem.split(":")[0] for problem in problems] == [
        "datasets.interactions",
        "datasets.items",
        "datasets.users",
    ]


def test_what_is_not_to_be_imported_is_not_looked_at():
    with deploy() as pipeline:
        pipeline.bucket.put("items.csv", b"")
        execution = pipeline.run(datasets=["interactions", "users"])
    assert outcomes(execution) == {"interactions": "IMPORTED", "users": "IMPORTED", **DONE}


def test_a_prefix_of_thousands_of_objects_is_looked_at_on_all_its_pages():
    args = MOVIES.with_datasets("interactions", data_location="s3://exports/days/")
    header, *rows = ROWS
    with deploy(ONE) as pipeline:
        pipeline.group = args
        for number in range(1200):
            pipeline.bucket.put(f"days/{number:04}.csv", f"{header}\n{rows[number]}".encode())
        pipeline.bucket.put("days/1199.csv", b"")
        assert refused(pipeline) == [
            (
                "datasets.interactions: 1 of 1200 objects at s3://exports/days/ are empty, "
                "days/1199.csv for one; was the export cut off? Markers belong beside the location"
            )
        ]


# Ready markers and dates


MARKED = MOVIES.with_datasets("interactions", ready_marker="s3://exports/_READY")


def test_an_export_without_its_ready_marker_is_refused():
    with deploy(MARKED) as pipeline:
        assert refused(pipeline) == [
            (
                "datasets.interactions: the ready marker s3://exports/_READY is not there; was the "
                "export finished?"
            )
        ]


def test_an_export_with_the_marker_of_the_last_one_is_refused():
    with deploy(MARKED) as pipeline:
        pipeline.bucket.put("_READY", b"")
        marked = pipeline.clock.now()
        pipeline.run()
        imported = pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]
        last = max(each["creationDateTime"] for each in imported)
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        assert told(pipeline.run(scheduledTime=NEXT)) == [
            (
                "datasets.interactions: the ready marker s3://exports/_READY is of "
                f"{marked.isoformat(timespec='seconds')}, before the last import of "
                f"{last.isoformat(timespec='seconds')}; was the new export finished? To train "
                "on what "
                "was imported, start with skipImport"
            )
        ]
        pipeline.bucket.put("_READY", b"")
        assert outcomes(pipeline.run(scheduledTime=NEXT)) == {"interactions": "IMPORTED", **DONE}


def test_the_day_of_the_slot_is_filled_in():
    dated = MOVIES.with_datasets(
        "interactions",
        data_location="s3://exports/{date}/data.csv",
        ready_marker="s3://exports/{date}.ready",
    )
    with deploy(ONE) as pipeline:
        pipeline.group = dated
        pipeline.bucket.put("2026-11-29/data.csv", INTERACTIONS)
        pipeline.bucket.put("2026-11-29.ready", b"")
        execution = pipeline.run()
        asked = [each["dataSource"] for each in pipeline.requests("CreateDatasetImportJob")]
        assert told(pipeline.run(scheduledTime=NEXT)) == [
            (
                "datasets.interactions: nothing lies at s3://exports/2026-12-06/data.csv; was the "
                "export written?"
            ),
            (
                "datasets.interactions: the ready marker s3://exports/2026-12-06.ready is not "
                "there; "
                "was the export finished?"
            ),
        ]
    assert outcomes(execution) == {"interactions": "IMPORTED", **DONE}
    assert asked == [{"dataLocation": "s3://exports/2026-11-29/data.csv"}]


# INCREMENTAL


def incremental(kind="interactions"):
    """Give settings in which new data lie at a place of their own each day."""
    return MOVIES.with_datasets(
        kind, import_mode="INCREMENTAL", data_location=f"s3://exports/new-{kind}.csv"
    )


def test_an_incremental_import_of_old_objects_is_refused():
    with deploy(ONE) as pipeline:
        pipeline.group = MOVIES.with_datasets("interactions", import_mode="INCREMENTAL")
        assert refused(pipeline) == [
            (
                "datasets.interactions: 1 of 1 objects at s3://exports/interactions.csv are "
                "older than "
                "the last import, interactions.csv for one, and would be appended again; "
                "export new data to a place of its own each time, for example to "
                "'s3://bucket/interactions/{date}/'. To train on what was imported, start with "
                "skipImport"
            )
        ]


@pytest.mark.parametrize(("rows", "refuses"), [(999, True), (1000, False)])
def test_an_incremental_import_of_too_few_interactions_is_refused(rows, refuses):
    with deploy(ONE) as pipeline:
        pipeline.group = incremental()
        pipeline.bucket.put("new-interactions.csv", "\n".join(ROWS[: rows + 1]).encode())
        execution = pipeline.run()
    if refuses:
        assert told(execution) == [
            (
                "datasets.interactions: s3://exports/new-interactions.csv has 999 interactions; an "
                "INCREMENTAL import takes at least 1000 new ones: import less often, or use "
                "importMode "
                "FULL"
            )
        ]
    else:
        assert outcomes(execution) == {"interactions": "IMPORTED", **DONE}


def test_an_incremental_import_of_too_much_is_refused(monkeypatch):
    monkeypatch.setattr("functions.planning.decide.export_guards.MOST_INCREMENTAL_BYTES", 1000)
    with deploy(ONE) as pipeline:
        pipeline.group = incremental()
        pipeline.bucket.put("new-interactions.csv", INTERACTIONS)
        assert refused(pipeline) == [
            (
                f"datasets.interactions: s3://exports/new-interactions.csv has {len(INTERACTIONS)} "
                "bytes; an INCREMENTAL import takes at most 1000: use importMode FULL"
            )
        ]


def test_a_few_new_items_are_appended():
    with deploy(MOVIES.with_datasets("items")) as pipeline:
        pipeline.group = incremental("items")
        pipeline.bucket.put("new-items.csv", b"ITEM_ID,GENRE\ni999,g1")
        execution = pipeline.run()
    assert outcomes(execution) == {"items": "IMPORTED", **DONE}


# What the config names


def test_everything_that_is_missing_is_told_at_once():
    with deploy() as pipeline:
        pipeline.group = MOVIES.with_datasets("interactions", "actions").with_solutions(
            solution("gone", campaigns=["lost"]), solution("taste", campaigns=["nowhere"])
        )
        assert refused(pipeline) == [
            f"{dataset_arn('ACTIONS')}: does not exist; create it, or correct the stack's config",
            f"{solution_arn('gone')}: does not exist; create it, or correct the stack's config",
            (
                f"{campaign_arn('lost')}: does not exist; create it, or take it out of the stack's "
                "config"
            ),
            (
                f"{campaign_arn('nowhere')}: does not exist; create it, or take it out of the "
                "stack's "
                "config"
            ),
        ]


def test_a_campaign_of_another_solution_is_refused():
    with deploy(
        MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    ) as pipeline:
        pipeline.group = MOVIES.with_solutions(solution("taste", campaigns=["detail"]))
        serves = pipeline.served_version("detail")
        assert refused(pipeline) == [
            (
                f"{campaign_arn('detail')}: serves {serves}, which is no version of "
                f"{solution_arn()}; put the campaign under its own solution"
            )
        ]


def test_datasets_of_another_group_than_the_solutions_are_refused():
    books = DatasetGroup("books").with_datasets("interactions")
    books = books.with_solutions(solution("novels", campaigns=["shelf"]))
    with deploy(ONE) as pipeline:
        pipeline.second_pipeline(books, prefix="beefbeef")
        pipeline.group = books.with_solutions(solution())
        assert refused(pipeline) == [
            (
                f"{solution_arn()}: trains on {GROUP}, and the datasets belong to "
                f"{PERSONALIZE}:dataset-group/books; name the datasets of the solution's own group"
            )
        ]


def test_a_dataset_that_is_not_active_yet_is_refused():
    with deploy(ONE) as pipeline:
        pipeline.inject_fault("hang", job="dataset")
        MOVIES.create_dataset(pipeline.client, "users")
        pipeline.group = MOVIES.with_datasets("interactions", "users")
        problems = refused(pipeline)
    assert problems == [
        f"{dataset_arn('USERS')}: its status is CREATE PENDING; retraining needs it ACTIVE"
    ]


def test_a_custom_solution_in_a_domain_group_is_retrained_like_any_other():
    with deploy(replace(MOVIES, domain="ECOMMERCE")) as pipeline:
        execution = pipeline.run()
        group = pipeline.client.describe_dataset_group(datasetGroupArn=GROUP)["datasetGroup"]
    assert group["domain"] == "ECOMMERCE"
    assert outcomes(execution) == ALL


# While and after it is imported


def test_data_that_change_during_the_import_are_warned_of_and_imported_by_the_next_run():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(300)
        pipeline.bucket.put("items.csv", exports()["items.csv"] + b"\ni999,g9")
        first = running.wait()
        second = pipeline.run(scheduledTime=NEXT)
        imports = len(pipeline.requests("CreateDatasetImportJob"))
    job = report(first)["imports"][1]["datasetImportJobArn"]
    assert report(first)["warnings"] == [
        f"{job}: s3://exports/items.csv was changed during the import"
    ]
    assert outcomes(first) == outcomes(second) == ALL
    assert report(second)["warnings"] == []
    assert imports == 6


def test_data_that_are_gone_after_the_import_are_warned_of():
    def gone(event, context):
        if event["dataset"]["type"] == "users" and "users.csv" in pipeline.bucket.objects:
            pipeline.clock.sleep(60)
            del pipeline.bucket.objects["users.csv"]
        return handler("watch_dataset_import_job")(event, context)

    short = {f"{PREFIX}-{RUN_ID}-users-1": 61}
    with deploy(durations=short, handlers={"watch_dataset_import_job": gone}) as pipeline:
        execution = pipeline.run()
    assert [each.rpartition(": ")[2] for each in report(execution)["warnings"]] == [
        "s3://exports/users.csv was changed during the import"
    ]
    assert outcomes(execution) == ALL
