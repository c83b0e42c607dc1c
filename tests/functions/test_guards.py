"""Tests of the guards of datasets, solutions and campaigns: what they find, and what they say."""

from collections import Counter
from pathlib import Path

import pytest

from docs import guards as page
from functions.planning.plan_run import GUARDS
from functions.planning.resource_guards import (
    allowed_automatic_training,
    automatic_deployment,
    inactive_datasets,
    refused_automatic_training,
    unknown_context,
    unknown_probe_users,
    unusable_filters,
    unusable_solution,
)
from tests.functions import samples as s
from tests.world import dataset_arn


def test_the_page_shows_the_guards():
    shown = Path(page.__file__).with_suffix(".md").read_text()
    assert shown == page.page(), "run: python -m docs.guards > docs/guards.md"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.name}, {guard.verdict}")
def test_the_docstring_of_a_guard_says_what_it_looks_for(guard):
    docstring = guard.check.__doc__
    assert docstring.startswith("Yield a message for "), "the page shows the rest"


# Resources exist and belong together


def test_every_resource_that_does_not_exist_is_found():
    absent = {"datasets": {}, "dataset_groups": {}, "solutions": {}, "campaigns": {}}
    missing = (dataset_arn("users"), s.DATASET)
    two = s.settings(datasets=[s.dataset_settings(datasetArn=arn) for arn in missing])
    without_import = {"request": {"skipImport": True}, "settings_": two}
    assert s.messages(inactive_datasets, **without_import, **absent) == [
        f"{arn}: does not exist; create it, or correct the ARN in the stack's config"
        for arn in missing
    ]
    assert s.messages(unusable_solution, **absent) == [
        f"{s.SOLUTION}: does not exist; create it, or correct the ARN in the stack's config",
        f"{s.CAMPAIGN}: does not exist; create it, or take it out of the stack's config",
    ]


@pytest.mark.parametrize("status", ["CREATE PENDING", "CREATE FAILED", "DELETE IN_PROGRESS"])
def test_every_resource_that_is_not_active_is_found(status):
    inactive = {
        "datasets": {s.DATASET: s.dataset_resource(status=status)},
        "dataset_groups": {s.GROUP: s.group_resource(status=status)},
        "solutions": {s.SOLUTION: s.solution_resource(status=status)},
    }
    assert [
        *s.messages(inactive_datasets, **inactive),
        *s.messages(unusable_solution, **inactive),
    ] == [
        f"{arn}: its status is {status}, but it has to be ACTIVE; wait if it is being created, "
        "otherwise repair it or take it out of the config"
        for arn in (s.DATASET, s.GROUP, s.SOLUTION)
    ]


BOOKS = f"{s.ARN}:dataset-group/books"
DELETED = f"{s.CAMPAIGN}: its status is DELETE PENDING; take it out of the stack's config"
STRAY = (
    f"{s.CAMPAIGN}: serves {s.SOLUTION}-2/1, which is not a version of {s.SOLUTION}; move the "
    "campaign to the solution of that version in the config"
)
OF_OTHER_GROUP = (
    f"{s.SOLUTION}: belongs to {BOOKS}, but the datasets of this stack belong to {s.GROUP}; "
    f"correct the ARN, or use another stack for {BOOKS}"
)


@pytest.mark.parametrize(
    ("resource", "changes", "message"),
    [
        (s.solution_resource, {"datasetGroupArn": BOOKS}, OF_OTHER_GROUP),
        (s.campaign, {"status": "DELETE PENDING"}, DELETED),
        (s.campaign, {"solutionVersionArn": f"{s.SOLUTION}-2/1"}, STRAY),
        (s.campaign, {"status": "CREATE PENDING"}, None),
        (s.campaign, {"status": "CREATE FAILED"}, None),
    ],
    ids=["other group", "deleted", "other solution", "waited for", "repaired by the update"],
)
def test_resources_that_do_not_belong_together_are_found(resource, changes, message):
    kind, arn = ("campaigns", s.CAMPAIGN) if resource is s.campaign else ("solutions", s.SOLUTION)
    found = s.messages(unusable_solution, **{kind: {arn: resource(**changes)}})
    assert found == ([message] if message else [])


# Automatic training

AUTOMATIC = s.solution_resource(performAutoTraining=True)


@pytest.mark.parametrize(
    ("setting", "guard"),
    [("warn", allowed_automatic_training), ("refuse", refused_automatic_training)],
)
def test_automatic_training_is_either_refused_or_a_warning(setting, guard):
    def found(guard, resource, **changes):
        known = {"settings_": s.settings(autoTraining=setting), "solutions": {s.SOLUTION: resource}}
        return s.messages(guard, **known, **changes)

    (other,) = {allowed_automatic_training, refused_automatic_training} - {guard}
    assert found(guard, AUTOMATIC) == [
        (
            f"{s.SOLUTION}: also trains automatically; turn that off with `aws personalize "
            f"update-solution --solution-arn {s.SOLUTION} --no-perform-auto-training`"
        )
    ]
    assert found(other, AUTOMATIC) == found(guard, s.solution_resource()) == []
    only = {"only": "deployments"}
    assert found(refused_automatic_training, AUTOMATIC, request=only) == [], "it trains nothing"


# Versions that go live by themselves

