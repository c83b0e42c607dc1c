"""Proves that `retrain plan` says what a run would do, and changes nothing."""

import pytest

from functions.errors import Throttled
from retrain.rehearsal.data.exports import rotated
from tests.program.sample_stack import CAMPAIGN, SOLUTION

WRITES = ("Create", "Update", "Delete", "Tag", "Untag", "Put", "Start", "Stop")
WITHOUT_CLI = (
    "the Pulumi CLI is not on the PATH, so the outputs of the stack cannot be read; install it, or "
    "name the state machine with --state-machine-arn"
)
NO_OWN_JOBS = (
    "No run has created an import job or a version yet. So a run imports "
    "every export and trains every solution, even if somebody has done so by hand."
)


def change(project_dir, stack, old, new):
    """Replace a part of a stack's file."""
    file = project_dir / f"Pulumi.{stack}.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_before_the_first_up_the_plan_is_that_of_the_file(run, emulator):
    calls_before = len(emulator.calls())
    result = run("plan")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[:3] == [
        "Pulumi.dev.yaml, account 123456789012, eu-west-1: a run now",
        f"No deployed pipeline was found: {WITHOUT_CLI}.",
        NO_OWN_JOBS,
    ]
    assert [line.partition(": ")[0] for line in lines[3:-1]] == [
        "+ import interactions",
        "+ import items",
        "+ import users",
        "+ train movies-for-you",
        "~ update movies-for-you",
    ]
    assert lines[3].startswith(
        "+ import interactions: s3://movies-exports/interactions/: 3 files, 11,111 rows, 389 KB, "
        "written "
    )
    assert ". No run created the newest import, which ended at 20" in lines[3]
    assert lines[-1] == "Plan: 3 to import, 1 to train, 1 to update."
    calls = [call["action"].partition(":")[2] for call in emulator.calls()[calls_before:]]
    assert calls, "the account was read"
    assert [action for action in calls if action.startswith(WRITES)] == []
    assert result.err.splitlines()[-1] == "next: `pulumi up --stack dev` deploys the pipeline"


def test_the_plan_as_json_names_every_step(run):
    document = run("plan", "--json").document
    assert document["source"] == "Pulumi.dev.yaml"
    assert (document["deployed"], document["outcome"], document["hasOwnJobs"]) == (
        False,
        "RUN",
        False,
    )
    (training,) = document["trainings"]
    assert (training["solutionArn"], training["action"], training["trainingMode"]) == (
        SOLUTION,
        "train",
        "FULL",
    )
    assert training["reason"] == "interactions, items and users are imported"
    assert training["pricedByInteractions"]
    (campaign,) = training["campaigns"]
    assert {**campaign, "servedVersionArn": None} == {
        "campaignArn": CAMPAIGN,
        "action": "update",
        "servedVersionArn": None,
        "isGated": True,
        "isProbed": True,
        "approvalHours": None,
        "rolledBackVersionArn": None,
    }


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        (("--skip-import",), "Plan: 1 to train, 1 to update, 3 left out."),
        (("--force",), "Plan: 3 to import, 1 to train, 1 to update."),
    ],
)
def test_options_change_the_plan_as_they_change_a_run(run, options, actions):
    result = run("plan", *options)
    assert (result.code, result.out.splitlines()[-1]) == (0, actions)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--export-date", "2026-13-01"), '--export-date: "2026-13-01" is not a day'),
    ],
)
def test_options_that_a_run_refuses_are_problems(run, options, problem):
    result = run("plan", *options)
    lines = result.out.splitlines()
    assert result.code == 1
    assert lines[2].startswith(f"✗ problem: {problem}")
    assert lines[-1].startswith("Plan: refused, ")
    assert result.err.splitlines()[-1].startswith(
        "next: correct what is wrong, then `retrain plan --stack dev --endpoint-url http"
    )


def test_the_problems_are_the_problems_of_a_run(run, project_dir):
    change(project_dir, "dev", "s3://movies-exports/items.csv", "s3://movies-exports/none.csv")
    result = run("plan", "--json")
    assert result.code == 1
    assert result.document["problems"] == [
        (
            "datasets.items: there is no object at s3://movies-exports/none.csv; check "
            "dataLocation and "
            "the job that writes the export"
        )
    ]


def test_a_stack_file_with_mistakes_is_refused_with_all_of_them(run, project_dir):
    change(project_dir, "dev", "autoTraining: warn", "autoTraining: wrn")
    assert run("plan") == (
        2,
        "",
        (
            "1 problem in the configuration of stack dev:\n"
            "  personalize-retraining:autoTraining: 'wrn' is not one of warn, refuse\n"
        ),
    )


