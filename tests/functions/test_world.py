"""Tests of the world that planning reads: every list to its end, newest first, each fact once."""

import json
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.errors import Throttled
from functions.personalize.imports import seen_export
from functions.personalize.tags import api_tags
from functions.personalize.trainings import config_digest
from functions.planning import world
from functions.planning.situation import datasets_to_import
from functions.planning.world import World, read_world
from functions.rules.trainings import SeenSolution
from tests.functions.samples import (
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
    imported,
    items_settings,
    run,
    s3_object,
    settings,
    solution_resource,
    solution_settings,
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
        lambda _: SimpleNamespace(of_group=lambda *_: [*chain(*READ.values())]),
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
        self.versions = [[]]
        """The pages of the versions of each solution."""
        self.version_tags = {}
        self.event_trackers = [[]]
        self.schemas = {DATASET: FIELDS}

    def read(self, request=None, settings_=None, datasets=None):
        """Expect the requests in the order in which they are sent, and return the world."""
        settings_ = settings_ or settings()
        self._expect_descriptions("solution", self.solutions)
        self._expect_descriptions("campaign", self.campaigns)
        self._expect_descriptions("dataset", self.datasets)
        self._expect_descriptions("dataset_group", self.groups)
        for arn in self._existing(self.groups):
            self._expect_list("event_trackers", self.event_trackers, datasetGroupArn=arn)
        for fields in self.schemas.values():
            schema = json.dumps({"type": "record", "fields": fields})
            self.personalize.expect(
                "describe_schema", {"schema": {"schema": schema}}, schemaArn=SCHEMA
            )
        for arn in self._existing(self.solutions):
            self._expect_list("solution_versions", self.versions, solutionArn=arn, maxResults=100)
        self._expect_tags(self.version_tags)
        self._expect_tags(self.campaign_tags)
        return read_world(
            self.personalize.client,
            settings_,
            run(request),
            datasets=datasets_to_import(settings_, run()) if datasets is None else datasets,
            solutions=settings_["solutions"],
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
    imports={DATASET: []},
    exports={DATASET: export()},
    earlier_exports={DATASET: {}},
    solutions={SOLUTION: solution_resource()},
    versions={SOLUTION: []},
    seen_solutions={
        SOLUTION: SeenSolution(config=config_digest(solution_resource()), imports=[], trainings=[])
    },
    campaigns={CAMPAIGN: campaign()},
    event_trackers=[],
    campaign_tags={CAMPAIGN: {}},
)


def test_a_world_before_the_first_run_is_read(service):
    assert service.read() == EMPTY


def test_lists_are_read_to_their_last_page_and_sorted_newest_first(service):
    service.versions = [[OLD], [NEW]]
    service.version_tags = {VERSION: api_tags({"retraining-run": RUN_ID}), OLD_VERSION: []}
    service.campaigns = {CAMPAIGN: campaign(solutionVersionArn=VERSION)}
    service.campaign_tags = {CAMPAIGN: api_tags({"retraining-good": VERSION})}
    seen = service.read()
    assert seen.versions == {SOLUTION: [NEW, OLD]}
    new, old = seen.seen_solutions[SOLUTION].trainings
    assert (new.arn, new.run, old.arn) == (VERSION, RUN_ID, OLD_VERSION)
    assert seen.version_tags == {VERSION: {"retraining-run": RUN_ID}, OLD_VERSION: {}}


def test_the_imports_of_datasets_that_are_not_configured_are_read(service):
    READ[ITEMS] = [imported(dataset=ITEMS)]
    seen = service.read()
    assert seen.imports == {DATASET: [], ITEMS: READ[ITEMS]}
    assert seen.seen_solutions[SOLUTION].imports == READ[ITEMS]


@pytest.mark.parametrize("missing", ["datasets", "solutions", "campaigns"])
def test_a_resource_that_does_not_exist_is_left_out(service, missing):
    setattr(service, missing, dict.fromkeys(getattr(service, missing)))
    without = {missing: {}}
    if missing == "campaigns":
        service.campaign_tags = {}
        without |= {"campaign_tags": {}}
    if missing == "datasets":
        service.schemas, service.groups = {}, {}
        without |= {"schemas": {}, "dataset_groups": {}}
        without |= {"imports": {}, "earlier_exports": {}}
    if missing == "solutions":
        without |= {"versions": {}, "seen_solutions": {}}
    assert service.read() == replace(EMPTY, **without)


def test_a_group_that_does_not_exist_is_left_out_with_its_event_trackers(service):
    service.groups = {GROUP: None}
    assert service.read() == replace(EMPTY, dataset_groups={})


def test_all_datasets_are_read_but_only_the_exports_to_import(service):
    items = items_settings(dataLocation=LOCATION, readyMarker="s3://exports/_SUCCESS")
    service.datasets[ITEMS] = dataset_resource(datasetArn=ITEMS)
    service.schemas[ITEMS] = FIELDS[1:2]
    both = settings(datasets=[dataset_settings(), items])
    assert service.read(None, both, [{**items, "day": None}]) == replace(
        EMPTY,
        datasets=service.datasets,
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
    old_export = export(location="s3://exports/old.csv", objects=[s3_object(modified_at=ago(50))])
    old_fingerprint = seen_export(old_export, "FULL", SCHEMA).fingerprint
    job = held_import(is_held=False, planned=FINGERPRINT if day is None else old_fingerprint)
    if day is None:
        job = job._replace(created_at=ago(1), ended_at=ago(0.5))
    else:
        EARLIER[day] = old_export
    changed = held_import(is_held=False, planned="changed")
    known = held_import(arn="known")
    READ[DATASET] = [job, changed, known]
    seen = service.read()
    assert seen.imports == {DATASET: [job._replace(is_held=True), changed, known]}
    assert seen.found_held == {job.arn: job.planned}


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
