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
    NOW,
    OLD_VERSION,
    RUN_ID,
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
    version_summary,
)


@pytest.fixture(autouse=True)
def other_modules(monkeypatch):
    """Replace the modules that read exports and imports. They have tests of their own."""

    def read_export(_, location, marker):
        return export(location=location, marker_written_at=marker)

    reader = SimpleNamespace(of_group=lambda *_: [*chain(*READ.values())])
    monkeypatch.setattr(world.aws, "s3", lambda: "s3")
    monkeypatch.setattr(world.exports, "read_export", read_export)
    monkeypatch.setattr(world, "ImportReader", lambda _: reader)
    monkeypatch.setattr(world, "earlier_exports", lambda *_: dict(EARLIER))
    READ.clear()
    EARLIER.clear()


READ, EARLIER = {}, {}
"""What the replaced modules return: dataset ARN -> imports, and day -> export."""


class Service:
    """The standard world as the API shows it. A test changes a part of it, and then reads it."""

    def __init__(self, personalize):
        self.personalize = personalize
        self.datasets = {DATASET: dataset_resource()}
        self.solutions = {SOLUTION: solution_resource()}
        self.groups = {GROUP: group_resource()}
        self.campaigns = {CAMPAIGN: campaign()}
        self.version_pages = [[]]
        """The pages of the versions of each solution."""
        self.version_tags = {}
        self.event_trackers = [[]]
        self.schemas = {DATASET: FIELDS}

    def read(self, request=None, settings_=None):
        """Expect the requests in the order in which they are sent, and return the world."""
        self._expect_descriptions("dataset", self.datasets)
        self._expect_descriptions("datasetGroup", self.groups)
        for arn in self._existing(self.groups):
            self._expect_list("eventTrackers", self.event_trackers, datasetGroupArn=arn)
        for fields in self.schemas.values():
            schema = json.dumps({"type": "record", "fields": fields})
            self.personalize.expect(
                "describe_schema", {"schema": {"schema": schema}}, schemaArn=SCHEMA
            )
        self._expect_descriptions("solution", self.solutions)
        for arn in self._existing(self.solutions):
            pages = self.version_pages
            self._expect_list("solutionVersions", pages, solutionArn=arn, maxResults=100)
        self._expect_tags(self.version_tags)
        self._expect_descriptions("campaign", self.campaigns)
        self._expect_tags({arn: [] if found else None for arn, found in self.campaigns.items()})
        return read_world(self.personalize.client, settings_ or settings(), run(request))

    def _existing(self, resources):
        return [arn for arn, resource in resources.items() if resource]

    def _expect_descriptions(self, key, resources):
        """Expect each resource to be described. None stands for a resource that does not exist."""
        for arn, resource in resources.items():
            operation, request = f"describe_{snake_case(key)}", {f"{key}Arn": arn}
            if resource:
                self.personalize.expect(operation, {key: resource}, **request)
            else:
                self.personalize.expect_error(operation, "ResourceNotFoundException", **request)

    def _expect_list(self, key, pages, **request):
        token = {}
        for number, items in enumerate(pages, start=1):
            next_token = {"nextToken": f"page {number + 1}"} if number < len(pages) else {}
            response = {key: list(items), **next_token}
            self.personalize.expect(f"list_{snake_case(key)}", response, **request, **token)
            token = next_token

    def _expect_tags(self, tags_by_arn):
        operation = "list_tags_for_resource"
        for arn, tags in tags_by_arn.items():
            if tags is None:
                code = "ResourceNotFoundException"
                self.personalize.expect_error(operation, code, resourceArn=arn)
            else:
                self.personalize.expect(operation, {"tags": tags}, resourceArn=arn)


def snake_case(key):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


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
    seen_solutions={
        SOLUTION: SeenSolution(config=config_digest(solution_resource()), imports=[], trainings=[])
    },
    campaigns={CAMPAIGN: campaign()},
    event_trackers=[],
    campaign_tags={CAMPAIGN: {}},
    known_versions={SOLUTION: {}},
)


def test_a_world_before_the_first_run_is_read(service):
    assert service.read() == EMPTY


