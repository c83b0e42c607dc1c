"""Tests of the guards of datasets, solutions and campaigns: what they find, and what they say."""

import json
from collections import Counter
from pathlib import Path

import pytest

from docs import guards as page
from functions.planning import resource_guards
from functions.planning.plan_run import GUARDS
from functions.planning.resource_guards import (
    refuse_automatic_deployment,
    refuse_automatic_training,
    refuse_unknown_context,
    warn_of_automatic_training,
    warn_of_missing_training,
    warn_of_unknown_probe_users,
)
from tests.functions import samples as s
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    GROUP,
    ITEMS,
    OLD_VERSION,
    SOLUTION,
    campaign,
    campaign_settings,
    dataset_resource,
    dataset_settings,
    group_resource,
    items_settings,
    messages,
    sample,
    settings,
    solution_resource,
    solution_settings,
    trained_version,
)


def test_the_page_shows_the_guards():
    shown = Path(page.__file__).with_suffix(".md").read_text()
    assert shown == page.page(), "run: python -m docs.guards > docs/guards.md"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.name}, {guard.effect}")
def test_the_docstring_of_a_guard_says_what_it_looks_for(guard):
    docstring = guard.check.__doc__
    assert docstring.startswith("Yield a message for "), "the page shows the rest"


# Resources exist and belong together

USER = {"userId": "u1", "minResults": 1, "minutes": 1}
FILTER = f"{ARN}:filter/unseen"
DRAMA = {"filterArn": FILTER, "filterValues": {"GENRES": '"Drama"'}}
RESOURCES = {
    "dataset": ("datasets", DATASET, dataset_resource()),
    "group": ("dataset_groups", GROUP, group_resource()),
    "solution": ("solutions", SOLUTION, solution_resource()),
    "campaign": ("campaigns", CAMPAIGN, campaign()),
    "filter": (
        "filters",
        FILTER,
        {
            "status": "ACTIVE",
            "datasetGroupArn": GROUP,
            "filterExpression": "INCLUDE ItemID WHERE Items.GENRE IN ($GENRES)",
        },
    ),
}
"""What can be unusual -> where the world has it, its ARN, and what is usual."""


def test_golden_messages_about_resources(golden):
    """A question is a resource and what is unusual about it, or that it does not exist."""
    probed = campaign_settings(probe={**USER, **DRAMA, "context": {}})
    solution = solution_settings(campaigns=[probed])
    both = {
        "settings_": settings(datasets=[items_settings(), dataset_settings()]),
        "exports": {ITEMS: s.export(), DATASET: s.export()},
    }

    def answer(line):
        name, _, unusual = line.partition(" ")
        snapshot = {key: {arn: usual} for key, arn, usual in RESOURCES.values()}
        key, arn, usual = RESOURCES[name]
        snapshot[key] = {} if unusual == "is missing" else {arn: {**usual, **json.loads(unusual)}}
        snapshot["datasets"][ITEMS] = dataset_resource()

        return [
            f"{guard.effect} {message}".replace(f"{ARN}:", "")
            for guard in GUARDS
            if guard.check.__module__ == resource_guards.__name__
            for message in messages(guard, solution=solution, **both, **snapshot)
        ]

    golden.answers("resources.txt", answer)


# Automatic training


@pytest.mark.parametrize(
    "setting, request_, counts",
    [
        ("refuse", {}, (1, 0)),
        ("refuse", {"only": "deployments"}, (0, 0)),
        ("warn", {}, (0, 1)),
        ("warn", {"only": "deployments"}, (0, 1)),
    ],
)
def test_automatic_training_is_either_refused_or_a_warning(setting, request_, counts):
    """A run that only deploys trains nothing, so it is not refused."""
    known = {
        "request": request_,
        "settings_": settings(autoTraining=setting),
        "solutions": solution_resource(performAutoTraining=True),
    }
    guards = (refuse_automatic_training, warn_of_automatic_training)

    assert tuple(len(messages(guard, **known)) for guard in guards) == counts


