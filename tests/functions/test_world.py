"""Tests of the world that planning reads: every list to its end, newest first, each fact once."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.errors import Throttled
from functions.personalize.digest import digest_of
from functions.personalize.fingerprint import seen_export
from functions.personalize.tags import api_tags
from functions.personalize.trained_versions import Learned, TrainedVersion
from functions.planning import world
from functions.planning.situation import datasets_to_import
from functions.planning.world import World, read_world
from tests.functions.samples import (
    API_TAGS,
    ARN,
    CAMPAIGN,
    DATASET,
    FIELDS,
    FINGERPRINT,
    GROUP,
    ITEMS,
    LOCATION,
    NOW,
    OLD_VERSION,
    PREFIX,
    RECIPE,
    RUN_ID,
    SCHEDULE,
    SCHEMA,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    dataset_resource,
    dataset_settings,
    export,
    group_resource,
    held_import,
    import_summary,
    items_settings,
    limits,
    run,
    s3_object,
    settings,
    solution_resource,
    solution_settings,
    version,
    version_summary,
)

DIGEST = f"{'0' * 24}-{'0' * 8}"
OLD = version_summary()
NEW = version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1))


@pytest.fixture(autouse=True)
def other_modules(monkeypatch):
    """Replace the modules that read exports and imports. They have tests of their own."""
    monkeypatch.setattr(world.aws, "s3", lambda: "s3")
    monkeypatch.setattr(
        world.exports,
        "read_export",
        lambda _, location, marker: export(location=location, marker_written_at=marker),
    )
    monkeypatch.setattr(
        world,
        "ImportReader",
        lambda _: SimpleNamespace(of_dataset=lambda arn, _: READ.get(arn, [])),
    )
    monkeypatch.setattr(world, "earlier_exports", lambda *_: dict(EARLIER))
    READ.clear()
    EARLIER.clear()


READ, EARLIER = {}, {}
"""What the replaced modules return: dataset ARN -> imports, and day -> export."""


def expect_pages(personalize, operation, key, pages, **request):
    """Expect the requests of a list, page by page."""
    token = {}
    for number, items in enumerate(pages, start=1):
        next_token = {"nextToken": f"page {number + 1}"} if number < len(pages) else {}
        personalize.expect(operation, {key: list(items), **next_token}, **request, **token)
        token = next_token


class Service:
    """The standard world as the API shows it. A test changes a part of it, and then reads it."""

    def __init__(self, personalize):
        self.personalize = personalize
        self.datasets = {DATASET: dataset_resource()}
        self.solutions = {SOLUTION: solution_resource()}
        self.groups = {GROUP: group_resource()}
        self.campaigns = {CAMPAIGN: campaign()}
        self.campaign_tags = {CAMPAIGN: []}
        self.imports = {DATASET: [[]]}
        """Dataset ARN -> the pages of its import jobs."""
        self.present = {}
        """Import job ARN -> the description of a job that the list shows as running."""
        self.versions = [[]]
        """The pages of the versions of each solution."""
        self.described_versions = {}
        """Version ARN -> description, in the order in which the versions are described."""
        self.version_tags = {}
        self.counted_tags = {}
        """Version ARN -> tags that are read to count the trainings of a month."""
        self.event_trackers = [[]]
        self.schemas = {DATASET: FIELDS}
        self.unconfigured = []
        """The ARNs of the datasets of the group that are not configured."""

    def read(self, request=None, settings_=None, datasets=None):
        """Expect the requests in the order in which they are sent, and return the world."""
        settings_ = settings_ or settings()
        self._expect_descriptions("solution", self.solutions)
        self._expect_descriptions("campaign", self.campaigns)
        self._expect_descriptions("dataset", self.datasets)
        self._expect_descriptions("dataset_group", self.groups)
        for arn in self._existing(self.groups):
            arns = [*self._existing(self.datasets), *self.unconfigured]
            listed = [{"datasetArn": dataset_arn} for dataset_arn in arns]
            self._expect_list("datasets", [listed], datasetGroupArn=arn, maxResults=100)
            for dataset_arn in arns:
                self._expect_imports(dataset_arn)
        for arn in self._existing(self.groups):
            self._expect_list("event_trackers", self.event_trackers, datasetGroupArn=arn)
        for fields in self.schemas.values():
            schema = json.dumps({"type": "record", "fields": fields})
            self.personalize.expect(
                "describe_schema", {"schema": {"schema": schema}}, schemaArn=SCHEMA
            )
        for arn in self._existing(self.solutions):
            self._expect_list("solution_versions", self.versions, solutionArn=arn, maxResults=100)
        for arn, tags in self.version_tags.items():
            self._expect_tags({arn: tags})
            if arn in self.described_versions:
                self._expect_descriptions("solution_version", {arn: self.described_versions[arn]})
        self._expect_tags(self.counted_tags)
        self._expect_tags(self.campaign_tags)
        return read_world(
            self.personalize.client,
            settings_,
            run(request),
            datasets=datasets_to_import(settings_, run()) if datasets is None else datasets,
            solutions=settings_["solutions"],
        )

    def _expect_imports(self, arn):
        """Expect the import jobs of a dataset, and a description of those that are running."""
        pages = self.imports.get(arn, [[]])
        self._expect_list("dataset_import_jobs", pages, datasetArn=arn, maxResults=100)
        for job in (job for page in pages for job in page if job["status"] == "CREATE IN_PROGRESS"):
            self.personalize.expect(
                "describe_dataset_import_job",
                {"datasetImportJob": self.present.get(job["datasetImportJobArn"], job)},
                datasetImportJobArn=job["datasetImportJobArn"],
            )

    def _existing(self, resources):
        return [arn for arn, resource in resources.items() if resource]

    def _expect_descriptions(self, noun, resources):
        """Expect each resource to be described. None stands for a resource that does not exist."""
        first, *others = noun.split("_")
        key = first + "".join(other.title() for other in others)
        for arn, resource in resources.items():
            operation, request = f"describe_{noun}", {f"{key}Arn": arn}
            if resource:
                self.personalize.expect(operation, {key: resource}, **request)
            else:
                self.personalize.expect_error(operation, "ResourceNotFoundException", **request)

    def _expect_list(self, nouns, pages, **request):
        first, *others = nouns.split("_")
        key = first + "".join(other.title() for other in others)
        expect_pages(self.personalize, f"list_{nouns}", key, pages, **request)

    def _expect_tags(self, tags_by_arn):
        for arn, tags in tags_by_arn.items():
            self.personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)


@pytest.fixture
def service(personalize):
    return Service(personalize)


EMPTY = World(
    now=NOW,
    dataset_groups={GROUP: group_resource()},
    datasets={DATASET: dataset_resource()},
    schemas={DATASET: FIELDS},
    import_jobs={DATASET: []},
    imports={DATASET: []},
    exports={DATASET: export()},
    earlier_exports={DATASET: {}},
    solutions={SOLUTION: solution_resource()},
    versions={SOLUTION: []},
    trained_versions={SOLUTION: []},
    trainings_of_last_month={SOLUTION: 0},
    campaigns={CAMPAIGN: campaign()},
    event_trackers=[],
    campaign_tags={CAMPAIGN: {}},
)


def test_a_world_before_the_first_run_is_read(service):
    assert service.read() == EMPTY


OWN = import_summary(
    jobName=f"{PREFIX}-tuesday-interactions-1",
    datasetImportJobArn=f"{ARN}:dataset-import-job/tuesday",
    creationDateTime=ago(24),
)
OWN_ARN = OWN["datasetImportJobArn"]
FOREIGN = {**import_summary(), "creationDateTime": ago(1)}
FOREIGN_TAG = {"tagKey": "team", "tagValue": "analytics"}


def test_lists_are_read_to_their_last_page_and_sorted_newest_first(service):
    service.versions = [[OLD], [NEW]]
    service.imports = {DATASET: [[import_summary()], [OWN]]}
    service.described_versions = {VERSION: version()}
    service.version_tags = {VERSION: []}
    seen = service.read()
    assert seen.import_jobs == {DATASET: [OWN, import_summary()]}
    assert seen.versions == {SOLUTION: [NEW, OLD]}


def test_the_imports_of_datasets_that_are_not_configured_are_listed(service):
    service.unconfigured = [ITEMS]
    service.imports = {DATASET: [[]], ITEMS: [[OWN]]}
    seen = service.read()
    assert seen.import_jobs == {DATASET: [], ITEMS: [OWN]}


def test_an_import_that_the_list_shows_as_running_is_described(service):
    service.imports = {DATASET: [[{**OWN, "status": "CREATE IN_PROGRESS"}]]}
    service.present = {OWN_ARN: {**OWN, "lastUpdatedDateTime": ago(1)}}
    seen = service.read()
    assert seen.import_jobs == {DATASET: [{**OWN, "lastUpdatedDateTime": ago(1)}]}


@pytest.mark.parametrize("missing", ["datasets", "solutions", "campaigns"])
def test_a_resource_that_does_not_exist_is_left_out(service, missing):
    setattr(service, missing, dict.fromkeys(getattr(service, missing)))
    without = {missing: {}}
    if missing == "campaigns":
        service.campaign_tags = {}
        without |= {"campaign_tags": {}}
    if missing == "datasets":
        service.imports, service.schemas, service.groups = {}, {}, {}
        without |= {"import_jobs": {}, "schemas": {}, "dataset_groups": {}}
        without |= {"imports": {}, "earlier_exports": {}}
    if missing == "solutions":
        without |= {"versions": {}, "trained_versions": {}, "trainings_of_last_month": {}}
    assert service.read() == replace(EMPTY, **without)


def test_a_group_that_does_not_exist_is_left_out_with_its_event_trackers(service):
    service.groups = {GROUP: None}
    assert service.read() == replace(EMPTY, dataset_groups={}, import_jobs={})


def test_all_datasets_are_read_but_only_the_exports_to_import(service):
    items = items_settings(dataLocation=LOCATION, readyMarker="s3://exports/_SUCCESS")
    service.datasets[ITEMS] = dataset_resource(datasetArn=ITEMS)
    service.imports[ITEMS] = [[]]
    service.schemas[ITEMS] = FIELDS[1:2]
    both = settings(datasets=[dataset_settings(), items])
    assert service.read(None, both, [{**items, "day": None}]) == replace(
        EMPTY,
        datasets=service.datasets,
        import_jobs={DATASET: [], ITEMS: []},
        schemas={DATASET: FIELDS, ITEMS: FIELDS[1:2]},
        imports={DATASET: [], ITEMS: []},
        exports={ITEMS: export(marker_written_at="s3://exports/_SUCCESS")},
        earlier_exports={ITEMS: {}},
    ), "the group of both datasets is read once"


def test_only_active_event_trackers_count(service):
    def tracker(name, status):
        return {"eventTrackerArn": f"{ARN}:event-tracker/{name}", "status": status}

    service.event_trackers = [
        [tracker("a", "ACTIVE"), tracker("b", "DELETE PENDING")],
        [tracker("c", "ACTIVE")],
    ]
    assert service.read().event_trackers == [f"{ARN}:event-tracker/{name}" for name in "ac"]


# Imports that hold their exports


@pytest.mark.parametrize("day", [None, "2026-11-28"])
def test_an_import_that_holds_its_export_is_found_if_its_run_has_died(service, day):
    old_export = seen_export(export(objects=[s3_object(modified_at=ago(50))]), "FULL", SCHEMA)
    job = held_import(is_held=False, planned=FINGERPRINT if day is None else "other")
    if day is None:
        job = job._replace(created_at=ago(1), ended_at=ago(0.5))
    else:
        EARLIER[day] = old_export._replace(fingerprint="other")
    changed = held_import(is_held=False, planned="changed")
    known = held_import(arn="known")
    READ[DATASET] = [job, changed, known]
    seen = service.read()
    assert seen.imports == {DATASET: [job._replace(is_held=True), changed, known]}
    assert seen.found_held == {job.arn: job.planned}


# Versions


def test_a_version_that_has_learned_the_newest_imports_is_read(service):
    service.imports = {DATASET: [[import_summary()]]}
    service.versions = [[OLD, NEW]]
    learned = {"retraining-run": RUN_ID, "retraining-digest": DIGEST, "retraining-mixed": "false"}
    service.version_tags = {VERSION: api_tags(learned)}
    service.campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    service.campaign_tags = {CAMPAIGN: api_tags({"retraining-good": VERSION})}
    (seen,) = service.read().trained_versions[SOLUTION]
    assert seen == TrainedVersion(
        arn=VERSION,
        solution_arn=SOLUTION,
        status="ACTIVE",
        mode="FULL",
        created_at=ago(1),
        ended_at=ago(70),
        tags=learned,
        learned=Learned(digest=DIGEST, is_mixed=False),
    ), "the older version cannot have learned the import"


def test_a_version_without_a_record_is_described(service):
    service.versions = [[NEW]]
    service.version_tags = {VERSION: []}
    service.described_versions = {VERSION: version(recipeArn=RECIPE)}
    (seen,) = service.read().trained_versions[SOLUTION]
    assert seen.status == "CREATE IN_PROGRESS", "the list is older than the description"
    assert seen.learned == Learned(digest=digest_of({}, solution_resource(), NOW), is_mixed=False)
    assert (seen.is_known, seen.is_foreign, seen.is_recorded) == (False, True, False)


def test_the_newest_active_version_is_read_although_an_import_is_newer(service):
    service.imports = {DATASET: [[{**OWN, "lastUpdatedDateTime": ago(0.5)}]]}
    service.versions = [[OLD, NEW]]
    service.version_tags = {VERSION: []}
    service.described_versions = {VERSION: version(status="ACTIVE", recipeArn=RECIPE)}
    (seen,) = service.read().trained_versions[SOLUTION]
    assert seen.arn == VERSION


def test_only_the_twenty_newest_versions_are_read(service):
    arns = [f"{SOLUTION}/{hours}" for hours in range(22)]
    service.versions = [
        [
            version_summary(solutionVersionArn=arn, creationDateTime=ago(hours))
            for hours, arn in enumerate(arns)
        ]
    ]
    service.version_tags = {arn: [] for arn in arns[:20]}
    service.described_versions = {arn: version(solutionVersionArn=arn) for arn in arns[:20]}
    assert len(service.read().trained_versions[SOLUTION]) == 20


@pytest.mark.parametrize(
    ("limit", "count"), [(0, 0), (1, 1), (2, 1), (3, 0)], ids=["none", "one", "two", "three"]
)
def test_the_trainings_of_a_month_are_counted_if_the_limit_may_be_reached(service, limit, count):
    failed = {**NEW, "solutionVersionArn": f"{SOLUTION}/failed", "status": "CREATE FAILED"}
    failed["creationDateTime"] = ago(0.5)
    last_month = {
        **OLD,
        "solutionVersionArn": f"{SOLUTION}/before",
        "creationDateTime": ago(30 * 24),
    }
    service.versions = [[NEW, failed, OLD, last_month]]
    newest_first = [failed, NEW, OLD, last_month]
    service.version_tags = {item["solutionVersionArn"]: [] for item in newest_first}
    service.described_versions = {arn: version() for arn in service.version_tags}
    recent = {VERSION: API_TAGS, OLD_VERSION: []}
    service.counted_tags = recent if 0 < limit < 3 else {}
    seen = service.read(settings_=limits(maxTrainingsPerMonth=limit))
    assert seen.trainings_of_last_month == {SOLUTION: count}


def test_a_solution_may_have_no_campaigns(service):
    service.campaigns, service.campaign_tags = {}, {}
    settings_ = settings(solutions=[solution_settings(campaigns=[])])
    assert service.read(None, settings_) == replace(EMPTY, campaigns={}, campaign_tags={})


# The schedule

SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}


@pytest.mark.parametrize(("created", "changed"), [(100, 2), (2, 100)])
def test_the_schedule_changed_when_it_was_created_or_last_modified(
    service, scheduler, created, changed
):
    response = {"CreationDate": ago(created), "LastModificationDate": ago(changed)}
    scheduler.expect("get_schedule", response, GroupName="group", Name="weekly")
    assert service.read(SCHEDULED).schedule_changed_at == ago(2)


@pytest.mark.parametrize("missing", ["scheduledTime", "scheduleArn"])
def test_the_schedule_is_not_read_if_it_did_not_start_the_run(service, missing):
    request = {key: value for key, value in SCHEDULED.items() if key != missing}
    assert service.read(request).schedule_changed_at is None


# Errors


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("AccessDeniedException", ClientError)],
)
def test_any_other_error_ends_the_read(personalize, code, expected):
    personalize.expect_error("describe_dataset", code, "no", datasetArn=DATASET)
    with pytest.raises(expected, match="no"):
        read_world(personalize.client, settings(), run(), datasets=[], solutions=[])
