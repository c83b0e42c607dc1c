"""Proves that any config is either read or refused with problems."""

from hypothesis import given
from hypothesis import strategies as st

from components.rules.several_settings import check_args
from components.workflow_settings import build_workflow_settings
from tests.program.sample_stack import CAMPAIGN, CONFIG, CONFIG_KEYS, SOLUTION, USERS, changed, keys

LEFT_OUT = ("datasets.users.readyMarker", "limits.maxTrainingsPerMonth", "solutions[1]", "anything")
PLACES = [*keys(CONFIG), *LEFT_OUT, "solutions[0].campaigns[0].probe.inputList"]
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


@given(st.dictionaries(st.sampled_from(CONFIG_KEYS) | st.text(max_size=5), JSON, max_size=4))
def test_any_mapping_is_read_or_refused(config):
    assert_read_or_refused(config)


@given(st.sampled_from(PLACES), JSON)
def test_any_change_of_the_sample_is_read_or_refused(place, value):
    assert_read_or_refused(changed({place: value}))


def assert_read_or_refused(config):
    checked = check_args(config)
    assert check_args(config) == checked, "reading twice has the same result"
    if checked.problems:
        assert all(str(problem) and problem.message for problem in checked.problems)
        return
    settings = build_workflow_settings(
        checked.args, job_prefix="p", import_role_arn="r", topic_arn="t", dashboard_url="d"
    )
    assert {dataset["type"]: dataset["datasetArn"] for dataset in settings["datasets"]} == {
        key: dataset["datasetArn"]
        for key, dataset in config["datasets"].items()
        if dataset is not None
    }
    assert [solution["solutionArn"] for solution in settings["solutions"]] == [
        solution["solutionArn"] for solution in config["solutions"]
    ]
    assert settings["tags"] == {
        key: str(value) for key, value in (config.get("tags") or {}).items()
    }, "a whole number is read as its digits"
