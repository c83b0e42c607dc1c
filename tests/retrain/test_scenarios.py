"""Proves the scenarios' rows and judgements, and how they are told; nothing is run."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    ProbeArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from emulator.personalize.faults import Faults
from retrain.rehearsal import changes
from retrain.rehearsal.data import spoiling
from retrain.rehearsal.data.data_sets import SampleData, rows
from retrain.rehearsal.data.world import recipe_of
from retrain.rehearsal.judging import Ran, Seen
from retrain.rehearsal.prevented import document, tell, told
from retrain.rehearsal.scenarios import SCENARIOS, Name, chosen
from tests.program.sample_stack import CONFIG, LEFT_OUT, changed
from tests.retrain.rehearsed import CAMPAIGN, EXECUTION, HOME, NEW, OLD, SOLUTION, report, served
from tests.retrain.rehearsed import solution_report as trained

ROWS = {each.name: each for each in SCENARIOS}
OTHER_RUN = f"{EXECUTION}0"
REFUSED = "RunRefused: 1 problem with this run:\n  datasets.interactions: "
BEFORE, MOVED = served(now=OLD), served()


def ran(status, reason=None, *solutions, jobs=(), arn=EXECUTION):
    made = {**report(*solutions), "status": status, "reason": reason}
    return Ran(arn, "SUCCEEDED", made, jobs)


def retrained(outcome, failure=None):
    """A run that trained a version, and what became of the campaign."""
    campaign = {
        "campaignArn": CAMPAIGN,
        "outcome": outcome,
        "previousVersionArn": OLD,
        "metrics": {},
        "failure": failure,
    }
    solution = {**trained(SOLUTION, NEW), "campaigns": [campaign]}
    return ran(outcome, None, solution, jobs=[NEW])


AS_DESIGNED = {
    "truncated-export": Seen([ran("FAILED", f"{REFUSED}less than minRelativeSize 0.5")], [BEFORE]),
    "wrong-header": Seen(
        [ran("FAILED", f"{REFUSED}lacks A, which the dataset's schema requires; it has B")],
        [BEFORE],
    ),
    "worse-model": Seen([retrained("REJECTED", "it fell")], [BEFORE], {NEW: "ACTIVE"}),
    "stuck-training": Seen(
        [ran("FAILED", None, trained(SOLUTION, NEW), jobs=[NEW])], [BEFORE], {NEW: "CREATE STOPPED"}
    ),
    "bad-probe": Seen([retrained("ROLLED_BACK", "no answer")], [BEFORE], {NEW: "ACTIVE"}),
    "duplicate-event": Seen(
        [retrained("DEPLOYED"), ran("SKIPPED", f"{EXECUTION} is under way", arn=OTHER_RUN)],
        [MOVED],
        {NEW: "ACTIVE"},
        [EXECUTION, EXECUTION],
    ),
    "nothing-new": Seen([ran("SKIPPED", "nothing is new: the exports")], [BEFORE]),
    "auto-training": Seen([ran("FAILED", f"{REFUSED}also trains automatically")], [BEFORE]),
    "two-stacks": Seen(
        [ran("DEPLOYED", jobs=["a"]), ran("TRAINED", jobs=["b"])], [MOVED], {NEW: "ACTIVE"}
    ),
}


def probing(*outcomes, unprobed):
    """A run after which some campaigns have moved, and the last ones are probed by nobody."""
    run = retrained("ROLLED_BACK")
    (solution,) = run.report["solutions"]
    (template,) = solution["campaigns"]
    arns = [f"{CAMPAIGN}-{number}" for number in range(len(outcomes))]
    solution["campaigns"] = [
        {**template, "campaignArn": arn, "outcome": outcome}
        for arn, outcome in zip(arns, outcomes, strict=True)
    ]
    campaigns = [
        replace(MOVED if outcome == "DEPLOYED" else BEFORE, arn=arn)
        for arn, outcome in zip(arns, outcomes, strict=True)
    ]
    return Seen([run], campaigns, {NEW: "ACTIVE"}, unprobed=arns[-unprobed:])


def held(name, seen):
    return [each.held for each in ROWS[name].judge(seen)]


def test_every_name_has_a_row_and_every_row_a_case_here():
    names = [each for each in Name if each not in (Name.HAPPY_PATH, Name.ALL)]
    assert list(ROWS) == list(AS_DESIGNED) == names


@pytest.mark.parametrize("name", AS_DESIGNED)
def test_what_ends_as_designed_is_judged_so(name):
    assert set(held(name, AS_DESIGNED[name])) == {True}


SPOILED = [
    ("truncated-export", {"campaigns": [MOVED]}, "the campaign has moved"),
    ("truncated-export", {"runs": [ran("FAILED", "out of memory")]}, "it failed otherwise"),
    ("truncated-export", {"runs": [ran("SKIPPED", "minRelativeSize")]}, "it was not refused"),
    (
        "wrong-header",
        {"runs": [ran("FAILED", "which the dataset's schema requires", jobs=[NEW])]},
        "a job was started",
    ),
    ("worse-model", {"runs": [retrained("DEPLOYED")]}, "the campaign was not spared"),
    ("worse-model", {"runs": [Ran(EXECUTION, "ABORTED", None, [])]}, "there is no report"),
    ("worse-model", {"versions": {}}, "nothing was trained"),
    ("bad-probe", {"runs": [retrained("REJECTED")]}, "the gate came before the probe"),
    ("stuck-training", {"versions": {NEW: "CREATE IN_PROGRESS"}}, "it trains on"),
    ("stuck-training", {"runs": [Ran(EXECUTION, "TIMED_OUT", None, [])]}, "nobody was told"),
    ("nothing-new", {"runs": [ran("DEPLOYED", jobs=[NEW])]}, "it was trained"),
    ("duplicate-event", {"deliveries": [EXECUTION, OTHER_RUN]}, "each delivery started a run"),
    (
        "duplicate-event",
        {"runs": [retrained("DEPLOYED"), retrained("DEPLOYED")]},
        "both runs trained",
    ),
    ("duplicate-event", {"versions": {NEW: "ACTIVE", OLD: "ACTIVE"}}, "two were trained"),
    ("duplicate-event", {"versions": {}}, "none was trained"),
    ("duplicate-event", {"campaigns": [BEFORE]}, "the healthy run did not deploy"),
    ("two-stacks", {"strangers": ["one named the other"]}, "they met"),
    ("two-stacks", {"runs": [ran("DEPLOYED", jobs=["a"])] * 2}, "a job is of both"),
    ("two-stacks", {"runs": [ran("DEPLOYED"), ran("DEPLOYED")]}, "no job is seen"),
    ("two-stacks", {"runs": [ran("DEPLOYED", jobs=["a"]), ran("FAILED", jobs=["b"])]}, "a failure"),
]


@pytest.mark.parametrize(("name", "change", "why"), SPOILED)
def test_what_ends_otherwise_is_not_as_designed(name, change, why):
    seen = AS_DESIGNED[name]
    otherwise = Seen(**{key: change.get(key, getattr(seen, key)) for key in vars(seen)})
    assert False in held(name, otherwise), why
    assert not told(ROWS[name], otherwise).as_designed


def test_a_campaign_without_a_probe_is_told_as_not_protected():
    told_of = told(ROWS["bad-probe"], probing("ROLLED_BACK", "DEPLOYED", unprobed=1))
    assert list(told_of.expectations) == [
        ("the new version was trained, and is ACTIVE", True),
        ("the probe moved every campaign that has one back", True),
        ("home-page-1, which has no probe, serves what it served before", False),
        ("every campaign serves what it served before", False),
    ]
    assert not told_of.as_designed


def test_a_probe_that_did_not_move_its_campaign_is_told_beside_one_without():
    told_of = told(ROWS["bad-probe"], probing("DEPLOYED", "REJECTED", unprobed=1))
    assert [each.held for each in told_of.expectations] == [True, False, True, False]


def test_scenarios_are_chosen_by_name_once_and_in_the_rows_order():
    assert [each.name for each in chosen([Name.BAD_PROBE, Name.WORSE_MODEL, Name.BAD_PROBE])] == [
        "worse-model",
        "bad-probe",
    ]
    assert chosen([Name.HAPPY_PATH]) == []
    assert chosen([Name.HAPPY_PATH, Name.ALL]) == list(SCENARIOS)


def test_the_faults_are_those_that_the_emulator_knows():
    faults = Faults()
    orders = [order for each in SCENARIOS for order in each.faults]
    for order in orders:
        faults.inject(order)
    assert len(faults.list()) == len(orders) > 0


def args(
    *, mode="FULL", location="s3://b/i.csv", keys=("interactions",), paused=False, campaigns=()
):
    dataset = DatasetArgs(
        dataset_arn=f"{HOME}:dataset/m/X", data_location=location, import_mode=mode
    )
    return RetrainingPipelineArgs(
        datasets=DatasetsArgs(**dict.fromkeys(keys, dataset)),
        solutions=[SolutionArgs(solution_arn=SOLUTION, campaigns=campaigns)],
        paused=paused,
    )


ALL_KEYS = ("interactions", "items", "users", "actions", "action_interactions")
NO_INTERACTIONS = "the stack has no FULL import of interactions"


@pytest.mark.parametrize(
    ("name", "stack", "why"),
    [
        ("truncated-export", args(), None),
        ("truncated-export", args(mode="INCREMENTAL"), NO_INTERACTIONS),
        ("wrong-header", args(keys=["users"]), NO_INTERACTIONS),
        ("worse-model", args(keys=["users"]), NO_INTERACTIONS),
        ("worse-model", args(), "the stack has no campaigns"),
        (
            "bad-probe",
            args(campaigns=[CampaignArgs(campaign_arn=CAMPAIGN, probe=ProbeArgs(user_id="1"))]),
            None,
        ),
        ("bad-probe", args(), "the stack has no campaigns"),
        (
            "bad-probe",
            args(campaigns=[CampaignArgs(campaign_arn=CAMPAIGN)]),
            "no campaign has a probe; give one its solutions[].campaigns[].probe.userId",
        ),
        (
            "bad-probe",
            args(
                campaigns=[
                    CampaignArgs(campaign_arn=CAMPAIGN),
                    CampaignArgs(campaign_arn=f"{CAMPAIGN}-2", probe=ProbeArgs(user_id="1")),
                ]
            ),
            None,
        ),
        ("duplicate-event", args(), None),
        ("duplicate-event", args(paused=True), "the stack is paused"),
        (
            "nothing-new",
            args(location="s3://b/{date}/"),
            "the stack's locations hold {date}: each day is a new export",
        ),
        ("nothing-new", args(), None),
        ("two-stacks", args(paused=True), "the stack is paused"),
        (
            "two-stacks",
            args(keys=ALL_KEYS),
            "a region has 5 import slots, and the stack alone uses them",
        ),
        ("auto-training", args(paused=True), None),
    ],
)
def test_a_stack_that_cannot_play_a_scenario_is_told_why(name, stack, why):
    assert ROWS[name].needs(stack) == why


def test_only_the_export_of_interactions_is_spoiled_and_each_way_differs():
    export = SampleData().older("INTERACTIONS")
    header, *lines = rows(export)
    for how in {each.spoil for each in SCENARIOS}:
        assert spoiling.spoil(how, "ITEMS", b"ITEM_ID\n1\n") == b"ITEM_ID\n1\n"
    assert spoiling.spoil("none", "INTERACTIONS", export) == export
    assert len(rows(spoiling.spoil("truncated", "INTERACTIONS", export))) == 1 + len(lines) // 5
    renamed = rows(spoiling.spoil("renamed", "INTERACTIONS", export))
    assert renamed == [["userId", *header[1:]], *lines]
    shuffled = rows(spoiling.spoil("shuffled", "INTERACTIONS", export))
    assert sorted(each[1] for each in shuffled) == sorted(each[1] for each in [header, *lines])
    assert shuffled != [header, *lines]


@pytest.mark.parametrize(
    ("probe", "mode", "recipe"),
    [
        (None, "FULL", "aws-user-personalization-v2"),
        (None, "UPDATE", "aws-user-personalization"),
        (ProbeArgs(user_id="1"), "FULL", "aws-user-personalization-v2"),
        (ProbeArgs(item_id="1"), "FULL", "aws-similar-items"),
        (ProbeArgs(user_id="1", input_list=["1"]), "FULL", "aws-personalized-ranking-v2"),
    ],
)
def test_a_solution_has_a_recipe_that_can_do_what_the_settings_ask(probe, mode, recipe):
    campaigns = [CampaignArgs(campaign_arn=CAMPAIGN, probe=probe)]
    solution = SolutionArgs(solution_arn=SOLUTION, training_mode=mode, campaigns=campaigns)
    assert recipe_of(solution) == recipe


def test_a_rehearsal_probes_for_seconds_and_forgets_the_monthly_limit():
    probe = {"userId": "42", "minResults": 3, "minutes": 10}
    config = changed({"solutions[0].campaigns[0].probe": probe, "limits.maxTrainingsPerMonth": 2})
    hurried = changes.hurried(config)
    assert hurried["limits"] == {**CONFIG["limits"], "maxTrainingsPerMonth": 0}
    assert hurried["solutions"][0]["campaigns"][0]["probe"] == {**probe, "minutes": 0.05}
    assert config["solutions"][0]["campaigns"][0]["probe"] == probe, "the config is as it was"
    unprobed = changed({"solutions[0].campaigns[0].probe": LEFT_OUT})
    assert changes.hurried(unprobed) == changes.nothing(CONFIG) == {}


def test_what_scenarios_change_in_the_config():
    assert changes.impatient(CONFIG) == {"limits": {**CONFIG["limits"], "maxTrainingHours": 0.002}}
    assert changes.impatient({}) == {"limits": {"maxTrainingHours": 0.002}}
    assert changes.refusing(CONFIG) == {"autoTraining": "refuse"}


def test_a_campaign_without_a_probe_stays_so_beside_one_with():
    more = {"campaignArn": f"{CAMPAIGN}-2", "probe": {"userId": "1", "minutes": 10}}
    config = changed(
        {"solutions[0].campaigns[0].probe": LEFT_OUT, "solutions[0].campaigns[1]": more}
    )
    (solution,) = changes.hurried(config)["solutions"]
    assert [each.get("probe") for each in solution["campaigns"]] == [
        None,
        {"userId": "1", "minutes": 0.05},
    ]


def test_a_config_is_decoded_and_encoded_as_the_cli_does():
    config = {"p:a": '{"b": 1}', "p:c": "text", "aws:region": "eu-west-1"}
    decoded = changes.decoded(config, "p")
    assert decoded == {"a": {"b": 1}, "c": "text"}
    assert changes.encoded(decoded) == {"a": '{"b": 1}', "c": "text"}


def test_a_second_stack_shares_the_schedule_and_no_name():
    config = changed({"importRoleArn": "arn:aws:iam::123456789012:role/import"})
    second = changes.second_stack(config, imports=2)
    assert "importRoleArn" not in second
    assert second["retrainingRate"] == CONFIG["retrainingRate"]
    assert list(second["datasets"]) == ["interactions", "items"]
    interactions = second["datasets"]["interactions"]
    assert interactions["datasetArn"].endswith(":dataset/movies2/INTERACTIONS")
    assert interactions["dataLocation"] == "s3://movies-exports2/interactions/"
    (solution,) = second["solutions"]
    assert solution["solutionArn"].endswith(":solution/movies-for-you2")
    assert solution["campaigns"][0]["campaignArn"].endswith(":campaign/movies-for-you2")


@pytest.mark.parametrize(
    ("name", "second"),
    [("dev", "dev2"), ("x" * 62, f"{'x' * 62}2"), ("x" * 63, f"{'x' * 62}2")],
    ids=["short", "just fits", "as long as can be"],
)
def test_what_belongs_to_a_second_stack_has_a_name_that_fits(name, second):
    assert changes.another(name) == second


def test_a_long_name_that_ends_as_a_second_one_would_ends_in_another_way():
    assert changes.another("production-eu-west2", 19) == "production-eu-west3"


def test_long_buckets_of_two_stacks_are_two():
    location = f"s3://{'b' * 63}/interactions/"
    config = changed({"datasets.interactions.dataLocation": location})
    second = changes.second_stack(config, imports=1)
    assert second["datasets"]["interactions"]["dataLocation"] == f"s3://{'b' * 62}2/interactions/"


def shown(name, seen, width):
    console = Console(file=io.StringIO(), width=width)
    tell(console, told(ROWS[name], seen))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_it_is_told_what_happened_who_noticed_and_what_was_prevented():
    assert shown("worse-model", AS_DESIGNED["worse-model"], 100) == [
        "",
        "Scenario worse-model",
        "what happened  A join in the export goes wrong: who watched what is dealt out at random.",
        "guards said    it fell",
        "the run        REJECTED, 1 job started",
        "campaigns      home-page serves movies/00000001, as before",
        "checked        ✓ the new version was trained, and is ACTIVE",
        "               ✓ the quality gate rejected it for every campaign",
        "               ✓ every campaign serves what it served before",
        "prevented      the campaign would have recommended at random",
    ]


def test_what_was_not_prevented_is_told_so():
    seen = Seen([retrained("DEPLOYED")], [MOVED], {NEW: "ACTIVE"})
    lines = shown("worse-model", seen, 80)
    assert [line for line in lines if "✗" in line or "NOT" in line or "serves m" in line] == [
        "campaigns      home-page serves movies/00000002, before that movies/00000001",
        "               ✗ the quality gate rejected it for every campaign",
        "               ✗ every campaign serves what it served before",
        "NOT PREVENTED  the campaign would have recommended at random",
    ]
    assert max(map(len, lines)) <= 80


def test_the_words_of_every_part_of_a_report_are_told_once_and_as_they_are():
    failed = {"type": "users", "outcome": "FAILED", "datasetImportJobArn": None, "failure": "[a]"}
    fine = {**failed, "outcome": "IMPORTED", "failure": None}
    solution = {**trained(SOLUTION, None), "failure": "[b]"}
    made = {**report(solution), "status": "FAILED", "imports": [failed, fine]}
    seen = Seen([Ran(EXECUTION, "FAILED", made, ["x", "y"])] * 2, [])
    assert seen.said == ["[a]", "[b]"]
    lines = shown("nothing-new", seen, 100)
    assert lines[3:7] == [
        "guards said    [a]",
        "               [b]",
        "the run        FAILED, 2 jobs started",
        "               FAILED, 2 jobs started",
    ]


def test_as_json_a_scenario_has_all_of_it_under_stable_keys():
    seen = AS_DESIGNED["truncated-export"]
    found = document(told(ROWS["truncated-export"], seen))
    assert json.loads(json.dumps(found)) == {
        "scenario": "truncated-export",
        "asDesigned": True,
        "whatHappened": ROWS["truncated-export"].story,
        "guardsSaid": ["datasets.interactions: less than minRelativeSize 0.5"],
        "prevented": ROWS["truncated-export"].prevented,
        "checked": [
            {"what": "the run was refused in time, with the reason", "held": True},
            {"what": "nothing was imported, and no training was paid for", "held": True},
            {"what": "every campaign serves what it served before", "held": True},
        ],
        "runs": [
            {
                "executionArn": EXECUTION,
                "ended": "SUCCEEDED",
                "jobs": [],
                "report": seen.runs[0].report,
            }
        ],
        "campaigns": [
            {"campaignArn": CAMPAIGN, "solutionVersionArn": OLD, "previousVersionArn": OLD}
        ],
    }
