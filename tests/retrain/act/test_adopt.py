"""Proves that `adopt` writes the stack of a dataset group, and refuses what nothing can retrain."""

import re
from dataclasses import replace
from operator import itemgetter

import pytest

from components.args import ProbeArgs, RetrainingPipelineArgs, list_config_keys, to_config
from components.settings import parse_stack_config
from functions.personalize.tags import RUN_TAG, write_tags
from retrain.account.errors import OperatorError
from retrain.account.project_files import read_project
from retrain.act import adopted_group
from tests.retrain.in_process import account
from tests.world import (
    HOUR,
    IMPORT_ROLE,
    MOVIES,
    PERSONALIZE,
    RECIPE,
    dataset_arn,
    exports,
    solution,
)

RECIPES = RECIPE.rpartition("/")[0]


def adopt(group=MOVIES.arn, options="--stack new"):
    return f"adopt --dataset-group-arn {group} {options}"


def adopted(prod, name="new"):
    """Return the arguments in the file that the command has written, as `pulumi up` reads them."""
    assert prod.retrain(adopt(options=f"--stack {name} --force")).code == 0
    project = read_project(prod.folder, name, {})
    return parse_stack_config(project.name, name, project.config)


def test_golden_the_file_of_a_group_has_what_personalize_knows(golden):
    group = MOVIES.with_datasets("interactions")
    with account(group) as prod:
        args = adopted(prod)
        text = (prod.folder / "Pulumi.new.yaml").read_text()
    golden("adopt.yaml", text)
    words = re.findall(r"\w+", text)
    assert {*list_config_keys(RetrainingPipelineArgs)} - {*words} == set(), "each key is mentioned"
    assert (args.datasets, args.import_role_arn) == (group.args.datasets, IMPORT_ROLE)

    (retrained,) = args.solutions
    (campaign,) = retrained.campaigns
    assert retrained.solution_arn == solution().solution_arn
    assert campaign.campaign_arn == solution().campaigns[0].campaign_arn


def test_golden_what_needs_a_person_is_said_on_the_screen_and_in_the_file(golden):
    with account() as prod:
        pipeline = prod.pipeline
        client = prod.pipeline.client
        create_solution(client, "auto", "aws-similar-items", performAutoTraining=True)
        MOVIES.create_dataset(client, "actions")
        pipeline.sleep(HOUR)
        pipeline.bucket.put("2026/11/22/items.csv", exports()["items.csv"])
        location = "s3://exports/2026/11/22/items.csv"
        role = f"{IMPORT_ROLE}-2"
        more = {"importMode": "INCREMENTAL", "roleArn": role}
        pipeline.foreign_import("items", location=location, **more)
        pipeline.inject_fault("fail", job="campaign", reason="no capacity")
        client.create_campaign(name="broken", solutionVersionArn=pipeline.versions()[0])
        pipeline.sleep(HOUR)
        golden("adopt.txt", prod.transcript(adopt()))
        args = adopted(prod)
        assert args.datasets.items.import_mode == "INCREMENTAL"
        assert args.import_role_arn is None, "the imports have used several roles"
        document = prod.retrain(f"{adopt()} --force --json").document
        text = (prod.folder / "Pulumi.new.yaml").read_text()
    assert [*document] == ["file", "config", "notes", "problems"]

    comments = " ".join(line.strip("# ") for line in text.splitlines())
    assert [note for note in document["notes"] if note not in comments] == []


def test_a_group_without_solutions_is_adopted_for_its_recommenders():
    group = MOVIES.with_datasets("interactions", "items").with_solutions()
    with account(replace(group, domain="ECOMMERCE")) as prod:
        args = adopted(prod)
        plan = prod.retrain("plan --stack new")
        (note,) = prod.retrain(f"{adopt()} --force --json").document["notes"]

    assert (args.datasets, args.solutions) == (group.args.datasets, ())
    assert (plan.code, plan.out.splitlines()[-1]) == (0, "Plan: 2 to import.")
    assert note.startswith("there is no ACTIVE solution, so runs only import; ")


def test_a_group_that_personalize_trains_needs_no_exports(monkeypatch):
    group = MOVIES.with_datasets().with_solutions(solution(trained_by="personalize"))
    with account(group) as prod:
        monkeypatch.setattr(adopted_group, "list_import_jobs", lambda *_: [])
        args = adopted(prod)
    (retrained,) = args.solutions
    assert (args.datasets.configured(), retrained.trained_by) == ({}, "personalize")


def test_a_solution_without_the_usual_metrics_has_no_gate():
    with account() as prod:
        metrics = prod.client("personalize").get_solution_metrics(
            solutionVersionArn=prod.pipeline.versions()[0]
        )["metrics"]
        values = {**dict.fromkeys(metrics), "hits": 1}
        prod.pipeline.inject_fault("metrics", operation="GetSolutionMetrics", values=values)
        document = prod.retrain(f"{adopt()} --json").document
    (row,) = document["config"]["solutions"]

    assert (row["qualityGateEnabled"], "qualityGate" in row) == (False, False)
    assert "usual metrics; it has hits" in document["notes"][0]