CONFIG = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
FOLLOWING = s.campaign(campaignConfig={**CONFIG, "syncWithLatestSolutionVersion": True})


@pytest.mark.parametrize("served", [s.OLD_VERSION, f"{s.SOLUTION}/$LATEST"])
def test_a_campaign_that_follows_the_newest_version_is_found(served):
    campaigns = {s.CAMPAIGN: {**FOLLOWING, "solutionVersionArn": served}}
    versions = [
        s.trained_version(is_active=False),
        s.trained_version(arn=s.OLD_VERSION, run=None),
        s.trained_version(),
    ]
    assert s.messages(automatic_deployment, campaigns=campaigns, trainings=versions) == [
        (
            f"{s.CAMPAIGN}: syncWithLatestSolutionVersion deploys versions before a run has judged "
            "them; turn it off with `aws personalize update-campaign --campaign-arn "
            f"{s.CAMPAIGN} --solution-version-arn {s.OLD_VERSION} --campaign-config "
            '\'{"itemExplorationConfig": {"explorationWeight": "0.3"}, '
            '"syncWithLatestSolutionVersion": false}\'`'
        )
    ]


def test_a_campaign_that_only_the_pipeline_updates_passes():
    not_following = {
        s.CAMPAIGN: s.campaign(campaignConfig={"syncWithLatestSolutionVersion": False})
    }
    for campaigns in ({}, {s.CAMPAIGN: s.campaign()}, not_following):
        assert s.messages(automatic_deployment, campaigns=campaigns) == []


# Probes

USER = {"userId": "u1", "minResults": 1, "minutes": 1}
FILTER = f"{s.ARN}:filter/unseen"
GENRES = "INCLUDE ItemID WHERE Items.GENRE IN ($GENRES)"


def about_filters(described, *probes):
    """Return the messages about the filter of probes with these fields, as it is described."""
    known = {"status": "ACTIVE", "datasetGroupArn": s.GROUP, "filterExpression": GENRES}
    values = {"filterValues": {"GENRES": '"Drama"'}}
    whole = ({**USER, "filterArn": FILTER, **values, **probe} for probe in probes)
    campaigns = [s.campaign_settings(probe=probe) for probe in whole]
    solution = s.solution_settings(campaigns=[*campaigns, s.campaign_settings()])
    filters = {} if described is None else {FILTER: {**known, **described}}
    return s.messages(unusable_filters, solution=solution, filters=filters)


def test_a_probe_has_to_give_its_filter_what_the_expression_needs():
    """tests/functions/test_filters.py has all that a filter may need."""
    assert about_filters({}, {}) == []
    assert about_filters({}, {"filterValues": {}}, {}) == [
        (
            f"{s.CAMPAIGN}: the probe has filterValues for nothing, but the filter needs GENRES; "
            "correct them"
        )
    ]


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({}, None),
        (None, "does not exist; create it, or correct the ARN in the stack's config"),
        ({"status": "CREATE FAILED"}, "its status is CREATE FAILED"),
        (
            {"datasetGroupArn": "other"},
            f"belongs to other, but the datasets of this stack belong to {s.GROUP}",
        ),
    ],
)
def test_a_filter_of_a_probe_has_to_be_active_and_of_the_group(described, message):
    found = about_filters(described, {}, {"filterArn": None})
    expected = f"{FILTER}: {message}"
    assert [expected in text for text in found] == ([True] if message else [])


def test_a_key_of_the_context_has_to_be_a_column_of_the_interactions():
    def found(context, *datasets):
        probe = {**USER, "context": context}
        campaigns = [s.campaign_settings(probe=probe), s.campaign_settings()]
        known = {"settings_": s.settings(datasets=list(datasets) or [s.dataset_settings()])}
        request = {"skipImport": True}
        solution = s.solution_settings(campaigns=campaigns)
        return s.messages(unknown_context, solution=solution, request=request, **known)

    assert found({"EVENT_VALUE": "1"}) == found({}) == []
    assert found({"EVENT_VALUE": "1", "DEVICE": "phone", "device": "phone"}) == [
        f"{s.CAMPAIGN}: the context of the probe has {key}, which is no column of the "
        "interactions; use one of USER_ID, ITEM_ID, EVENT_VALUE, TIMESTAMP"
        for key in ("DEVICE", "device")
    ]
    assert found({"DEVICE": "phone"}, s.items_settings()) == [], "its interactions are not known"


def test_a_probe_with_a_user_without_interactions_is_a_warning():
    def found(users, user="u1", **changes):
        probe = {"userId": user, "minResults": 1, "minutes": 1}
        solution = s.solution_settings(campaigns=[s.campaign_settings(probe=probe)])
        export = s.export(samples=[s.sample(values={"USER_ID": Counter(users)})])
        known = {"exports": {s.DATASET: export}, "solution": solution, **changes}
        return s.messages(unknown_probe_users, **known)

    (message,) = found(["u3", "u2"])
    assert message.startswith(f"{s.CAMPAIGN}: the user 'u1' of the probe has no interactions, so ")
    assert message.endswith("; name a user of the export, for example 'u2'")
    assert found(["u1"]) == found(["u2"], user=None) == found([]) == []
    assert found(["u2"], event_trackers=["tracker"]) == [], "events may have brought the user"