def test_versions_are_read_to_their_last_page_and_sorted_newest_first(service):
    new = version_summary(solutionVersionArn=VERSION, creationDateTime=ago(1))
    service.version_pages = [[version_summary()], [new]]
    service.version_tags = {VERSION: api_tags({"retraining-run": RUN_ID}), OLD_VERSION: []}
    trainings = service.read().seen_solutions[SOLUTION].trainings
    assert [(item.arn, item.run) for item in trainings] == [(VERSION, RUN_ID), (OLD_VERSION, None)]


def test_the_imports_of_datasets_that_are_not_configured_are_read(service):
    READ[ITEMS] = [imported(dataset=ITEMS)]
    seen = service.read()
    assert seen.imports == {DATASET: [], ITEMS: READ[ITEMS]}
    assert seen.seen_solutions[SOLUTION].imports == READ[ITEMS]


@pytest.mark.parametrize(
    ("missing", "others", "fields"),
    [
        (
            "datasets",
            ("schemas", "groups"),
            ("datasets", "schemas", "dataset_groups", "imports", "earlier_exports"),
        ),
        ("solutions", (), ("solutions", "seen_solutions")),
        ("campaigns", (), ("campaigns", "campaign_tags")),
        ("groups", (), ("dataset_groups",)),
    ],
)
def test_a_resource_that_does_not_exist_is_left_out(service, missing, others, fields):
    setattr(service, missing, dict.fromkeys(getattr(service, missing)))
    for name in others:
        setattr(service, name, {})
    assert service.read() == replace(EMPTY, **{field: {} for field in fields})


def test_all_datasets_are_read_but_only_the_exports_to_import(service):
    items = items_settings(readyMarker="s3://exports/_SUCCESS")
    service.datasets[ITEMS] = dataset_resource(datasetArn=ITEMS)
    service.schemas[ITEMS] = FIELDS[1:2]
    both = settings(datasets=[dataset_settings(), items])
    of_items = export(location=items["dataLocation"], marker_written_at="s3://exports/_SUCCESS")
    assert service.read({"datasets": ["items"]}, both) == replace(
        EMPTY,
        datasets=service.datasets,
        schemas={DATASET: FIELDS, ITEMS: FIELDS[1:2]},
        imports={DATASET: [], ITEMS: []},
        exports={ITEMS: of_items},
        earlier_exports={ITEMS: {}},
    ), "the group of both datasets is read once"


def test_only_the_chosen_solutions_are_read(service):
    service.solutions = service.campaigns = {}
    without = ("solutions", "seen_solutions", "campaigns", "campaign_tags", "known_versions")
    chosen = service.read({"solutions": [f"{ARN}:solution/other"]})
    assert chosen == replace(EMPTY, **{field: {} for field in without})


def test_only_active_event_trackers_count(service):
    def tracker(name, status):
        return {"eventTrackerArn": f"{ARN}:event-tracker/{name}", "status": status}

    service.event_trackers = [
        [tracker("a", "ACTIVE"), tracker("b", "DELETE PENDING")],
        [tracker("c", "ACTIVE")],
    ]
    assert service.read().event_trackers == [f"{ARN}:event-tracker/{name}" for name in "ac"]


@pytest.mark.parametrize("day", [None, "2026-11-28"])
def test_an_import_that_holds_its_export_is_found_if_its_run_has_died(service, day):
    old_export = export(location="s3://exports/old.csv", objects=[s3_object(modified_at=ago(50))])
    old_fingerprint = seen_export(old_export, "FULL", SCHEMA).fingerprint
    job = held_import(is_held=False, planned=FINGERPRINT if day is None else old_fingerprint)
    if day is None:
        job = job._replace(created_at=ago(1), ended_at=ago(0.5))
    else:
        EARLIER[day] = old_export
    changed = held_import(arn="changed", is_held=False, planned="changed")
    known = held_import(arn="known")
    READ[DATASET] = [job, changed, known]
    seen = service.read()
    assert seen.imports == {DATASET: [job._replace(is_held=True), changed, known]}
    assert seen.found_held == {job.arn: job.planned}


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", Throttled), ("AccessDeniedException", ClientError)],
)
def test_any_other_error_ends_the_read(personalize, code, expected):
    personalize.expect_error("describe_dataset", code, "no", datasetArn=DATASET)
    with pytest.raises(expected, match="no"):
        read_world(personalize.client, settings(), run())