def create_solution(client, name, recipe="aws-sims", group=MOVIES.arn, **fields):
    arn = f"{RECIPES}/{recipe}"
    standard = {"name": name, "datasetGroupArn": group, "performAutoTraining": False}
    client.create_solution(recipeArn=arn, **{**standard, **fields})


def test_a_solution_without_versions_gets_a_gate_for_a_metric_that_its_recipe_has():
    """Nothing documents the metrics of the recipe for semantic similarity."""
    metrics = {
        "aws-sims": "normalized_discounted_cumulative_gain_at_10",
        "aws-item-affinity": "coverage",
        "aws-semantic-similarity": None,
    }
    with account() as prod:
        for recipe in metrics:
            create_solution(prod.pipeline.client, recipe, recipe)
        prod.pipeline.sleep(HOUR)
        document = prod.retrain(f"{adopt()} --json").document
    gates = {
        row["solutionArn"].rpartition("/")[2]: row.get("qualityGate", [{"metric": None}])
        for row in document["config"]["solutions"]
    }

    assert {name: gates[name][0]["metric"] for name in metrics} == metrics
    assert "none of the usual metrics; it has none" in " ".join(document["notes"])


@pytest.mark.parametrize(
    "recipe, probe",
    [
        ("aws-user-personalization-v2", {"userId": "u0"}),
        ("aws-similar-items", {"itemId": "i0"}),
        ("aws-personalized-ranking", {"userId": "u0", "inputList": ["i0", "i56", "i112"]}),
        ("aws-trending-now", {"userId": "u0"}),
    ],
)
def test_a_probe_has_the_key_of_the_recipe_and_ids_of_the_exports(recipe, probe):
    with account(replace(MOVIES, recipe=f"{RECIPES}/{recipe}")) as prod:
        written = to_config(adopted(prod).solutions[0].campaigns[0].probe, keep_none=False)
    assert {key: written[key] for key in probe} == probe
    assert written == {**to_config(ProbeArgs(), keep_none=False), **probe}


@pytest.mark.parametrize("user", ["42", "a: b", "# käse", "on", "1e3"])
def test_an_id_stays_text(user):
    with account() as prod:
        text = exports()["interactions.csv"].replace(b"u0,", f"{user},".encode())
        prod.pipeline.bucket.put("interactions.csv", text)
        assert adopted(prod).solutions[0].campaigns[0].probe.user_id == user


def test_without_the_exports_there_is_no_probe_and_a_note_says_so():
    with account() as prod:
        prod.pipeline.bucket.objects.clear()
        document = prod.retrain(f"{adopt()} --json").document
    (note,) = document["notes"]

    assert note == (
        "the campaigns of taste have no probe, because no export could be read, or because no "
        "probe fits their recipe"
    )
    assert document["problems"] == []


def test_a_role_that_only_runs_have_used_is_left_out_because_it_may_go_with_its_stack():
    with account() as prod:
        client = prod.pipeline.client
        for dataset in ("interactions", "items", "users"):
            jobs = client.list_dataset_import_jobs(datasetArn=dataset_arn(dataset))
            arn = max(jobs["datasetImportJobs"], key=itemgetter("creationDateTime"))
            write_tags(client, arn["datasetImportJobArn"], {RUN_TAG: "20261122T030000Z"})
        assert adopted(prod).import_role_arn is None


def test_a_file_with_problems_is_written_and_fails(monkeypatch):
    def refuse(*_):
        raise OperatorError("1 problem:\n  x: no")

    monkeypatch.setattr("retrain.act.adopt.read_args", refuse)
    with account() as prod:
        result = prod.retrain(adopt())
        assert (prod.folder / "Pulumi.new.yaml").exists()
    assert result.code == 1
    assert "\n1 problem:\nx: no\nCorrect Pulumi.new.yaml before you go on.\n" in result.out


def test_golden_what_cannot_be_adopted_is_one_line(golden):
    shop = f"{PERSONALIZE}:dataset-group/shop"
    wrong = [
        adopt(options="--stack prod"),
        adopt(f"{PERSONALIZE}:dataset-group/none"),
        adopt("movies"),
        adopt(dataset_arn()),
        adopt(options="--stack new --region us-east-1"),
        adopt(shop),
    ]
    with account() as prod:
        prod.pipeline.client.create_dataset_group(name="shop", domain="ECOMMERCE")
        prod.pipeline.sleep(HOUR)
        text = prod.transcript(*wrong)
        assert [*prod.folder.glob("*new*")] == [], "no file is written"

        (prod.folder / "Pulumi.yaml").write_text("name: 3")
        text += prod.transcript(adopt()).replace(str(prod.folder), "FOLDER")
        (prod.folder / "Pulumi.yaml").write_text("[")
        text += prod.transcript(adopt()).replace(str(prod.folder), "FOLDER")
    golden("adopt_refused.txt", text)