def test_a_region_that_is_not_that_of_the_stack_is_refused(run):
    assert run("plan", "--region", "us-east-1").err == (
        "--region is us-east-1, but the ARNs in Pulumi.dev.yaml are in eu-west-1; leave --region "
        "out\n"
    )


def test_a_deployed_pipeline_with_nothing_new_would_be_skipped(run, films, install_pulumi):
    install_pulumi(films.deployment.outputs)
    result = run("plan", "--stack", "films")
    lines = result.out.splitlines()
    assert (result.code, lines[0]) == (
        0,
        "Pulumi.films.yaml, account 123456789012, eu-west-1: a run now",
    )
    assert [line.partition(": ")[0] for line in lines[1:-1]] == [
        "= keep interactions",
        "= keep items",
        "= keep users",
        "= keep films-for-you",
        "= keep films-for-you",
    ]
    assert "It has not changed since the import that ended at 20" in lines[2]
    assert "Its newest version was trained on the present data: " in lines[4]
    assert lines[-1].startswith("Plan: skipped: nothing is new: the datasets hold their exports")
    command = "retrain start --force --stack films --endpoint"
    assert result.err.splitlines()[-1].startswith(f"next: `{command}"), "nothing else would train"


def test_a_changed_export_is_imported_and_trained(run, films, install_pulumi, emulator):
    install_pulumi(films.deployment.outputs)
    s3 = emulator.client("s3")
    items = s3.get_object(Bucket="films-exports", Key="items.csv")["Body"].read()
    s3.put_object(Bucket="films-exports", Key="items.csv", Body=rotated(items, 3))
    document = run("plan", "--stack", "films", "--json").document
    s3.put_object(Bucket="films-exports", Key="items.csv", Body=items)
    assert [(step["type"], step["action"]) for step in document["imports"]] == [
        ("interactions", "keep"),
        ("items", "import"),
        ("users", "keep"),
    ]
    assert document["imports"][1]["reason"].startswith("it has changed since the import that ended")
    assert document["imports"][1]["expectedSeconds"] is not None
    assert document["trainings"][0]["reason"] == "items is imported"


def test_the_state_machine_names_a_pipeline_without_a_file(run, films):
    arn = films.output("state_machine_arn")
    result = run("plan", "--state-machine-arn", arn)
    assert result.out.splitlines()[0] == (
        f"state machine {arn.rpartition(':')[2]}, account 123456789012, eu-west-1: a run now"
    )
    assert f" --state-machine-arn {arn}" in result.err
    assert " --stack " not in result.err


def test_a_stack_without_a_file_is_found_by_its_outputs(run, films, install_pulumi, project_dir):
    install_pulumi(films.deployment.outputs)
    (project_dir / "Pulumi.films.yaml").unlink()
    assert run("plan", "--stack", "films").out.startswith("state machine retraining-films")


def test_a_file_that_is_not_deployed_yet_is_planned_with_a_note(
    run, films, install_pulumi, project_dir
):
    install_pulumi(films.deployment.outputs)
    change(project_dir, "films", "# maxTrainingsPerMonth: 10", "maxTrainingsPerMonth: 1")
    result = run("plan", "--stack", "films")
    assert result.out.splitlines()[1] == (
        "The deployed pipeline has other settings than Pulumi.films.yaml. `pulumi up --stack films`"
        " deploys these."
    )


def test_a_run_that_is_under_way_is_mentioned(run, films, install_pulumi, monkeypatch):
    install_pulumi(films.deployment.outputs)
    monkeypatch.setattr("retrain.look.plan.is_any_running", lambda *_: True)
    assert run("plan", "--stack", "films").out.splitlines()[1] == (
        "A run is under way. Another run would wait until it has ended."
    )


def test_a_terminal_gets_a_table_that_fits(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("plan").out.splitlines()
    table = lines[lines.index("") + 1 :]
    assert max(map(len, table)) <= 80
    assert table[0].startswith("+  import  interactions    s3://movies-exports/")


def test_throttling_is_one_line(run, monkeypatch):
    def throttle(*_):
        raise Throttled("DescribeDataset: ThrottlingException: slow down")

    monkeypatch.setattr("retrain.look.plan.read_facts", throttle)
    result = run("plan")
    assert (result.code, result.err.splitlines()[-1]) == (
        1,
        "AWS does not answer: DescribeDataset: ThrottlingException: slow down; try again",
    )
