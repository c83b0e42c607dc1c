"""The sample stack, fired by its schedule: from config to a campaign that serves a new model."""

import pytest

from components.rules.metrics import NDCG_AT_10
from components.state_machine.steps import STEPS
from emulator.deployer import deploy
from tests.end_to_end.stack import PROJECT, SHORT_PROBES

SLOT = "2031-01-06T03:00:00Z"
RUN = "20310106T030000Z"
READS = ("s3:Get", "s3:List", "s3:Head", "sts:GetCallerIdentity")
EXPECTED = [
    "plan_retraining",
    *["create_dataset_import_job"] * 3,
    *["watch_dataset_import_job"] * 3,
    "create_solution_version",
    "watch_solution_version",
    "evaluate_solution_version",
    "update_campaign",
    "watch_campaign_update",
    "probe_campaign",
    "report_outcome",
]
"""The steps of a run with three datasets, a solution and a campaign."""


@pytest.fixture(scope="module")
def before(stack):
    """The version that the campaign serves before the run."""
    return stack.served()


@pytest.fixture(scope="module")
def run(stack, before):
    """The run that the schedule starts, with an event that is delivered twice."""
    assert before, "read before the run"
    stack.emulator.control("DELETE", "calls")
    arn = stack.fire(SLOT)
    assert stack.fire(SLOT) == arn, "the second finds the first one's execution"
    return stack.ended(arn)


def test_the_campaign_serves_the_new_version_at_the_end(stack, run, before):
    versions = stack.client("personalize").list_solution_versions(
        solutionArn=str(stack.args.solutions[0].solution_arn)
    )["solutionVersions"]
    newest = max(versions, key=lambda each: each["creationDateTime"])
    assert run.status == "SUCCEEDED", run.execution
    assert newest["status"] == "ACTIVE"
    assert stack.served() == newest["solutionVersionArn"]
    assert stack.served() != before, "a version that was trained just now"


def test_the_model_that_is_served_recommends(stack, run):
    del run
    answer = stack.client("personalize-runtime").get_recommendations(
        campaignArn=str(stack.args.solutions[0].campaigns[0].campaign_arn),
        userId="user-001",
        numResults=5,
    )
    assert len({each["itemId"] for each in answer["itemList"]}) == 5


def ndcg(stack, version):
    metrics = stack.client("personalize").get_solution_metrics(solutionVersionArn=version)
    return metrics["metrics"][NDCG_AT_10]


def test_the_report_says_what_became_of_everything(stack, run, before):
    solution = stack.args.solutions[0]
    home = f"arn:aws:personalize:{stack.emulator.region}:{stack.emulator.account}"
    assert run.report == {
        "status": "DEPLOYED",
        "runId": RUN,
        "executionArn": run.arn,
        "reason": None,
        "imports": [
            {
                "type": kind,
                "outcome": "IMPORTED",
                "datasetImportJobArn": f"{home}:dataset-import-job/{stack.prefix}-{RUN}-{kind}-1",
                "failure": None,
            }
            for kind in ("interactions", "items", "users")
        ],
        "solutions": [
            {
                "solutionArn": solution.solution_arn,
                "outcome": "DEPLOYED",
                "solutionVersionArn": stack.served(),
                "trainingMode": "FULL",
                "adopted": False,
                "failure": None,
                "campaigns": [
                    {
                        "campaignArn": solution.campaigns[0].campaign_arn,
                        "outcome": "DEPLOYED",
                        "previousVersionArn": before,
                        "metrics": {
                            NDCG_AT_10: {
                                "new": ndcg(stack, stack.served()),
                                "live": ndcg(stack, before),
                            }
                        },
                        "failure": None,
                    }
                ],
            }
        ],
        "warnings": [],
        "text": (
            f"Retraining run {RUN}: DEPLOYED\n"
            "  import of interactions: IMPORTED\n"
            "  import of items: IMPORTED\n"
            "  import of users: IMPORTED\n"
            f"  {solution.solution_arn}: DEPLOYED\n"
            f"    version {stack.served()}\n"
            f"    {solution.campaigns[0].campaign_arn}: DEPLOYED"
        ),
    }


def test_the_schedule_s_role_started_the_execution(stack, run):
    callers = [
        call["caller"].split("/")[1]
        for call in stack.emulator.calls("states:StartExecution")
        if call["status"] == 200
    ]
    role = stack.resources("iam/role:Role")["retraining-dev-schedule"]
    assert callers == [role["name"]] * 2, "for both deliveries, and nobody else"
    executions = stack.client("stepfunctions").list_executions(
        stateMachineArn=stack.output("state_machine_arn")
    )["executions"]
    assert [each["executionArn"] for each in executions] == [run.arn], "which are one execution"
    assert run.output("Plan retraining")["run"]["trigger"] == "schedule"


