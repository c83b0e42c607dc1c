"""Proves that any config is either read or refused with a SettingsError."""

from hypothesis import given
from hypothesis import strategies as st

from components.args import RetrainingPipelineArgs
from components.rules.pipeline import check
from components.workflow_settings import workflow_settings
from tests.program.sample_stack import (
    CAMPAIGN,
    CONFIG,
    CONFIG_KEYS,
    HOME,
    ITEMS,
    SOLUTION,
    USERS,
    changed,
)

DATASET = st.fixed_dictionaries(
    {
        "datasetArn": st.just(USERS),
        "dataLocation": st.sampled_from(["s3://abc/u.csv", "s3://abc/u/", "s3://abc/{date}/"]),
    },
    optional={
        "importMode": st.sampled_from(["FULL", "INCREMENTAL"]),
        "minRelativeSize": st.floats(0, 1),
        "readyMarker": st.sampled_from(["s3://abc/_SUCCESS", "s3://marks/{date}/users"]),
    },
)
ITEMS_DATASET = DATASET.map(
    lambda users: {
        **users,
        "datasetArn": ITEMS,
        "dataLocation": users["dataLocation"].replace("abc", "abc-items"),
    }
)
METRICS = ["coverage", "precision_at_5", "normalized_discounted_cumulative_gain_at_25"]
RULE = st.fixed_dictionaries(
    {"metric": st.sampled_from(METRICS), "maxDrop": st.floats(0, 1)},
    optional={"minimum": st.floats(0.01, 1)},
)
GATE = st.lists(RULE, min_size=1, unique_by=lambda rule: rule["metric"])
UNSET_PROBE = {"userId": None, "itemId": None, "inputList": None, "minResults": 1, "minutes": 10}
"""The settings of a probe that sets nothing."""
DEFAULT_GATE = [{"metric": "normalized_discounted_cumulative_gain_at_10", "maxDrop": 0.25}]
IDS = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1, max_size=9)
PROBE = st.one_of(
    st.fixed_dictionaries(request, optional={"minutes": st.floats(0.1, 1440)})
    for request in (
        {"userId": IDS, "minResults": st.integers(1, 500)},
        {"itemId": IDS},
        {"userId": IDS, "inputList": st.lists(IDS, min_size=1, max_size=5)},
    )
)
SOLUTION_OPTIONS = {
    "qualityGate": GATE,
    "qualityGateEnabled": st.booleans() | st.sampled_from(["true", "false"]),
    "campaigns": st.fixed_dictionaries(
        {"campaignArn": st.just(CAMPAIGN)}, optional={"probe": PROBE}
    ).map(lambda campaign: [campaign]),
}
PLACES = [
    *CONFIG,
    "datasets.items",
    "datasets.users.dataLocation",
    "datasets.users.readyMarker",
    "limits.maxImportHours",
    "limits.maxTrainingsPerMonth",
    "solutions[0]",
    "solutions[1]",
    "solutions[0].qualityGate",
    "solutions[0].qualityGate[0]",
    "solutions[0].campaigns",
    "solutions[0].campaigns[0].probe",
    "solutions[0].campaigns[0].probe.inputList",
    "solutions[0].trainingMode",
    "tags.team",
    "anything",
]
TEXTS = ["", "7 days", "cron(0 3 * * ? *)", "UPDATE", "true", "90", "s3://bucket/x.csv"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([*TEXTS, SOLUTION, CAMPAIGN, USERS, f"{SOLUTION}/1"])
    | st.text(max_size=8)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(CONFIG_KEYS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


def solutions(names):
    """Return solutions with these names. Only the first one has options and so the campaign."""
    first, *others = [{"solutionArn": f"{HOME}:solution/{name}"} for name in names]
    required = {key: st.just(value) for key, value in first.items()}
    return st.fixed_dictionaries(required, optional=SOLUTION_OPTIONS).map(
        lambda solution: [solution, *others]
    )


@given(st.dictionaries(st.sampled_from(CONFIG_KEYS) | st.text(max_size=5), JSON, max_size=4))
def test_any_mapping_is_read_or_refused_with_a_settings_error(config):
    assert_read_or_refused(config)


@given(st.sampled_from(PLACES), JSON)
def test_any_change_of_the_sample_is_read_or_refused_with_a_settings_error(place, value):
    assert_read_or_refused(changed({place: value}))


@given(
    st.fixed_dictionaries(
        {
            "datasets": st.fixed_dictionaries(
                {"users": DATASET}, optional={"items": ITEMS_DATASET}
            ),
            "solutions": st.lists(
                st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True
            ).flatmap(solutions),
        },
        optional={
            "retrainingRate": st.integers(2, 365).map(lambda days: f"{days} days"),
            "paused": st.booleans() | st.sampled_from(["true", "false"]),
            "skipWhenUnchanged": st.booleans(),
            "autoTraining": st.sampled_from(["warn", "refuse"]),
            "limits": st.fixed_dictionaries(
                {},
                optional={
                    "maxImportHours": st.floats(0.1, 72) | st.integers(1, 72).map(str),
                    "maxTrainingsPerMonth": st.integers(min_value=0),
                },
            ),
            "tags": st.dictionaries(
                st.text("abc:/=+-@ _.é", min_size=1, max_size=128),
                st.text("ü1 :", min_size=1, max_size=256),
                max_size=30,
            ),
        },
    )
)
def test_any_valid_config_is_read_and_reaches_the_settings_of_the_workflow(config):
    args = read(config)
    assert isinstance(args, RetrainingPipelineArgs)
    assert_read_or_refused(config)
    settings_of_solutions = settings_of(args)["solutions"]
    for solution, expected in zip(settings_of_solutions, config["solutions"], strict=True):
        enabled = expected.get("qualityGateEnabled", True) in (True, "true")
        rules = expected.get("qualityGate", DEFAULT_GATE) if enabled else []
        assert solution["qualityGate"] == [
            {"maxDrop": None, "minimum": None, **rule} for rule in rules
        ]
        probes = [campaign.get("probe") for campaign in expected.get("campaigns", [])]
        assert [campaign["probe"] for campaign in solution["campaigns"]] == [
            probe and {**UNSET_PROBE, **probe} for probe in probes
        ]


def assert_read_or_refused(config):
    outcome = read(config)
    if isinstance(outcome, list):
        assert all(problem.message for problem in outcome)
        return
    workflow_settings = settings_of(outcome)
    assert {
        dataset["type"]: dataset["datasetArn"] for dataset in workflow_settings["datasets"]
    } == {key: dataset["datasetArn"] for key, dataset in config["datasets"].items()}
    assert [solution["solutionArn"] for solution in workflow_settings["solutions"]] == [
        solution["solutionArn"] for solution in config["solutions"]
    ]
    assert workflow_settings["tags"] == {
        key: str(value) for key, value in config.get("tags", {}).items()
    }, "a whole number is read as its digits"
    assert read(config) == outcome, "reading twice has the same result"


def settings_of(args):
    return workflow_settings(
        args, job_prefix="p", import_role_arn="r", topic_arn="t", dashboard_url="d"
    )


def read(config):
    """Return the arguments, or the problems."""
    checked = check(config)
    return checked.problems or checked.args