@pytest.mark.parametrize(
    "trained_by, is_automatic, counts",
    [
        ("pipeline", True, (1, 0)),
        ("pipeline", False, (0, 0)),
        ("personalize", True, (0, 0)),
        ("personalize", False, (0, 1)),
    ],
)
def test_either_the_pipeline_or_personalize_trains_a_solution(trained_by, is_automatic, counts):
    known = {
        "solution": solution_settings(trainedBy=trained_by),
        "solutions": solution_resource(performAutoTraining=is_automatic),
    }
    guards = (warn_of_automatic_training, warn_of_missing_training)
    assert tuple(len(messages(guard, **known)) for guard in guards) == counts
    assert messages(warn_of_missing_training, **{**known, "solutions": {}}) == [], "it is refused"


# Versions that go live by themselves

CONFIG = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
FOLLOWING = campaign(campaignConfig={**CONFIG, "syncWithLatestSolutionVersion": True})


@pytest.mark.parametrize("served", [OLD_VERSION, f"{SOLUTION}/$LATEST"])
def test_a_campaign_that_follows_the_newest_version_is_found(served):
    campaigns = {CAMPAIGN: {**FOLLOWING, "solutionVersionArn": served}}
    versions = [
        trained_version(is_active=False),
        trained_version(arn=OLD_VERSION, run_id=None),
        trained_version(),
    ]

    assert messages(refuse_automatic_deployment, campaigns=campaigns, trainings=versions) == [
        (
            f"{CAMPAIGN}: syncWithLatestSolutionVersion deploys versions before a run has judged "
            "them; turn it off: `aws personalize update-campaign --campaign-arn "
            f"{CAMPAIGN} --solution-version-arn {OLD_VERSION} --campaign-config "
            '\'{"itemExplorationConfig": {"explorationWeight": "0.3"}, '
            '"syncWithLatestSolutionVersion": false}\'`'
        )
    ]


# Probes


def test_a_key_of_the_context_has_to_be_a_column_of_the_interactions():
    def found(context, *datasets):
        probe = {**USER, "context": context}
        campaigns = [campaign_settings(probe=probe), campaign_settings()]
        known = {"settings_": settings(datasets=list(datasets) or [dataset_settings()])}
        request = {"skipImport": True}
        solution = solution_settings(campaigns=campaigns)

        return messages(refuse_unknown_context, solution=solution, request=request, **known)

    assert found({"EVENT_VALUE": "1"}) == found({}) == []
    assert found({"EVENT_VALUE": "1", "DEVICE": "phone", "device": "phone"}) == [
        f"{CAMPAIGN}: the context of the probe has {key}, which is no column of the "
        "interactions; use one of USER_ID, ITEM_ID, EVENT_VALUE, TIMESTAMP"
        for key in ("DEVICE", "device")
    ]
    assert found({"DEVICE": "phone"}, items_settings()) == [], "its interactions are not known"


def test_a_probe_with_a_user_without_interactions_is_a_warning():
    def found(users, user="u1", **changes):
        probe = {"userId": user, "minResults": 1, "minutes": 1}
        solution = solution_settings(campaigns=[campaign_settings(probe=probe)])
        export = s.export(samples=[sample(value_counts={"USER_ID": Counter(users)})])
        known = {"exports": export, "solution": solution, **changes}

        return messages(warn_of_unknown_probe_users, **known)

    (message,) = found(["u3", "u2"])
    assert message.startswith(f"{CAMPAIGN}: the user 'u1' of the probe has no interactions, so ")
    assert message.endswith("; name a user of the export, for example 'u2'")
    assert found(["u1"]) == found(["u2"], user=None) == found([]) == []
    assert found(["u2"], event_tracker_arns=["tracker"]) == [], "events may have brought the user"