def test_each_step_called_personalize_as_its_own_role(stack, run):
    del run
    roles = {
        role["name"]: name.removeprefix("retraining-dev-").replace("-", "_")
        for name, role in stack.resources("iam/role:Role").items()
    }
    called = {}
    for call in stack.emulator.calls("personalize:"):
        if ":assumed-role/" in call["caller"]:
            step = roles[call["caller"].split("/")[1]]
            called.setdefault(step, set()).add(call["action"])
    assert called == {
        "plan_retraining": {
            "personalize:ListDatasetImportJobs",
            "personalize:ListEventTrackers",
            "personalize:ListSolutionVersions",
            "personalize:DescribeCampaign",
            "personalize:DescribeDataset",
            "personalize:DescribeDatasetGroup",
            "personalize:DescribeSchema",
            "personalize:DescribeSolution",
            "personalize:DescribeSolutionVersion",
            "personalize:ListTagsForResource",
        },
        "create_dataset_import_job": {"personalize:CreateDatasetImportJob"},
        "watch_dataset_import_job": {"personalize:DescribeDatasetImportJob"},
        "create_solution_version": {
            "personalize:ListSolutionVersions",
            "personalize:CreateSolutionVersion",
        },
        "watch_solution_version": {"personalize:DescribeSolutionVersion"},
        "evaluate_solution_version": {
            "personalize:DescribeCampaign",
            "personalize:GetSolutionMetrics",
            "personalize:ListTagsForResource",
        },
        "update_campaign": {
            "personalize:DescribeCampaign",
            "personalize:DescribeSolutionVersion",
            "personalize:ListTagsForResource",
            "personalize:TagResource",
            "personalize:UpdateCampaign",
        },
        "watch_campaign_update": {"personalize:DescribeCampaign"},
        "probe_campaign": {"personalize:GetRecommendations"},
    }


def test_the_jobs_are_named_after_stack_and_slot_and_carry_the_tags(stack, run):
    personalize = stack.client("personalize")
    jobs = personalize.list_dataset_import_jobs()["datasetImportJobs"]
    ours = [each for each in jobs if each["jobName"].startswith(stack.prefix)]
    assert sorted(each["jobName"] for each in ours) == [
        f"{stack.prefix}-{RUN}-{kind}-1" for kind in ("interactions", "items", "users")
    ]
    version = run.report["solutions"][0]["solutionVersionArn"]
    expected = {
        **stack.args.tags,
        "retraining-pipeline": "retraining-dev",
        "retraining-run": RUN,
    }
    of_imports = {"retraining-bytes", "retraining-fingerprint"}
    further = {each["datasetImportJobArn"]: of_imports for each in ours} | {version: set()}
    for arn, keys in further.items():
        response = personalize.list_tags_for_resource(resourceArn=arn)["tags"]
        tags = {each["tagKey"]: each["tagValue"] for each in response}
        assert {key: tags[key] for key in expected} == expected, arn
        assert set(tags) - set(expected) == keys, arn


def test_the_imports_read_as_the_role_that_was_made_for_them(stack, run):
    del run
    job = stack.client("personalize").describe_dataset_import_job(
        datasetImportJobArn=f"arn:aws:personalize:{stack.emulator.region}:"
        f"{stack.emulator.account}:dataset-import-job/{stack.prefix}-{RUN}-items-1"
    )["datasetImportJob"]
    assert job["roleArn"] == stack.output("import_role_arn")


def test_every_step_logged_what_it_did(stack, run):
    records = [each for each in stack.log() if each.get("runId") == RUN]
    assert sorted(each["step"] for each in records) == sorted(EXPECTED)
    assert {each["level"] for each in records} == {"INFO"}
    jobs = [each for each in records if "arn" in each]
    assert {each["phase"] for each in jobs if "watch" in each["step"]} == {"ACTIVE"}
    assert [each["outcome"] for each in records if each["step"] == "report_outcome"] == ["DEPLOYED"]
    assert run.report["text"] in [each["message"] for each in records]


def test_nothing_failed_on_the_way(stack, run):
    failures = [event for event in run.events if event["type"].endswith(("Failed", "TimedOut"))]
    assert failures == [], "a job that is not finished is data, not an exception"
    log = stack.log()
    assert {each["level"] for each in log if "level" in each} == {"INFO"}
    lines = {each["text"].split()[0] for each in log if "text" in each}
    assert lines == {"START", "END", "REPORT"}, "Lambda's own lines, and no trace of an exception"
    assert stack.refused() == []


def test_every_step_but_those_for_trouble_took_part(run):
    for_trouble = {"stop_solution_version", "roll_back_campaign", "close_run"}
    called = {name.lower().replace(" ", "_") for name in run.states}
    assert set(STEPS) - called == for_trouble


def test_resuming_the_run_creates_nothing_twice(stack, run):
    stack.emulator.control("DELETE", "calls")
    resumed = stack.run(resume=RUN)
    made = [call for call in stack.emulator.calls("personalize:") if call["status"] == 200]
    assert [call["action"] for call in made if "Create" in call["action"]] == []
    assert resumed.status == "SUCCEEDED"
    assert resumed.outcomes == run.outcomes, "what there is, is adopted"
    assert resumed.report["imports"] == run.report["imports"]
    assert resumed.version == run.version


def test_deploying_again_changes_nothing(stack, run):
    del run
    stack.emulator.control("DELETE", "calls")
    again = deploy(
        "dev", endpoint=stack.emulator.endpoint, project_dir=PROJECT, config=SHORT_PROBES
    )
    assert again.outputs == stack.deployment.outputs
    key = lambda each: each.urn  # noqa: E731 - of both lists
    assert sorted(again.resources, key=key) == sorted(stack.deployment.resources, key=key)
    changing = [
        call["action"] for call in stack.emulator.calls() if not call["action"].startswith(READS)
    ]
    assert changing == []
