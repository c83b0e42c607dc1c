"""What planning knows of the service: read once, whole, newest first."""

import pytest
from botocore.exceptions import ClientError

from functions import world
from functions.errors import Throttled
from functions.world import World
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    NOW,
    OLD_VERSION,
    SCHEDULE,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    import_summary,
    run,
    settings,
    solution_resource,
    solution_settings,
    version,
    version_summary,
)

OLD = version_summary()
NEW = version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1))


def lists_versions(personalize, *pages):
    given = {"solutionArn": SOLUTION}
    for page, summaries in enumerate(pages, start=1):
        more = {"nextToken": f"page {page + 1}"} if page < len(pages) else {}
        answer = {"solutionVersions": list(summaries), **more}
        personalize.says("list_solution_versions", answer, **given)
        given = {"solutionArn": SOLUTION, **more}


def lists_imports(personalize, *pages):
    given = {"datasetArn": DATASET}
    for page, summaries in enumerate(pages, start=1):
        more = {"nextToken": f"page {page + 1}"} if page < len(pages) else {}
        answer = {"datasetImportJobs": list(summaries), **more}
        personalize.says("list_dataset_import_jobs", answer, **given)
        given = {"datasetArn": DATASET, **more}


def describes_the_rest(personalize):
    answer = {"solution": solution_resource()}
    personalize.says("describe_solution", answer, solutionArn=SOLUTION)
    personalize.says("describe_campaign", {"campaign": campaign()}, campaignArn=CAMPAIGN)


def describes_version(personalize, arn, **changes):
    answer = {"solutionVersion": version(solutionVersionArn=arn, **changes)}
    personalize.says("describe_solution_version", answer, solutionVersionArn=arn)


def read(personalize, request=None, settings_=None):
    return world.read(personalize.client, settings_ or settings(), run(request))


def test_the_world_is_read_whole_and_newest_first(personalize):
    newest = import_summary(jobName="tuesday", creationDateTime=ago(24))
    lists_versions(personalize, [OLD], [NEW])
    lists_imports(personalize, [import_summary()], [newest])
    describes_the_rest(personalize)
    assert read(personalize) == World(
        now=NOW,
        schedule_changed_at=None,
        import_jobs={DATASET: [newest, import_summary()]},
        solutions={SOLUTION: solution_resource()},
        versions={SOLUTION: [NEW, OLD]},
        campaigns={CAMPAIGN: campaign()},
        named_versions={},
    )


@pytest.mark.parametrize("request_", [{"resume": "x"}, {"skipImport": True}], ids=str)
def test_versions_are_described_where_one_may_be_waiting(personalize, request_):
    lists_versions(personalize, [OLD, NEW])
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    describes_version(personalize, VERSION)
    describes_version(personalize, OLD_VERSION, name="by-hand")
    assert read(personalize, request_).named_versions == {
        VERSION_NAME: version(),
        "by-hand": version(solutionVersionArn=OLD_VERSION, name="by-hand"),
    }


def test_versions_are_not_described_where_none_may_be_waiting(personalize):
    lists_versions(personalize, [OLD, NEW])
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    assert read(personalize, {"skipImport": False}).named_versions == {}


def test_of_two_versions_with_one_name_the_newer_counts(personalize):
    lists_versions(personalize, [OLD, NEW])
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    describes_version(personalize, VERSION)
    describes_version(personalize, OLD_VERSION)
    assert read(personalize, {"skipImport": True}).named_versions == {VERSION_NAME: version()}


def test_a_version_without_a_name_is_passed_over(personalize):
    lists_versions(personalize, [NEW])
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    nameless = version()
    del nameless["name"]
    answer = {"solutionVersion": nameless}
    personalize.says("describe_solution_version", answer, solutionVersionArn=VERSION)
    assert read(personalize, {"skipImport": True}).named_versions == {}


def test_only_the_ten_newest_versions_are_described(personalize):
    summaries = [
        version_summary(solutionVersionArn=f"{SOLUTION}/{hours}", creationDateTime=ago(hours))
        for hours in range(12)
    ]
    lists_versions(personalize, summaries)
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    for hours in range(10):
        describes_version(personalize, f"{SOLUTION}/{hours}", name=f"v{hours}")
    named = read(personalize, {"skipImport": True}).named_versions
    assert list(named) == [f"v{hours}" for hours in range(10)]


def test_a_solution_may_have_no_campaigns(personalize):
    lists_versions(personalize, [])
    lists_imports(personalize, [])
    answer = {"solution": solution_resource()}
    personalize.says("describe_solution", answer, solutionArn=SOLUTION)
    settings_ = settings(solutions=[solution_settings(campaigns=[])])
    assert read(personalize, settings_=settings_).campaigns == {}


SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}


@pytest.mark.parametrize(("created", "changed"), [(100, 2), (2, 100)])
def test_the_schedule_changed_when_it_was_created_or_last_modified(
    personalize, scheduler, created, changed
):
    lists_versions(personalize, [])
    answer = {"CreationDate": ago(created), "LastModificationDate": ago(changed)}
    scheduler.says("get_schedule", answer, GroupName="group", Name="weekly")
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    assert read(personalize, SCHEDULED).schedule_changed_at == ago(2)


@pytest.mark.parametrize("missing", ["scheduledTime", "scheduleArn"])
def test_the_schedule_is_not_asked_where_it_did_not_start_the_run(personalize, missing):
    lists_versions(personalize, [])
    lists_imports(personalize, [])
    describes_the_rest(personalize)
    request = {key: value for key, value in SCHEDULED.items() if key != missing}
    assert read(personalize, request).schedule_changed_at is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("ResourceNotFoundException", ClientError)],
)
def test_errors_are_let_through(personalize, code, expected):
    personalize.refuses("list_solution_versions", code, "no", solutionArn=SOLUTION)
    with pytest.raises(expected, match="no"):
        read(personalize)
