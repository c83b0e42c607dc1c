"""What planning knows of the service: read once, whole, newest first."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from functions.errors import Throttled
from functions.planning import world
from functions.planning.world import World
from tests.functions.samples import (
    API_TAGS,
    ARN,
    CAMPAIGN,
    DATASET,
    FIELDS,
    GROUP,
    ITEMS,
    LOCATION,
    NOW,
    OLD_VERSION,
    PREFIX,
    RUN_ID,
    SCHEDULE,
    SCHEMA,
    SOLUTION,
    TAGS,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    dataset_resource,
    dataset_settings,
    group_resource,
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


@pytest.fixture(autouse=True)
def neighbours(monkeypatch):
    """What lies in S3 and which executions run is read by other modules, and tried there."""
    monkeypatch.setattr(world.aws, "s3", lambda: "s3")
    monkeypatch.setattr(world.exports, "look", lambda *asked: asked)
    monkeypatch.setattr(world.aws, "stepfunctions", lambda: "executions")
    monkeypatch.setattr(world.executions, "older_run", lambda *asked: asked)


def pages(personalize, operation, key, pages_, **given):
    """Expect a list, page by page."""
    request = given
    for page, items in enumerate(pages_, start=1):
        more = {"nextToken": f"page {page + 1}"} if page < len(pages_) else {}
        personalize.says(operation, {key: list(items), **more}, **request)
        request = {**given, **more}


class Read:
    """A reading of the standard world, in the order of its requests, each to be changed."""

    def __init__(self, personalize):
        self.personalize = personalize
        self.datasets = {DATASET: dataset_resource()}
        self.solutions = {SOLUTION: solution_resource()}
        self.imports = {DATASET: [[]]}
        self.versions = [[]]
        self.groups = {GROUP: group_resource()}
        self.described_versions = {}
        self.trackers = [[]]
        self.schemas = {DATASET: FIELDS}
        self.region = [[]]
        self.import_tags = {}
        self.version_tags = {}
        self.campaigns = {CAMPAIGN: campaign()}

    def describes(self, operation, argument, key, found):
        """Expect these to be described; None does not exist."""
        for arn, resource in found.items():
            if resource is None:
                self.personalize.refuses(operation, "ResourceNotFoundException", **{argument: arn})
            else:
                self.personalize.says(operation, {key: resource}, **{argument: arn})

    def has_tags(self, found):
        """Expect these to be asked for their tags."""
        for arn, tags in found.items():
            self.personalize.says("list_tags_for_resource", {"tags": tags}, resourceArn=arn)

    def read(self, request=None, settings_=None, datasets=None):
        """Expect it all, in this order, and read it."""
        client = self.personalize
        settings_ = settings_ or settings()
        self.describes("describe_dataset", "datasetArn", "dataset", self.datasets)
        self.describes("describe_solution", "solutionArn", "solution", self.solutions)
        for arn, jobs in self.imports.items():
            pages(client, "list_dataset_import_jobs", "datasetImportJobs", jobs, datasetArn=arn)
        for arn in (arn for arn, found in self.solutions.items() if found):
            pages(
                client, "list_solution_versions", "solutionVersions", self.versions, solutionArn=arn
            )
        self.describes("describe_dataset_group", "datasetGroupArn", "datasetGroup", self.groups)
        self.describes(
            "describe_solution_version",
            "solutionVersionArn",
            "solutionVersion",
            self.described_versions,
        )
        self.has_tags(self.import_tags)
        self.has_tags(self.version_tags)
        for arn in (arn for arn, found in self.groups.items() if found):
            pages(
                client, "list_event_trackers", "eventTrackers", self.trackers, datasetGroupArn=arn
            )
        for arn in self.schemas:
            schema = json.dumps({"type": "record", "fields": self.schemas[arn]})
            answer = {"schema": {"schema": schema}}
            client.says("describe_schema", answer, schemaArn=SCHEMA)
        pages(client, "list_dataset_import_jobs", "datasetImportJobs", self.region)
        self.describes("describe_campaign", "campaignArn", "campaign", self.campaigns)
        return world.read(
            client.client,
            settings_,
            run(request),
            datasets=settings_["datasets"] if datasets is None else datasets,
            solutions=settings_["solutions"],
        )


@pytest.fixture
def reading(personalize):
    return Read(personalize)


EMPTY = World(
    now=NOW,
    older_run=("executions", run()),
    groups={GROUP: group_resource()},
    datasets={DATASET: dataset_resource()},
    schemas={DATASET: FIELDS},
    import_jobs={DATASET: []},
    exports={DATASET: ("s3", LOCATION, None)},
    solutions={SOLUTION: solution_resource()},
    versions={SOLUTION: []},
    campaigns={CAMPAIGN: campaign()},
    event_trackers=[],
)


def test_a_world_before_its_first_run_is_read_whole(reading):
    assert reading.read() == EMPTY


OURS = import_summary(
    jobName=f"{PREFIX}-tuesday-interactions-1",
    datasetImportJobArn=f"{ARN}:dataset-import-job/tuesday",
    creationDateTime=ago(24),
)
FOREIGN = {**import_summary(), "creationDateTime": ago(1)}
FOREIGN_TAG = {"tagKey": "team", "tagValue": "analytics"}


def test_lists_are_read_to_their_last_page_and_are_newest_first(reading):
    reading.versions = [[OLD], [NEW]]
    reading.imports = {DATASET: [[import_summary()], [OURS]]}
    reading.import_tags = {OURS["datasetImportJobArn"]: API_TAGS}
    reading.described_versions = {VERSION: version()}
    reading.version_tags = {VERSION: []}
    assert reading.read() == replace(
        EMPTY,
        import_jobs={DATASET: [OURS, import_summary()]},
        versions={SOLUTION: [NEW, OLD]},
        named_versions={VERSION_NAME: version()},
        last_import={DATASET: TAGS},
        last_full={DATASET: TAGS},
    )


@pytest.mark.parametrize("missing", ["datasets", "solutions", "campaigns"])
def test_what_does_not_exist_is_left_out_and_all_else_is_read(reading, missing):
    setattr(reading, missing, dict.fromkeys(getattr(reading, missing)))
    gone = {missing: {}}
    if missing == "datasets":
        reading.imports, reading.schemas, reading.groups = {}, {}, {}
        gone |= {"import_jobs": {}, "schemas": {}, "groups": {}}
    if missing == "solutions":
        gone |= {"versions": {}}
    assert reading.read() == replace(EMPTY, **gone)


def test_a_group_that_is_gone_is_left_out_with_its_event_trackers(reading):
    reading.groups = {GROUP: None}
    assert reading.read() == replace(EMPTY, groups={})


def test_all_datasets_are_read_but_only_the_exports_that_are_to_be_imported(reading):
    items = dataset_settings(type="items", datasetArn=ITEMS, readyMarker="s3://exports/_SUCCESS")
    reading.datasets[ITEMS] = dataset_resource(datasetArn=ITEMS)
    reading.imports[ITEMS] = [[]]
    reading.schemas[ITEMS] = FIELDS[1:2]
    seen = reading.read(None, settings(datasets=[dataset_settings(), items]), [items])
    assert seen == replace(
        EMPTY,
        datasets=reading.datasets,
        import_jobs={DATASET: [], ITEMS: []},
        schemas={DATASET: FIELDS, ITEMS: FIELDS[1:2]},
        exports={ITEMS: ("s3", LOCATION, "s3://exports/_SUCCESS")},
    ), "a group that both are in is read once"


def test_only_active_event_trackers_stream_events_in(reading):
    def tracker(name, status):
        return {"eventTrackerArn": f"{ARN}:event-tracker/{name}", "status": status}

    reading.trackers = [
        [tracker("a", "ACTIVE"), tracker("b", "DELETE PENDING")],
        [tracker("c", "ACTIVE")],
    ]
    assert reading.read().event_trackers == [f"{ARN}:event-tracker/{name}" for name in "ac"]


def test_imports_of_the_whole_region_that_are_under_way_take_slots(reading):
    statuses = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE", "CREATE FAILED"]
    reading.region = [[import_summary(status=status)] for status in statuses]
    assert reading.read().import_slots_used == 2


@pytest.mark.parametrize("name", [OURS["jobName"], "ffffffff-tuesday-interactions-1"])
def test_an_import_is_known_by_the_tag_of_a_run_whatever_its_name(reading, name):
    reading.imports = {DATASET: [[{**OURS, "jobName": name}]]}
    reading.import_tags = {OURS["datasetImportJobArn"]: API_TAGS}
    seen = reading.read()
    assert (seen.last_import, seen.last_full) == ({DATASET: TAGS}, {DATASET: TAGS})


def test_an_import_without_the_tag_of_a_run_is_not_known(reading):
    reading.imports = {DATASET: [[OURS]]}
    reading.import_tags = {OURS["datasetImportJobArn"]: [FOREIGN_TAG]}
    seen = reading.read()
    assert (seen.last_import, seen.last_full) == ({}, {}), "although its name is one of ours"


def test_an_import_that_failed_is_not_asked_for_its_tags(reading):
    reading.imports = {DATASET: [[{**OURS, "status": "CREATE FAILED"}]]}
    seen = reading.read()
    assert (seen.last_import, seen.last_full) == ({}, {})


def test_what_the_last_import_took_is_not_known_where_somebody_else_s_is_newer(reading):
    reading.imports = {DATASET: [[FOREIGN, OURS]]}
    reading.import_tags = {
        FOREIGN["datasetImportJobArn"]: [FOREIGN_TAG],
        OURS["datasetImportJobArn"]: API_TAGS,
    }
    assert reading.read().last_import == {}


def test_the_last_import_that_succeeded_is_remembered_beside_newer_ones_that_did_not(reading):
    failed = {**OURS, "status": "CREATE FAILED", "creationDateTime": ago(1)}
    reading.imports = {DATASET: [[failed, OURS]]}
    reading.import_tags = {OURS["datasetImportJobArn"]: API_TAGS}
    assert reading.read().last_import == {DATASET: TAGS}


APPENDED = {
    **OURS,
    "datasetImportJobArn": f"{ARN}:dataset-import-job/appended",
    "importMode": "INCREMENTAL",
    "creationDateTime": ago(1),
}
LITTLE = [
    {"tagKey": "retraining-run", "tagValue": RUN_ID},
    {"tagKey": "retraining-bytes", "tagValue": "1"},
]


@pytest.mark.parametrize(
    ("newer", "asked"),
    [
        (FOREIGN, {FOREIGN["datasetImportJobArn"]: []}),
        ({**OURS, "status": "CREATE FAILED", "creationDateTime": ago(1)}, {}),
        (APPENDED, {APPENDED["datasetImportJobArn"]: LITTLE}),
    ],
    ids=["somebody else's", "one that failed", "one that appended"],
)
def test_the_last_full_import_of_ours_is_remembered_whatever_came_after_it(reading, newer, asked):
    reading.imports = {DATASET: [[newer, OURS]]}
    reading.import_tags = {**asked, OURS["datasetImportJobArn"]: API_TAGS}
    assert reading.read().last_full == {DATASET: TAGS}


def test_without_a_full_import_of_ours_there_is_no_size_to_compare_with(reading):
    reading.imports = {DATASET: [[APPENDED, import_summary()]]}
    reading.import_tags = {
        APPENDED["datasetImportJobArn"]: LITTLE,
        import_summary()["datasetImportJobArn"]: [],
    }
    assert reading.read().last_full == {}


SIX_FULL = [
    import_summary(
        datasetImportJobArn=f"{ARN}:dataset-import-job/{hours}", creationDateTime=ago(hours)
    )
    for hours in range(1, 7)
]
"""Imports of one dataset, newest first."""


def test_a_full_import_of_ours_is_looked_for_among_the_five_newest(reading):
    reading.imports = {DATASET: [SIX_FULL]}
    asked = {job["datasetImportJobArn"]: [] for job in SIX_FULL[:5]}
    reading.import_tags = {**asked, SIX_FULL[4]["datasetImportJobArn"]: API_TAGS}
    assert reading.read().last_full == {DATASET: TAGS}


def test_a_full_import_before_five_of_somebody_elses_is_not_asked_for(reading):
    reading.imports = {DATASET: [SIX_FULL]}
    reading.import_tags = {job["datasetImportJobArn"]: [] for job in SIX_FULL[:5]}
    assert reading.read().last_full == {}


# versions that may be waiting


@pytest.mark.parametrize("request_", [{"resume": "x"}, {"skipImport": True}], ids=str)
def test_versions_are_described_where_one_may_be_waiting(reading, request_):
    by_hand = version(solutionVersionArn=OLD_VERSION, name="by-hand")
    reading.versions = [[OLD, NEW]]
    reading.described_versions = {VERSION: version(), OLD_VERSION: by_hand}
    reading.version_tags = {VERSION: API_TAGS, OLD_VERSION: []}
    seen = reading.read(request_)
    assert seen.named_versions == {VERSION_NAME: version(), "by-hand": by_hand}
    assert seen.trained_by_runs == {VERSION}, "by the tag"
    assert seen.verdicts == {}


def test_verdicts_of_versions_that_may_be_waiting_are_known(reading):
    reading.versions = [[NEW]]
    reading.described_versions = {VERSION: version()}
    rejected = {"tagKey": "retraining-verdict", "tagValue": "REJECTED"}
    reading.version_tags = {VERSION: [*API_TAGS, rejected]}
    assert reading.read({"resume": "x"}).verdicts == {VERSION: "REJECTED"}


@pytest.mark.parametrize("request_", [{}, {"skipImport": False}], ids=str)
def test_only_the_newest_active_version_is_described_where_none_is_looked_for(reading, request_):
    failed = {**NEW, "solutionVersionArn": f"{SOLUTION}/failed", "status": "CREATE FAILED"}
    reading.versions = [[OLD, NEW, {**failed, "creationDateTime": ago(0.5)}]]
    reading.described_versions = {VERSION: version()}
    reading.version_tags = {VERSION: []}
    assert reading.read(request_).named_versions == {VERSION_NAME: version()}


def test_of_two_versions_with_one_name_the_newer_counts(reading):
    reading.versions = [[OLD, NEW]]
    second = version(solutionVersionArn=OLD_VERSION)
    reading.described_versions = {VERSION: version(), OLD_VERSION: second}
    reading.version_tags = {VERSION: [], OLD_VERSION: []}
    assert reading.read({"skipImport": True}).named_versions == {VERSION_NAME: version()}


def test_a_version_without_a_name_is_passed_over(reading):
    nameless = version()
    del nameless["name"]
    reading.versions = [[NEW]]
    reading.described_versions = {VERSION: nameless}
    reading.version_tags = {VERSION: []}
    assert reading.read({"skipImport": True}).named_versions == {}


@pytest.mark.parametrize(
    ("request_", "adopted_as", "known"),
    [
        ({}, VERSION_NAME, True),
        ({"skipImport": True}, VERSION_NAME, True),
        ({"resume": RUN_ID}, VERSION_NAME, True),
        ({"resume": RUN_ID}, VERSION_NAME.replace(RUN_ID, "20261122T030000Z"), False),
        ({}, f"ffffffff{VERSION_NAME[8:]}", True),
        ({"resume": RUN_ID}, f"ffffffff{VERSION_NAME[8:]}", False),
    ],
    ids=[
        "newest",
        "no import",
        "of this run",
        "of another run",
        "of another stack",
        "of another stack's run",
    ],
)
def test_a_version_that_was_adopted_is_known_by_its_tag(reading, request_, adopted_as, known):
    theirs = version(name="by-hand")
    reading.versions = [[NEW]]
    reading.described_versions = {VERSION: theirs}
    reading.version_tags = {VERSION: [{"tagKey": "retraining-adopted-as", "tagValue": adopted_as}]}
    assert reading.read(request_).adopted == ({SOLUTION: theirs} if known else {})


def test_only_the_ten_newest_versions_are_described(reading):
    arns = [f"{SOLUTION}/{hours}" for hours in range(12)]
    reading.versions = [
        [
            version_summary(solutionVersionArn=arn, creationDateTime=ago(hours))
            for hours, arn in enumerate(arns)
        ]
    ]
    reading.described_versions = {
        arn: version(solutionVersionArn=arn, name=arn[-1]) for arn in arns[:10]
    }
    reading.version_tags = {arn: [] for arn in arns[:10]}
    named = reading.read({"skipImport": True}).named_versions
    assert list(named) == list("0123456789")


def test_a_solution_may_have_no_campaigns(reading):
    reading.campaigns = {}
    settings_ = settings(solutions=[solution_settings(campaigns=[])])
    assert reading.read(None, settings_) == replace(EMPTY, campaigns={})


# the schedule

SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}


@pytest.mark.parametrize(("created", "changed"), [(100, 2), (2, 100)])
def test_the_schedule_changed_when_it_was_created_or_last_modified(
    reading, scheduler, created, changed
):
    answer = {"CreationDate": ago(created), "LastModificationDate": ago(changed)}
    scheduler.says("get_schedule", answer, GroupName="group", Name="weekly")
    assert reading.read(SCHEDULED).schedule_changed_at == ago(2)


@pytest.mark.parametrize("missing", ["scheduledTime", "scheduleArn"])
def test_the_schedule_is_not_asked_where_it_did_not_start_the_run(reading, missing):
    request = {key: value for key, value in SCHEDULED.items() if key != missing}
    assert reading.read(request).schedule_changed_at is None


# errors


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("AccessDeniedException", ClientError)],
)
def test_errors_are_let_through(personalize, code, expected):
    personalize.refuses("describe_dataset", code, "no", datasetArn=DATASET)
    with pytest.raises(expected, match="no"):
        world.read(personalize.client, settings(), run(), datasets=[], solutions=[])
