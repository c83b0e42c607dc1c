"""Proves that `retrain adopt` writes the stack of a dataset group, and refuses what it cannot."""

import boto3
import pytest
import yaml
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from components import settings
from emulator.deployer.configuration import read_project
from functions.personalize.tags import api_tags
from retrain.account.access import Access
from retrain.rehearsal.data.exports import policy_document
from retrain.rehearsal.data.resources import wait_until_active
from retrain.rehearsal.data.sample_data import SampleData
from retrain.rehearsal.stacks import open_stack
from tests.program.sample_stack import (
    CAMPAIGN,
    INTERACTIONS,
    ITEMS,
    PROJECT,
    SOLUTION,
    USERS,
)

ARN = "arn:aws:personalize:eu-west-1:123456789012"
GROUP = f"{ARN}:dataset-group/movies"
RECIPES = "arn:aws:personalize:::recipe"
BUCKET = "series-exports"
LIST_COMMAND = "`aws personalize list-dataset-groups` lists the groups"


def adopted(run, group=GROUP, stack="prod", *options):
    """Run the command."""
    return run("adopt", "--dataset-group-arn", group, "--stack", stack, *options)


def config_of(folder, stack="prod"):
    """Return the config in a stack's file, without the namespace of the project."""
    document = yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text())
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in document["config"].items()}


def test_the_file_of_an_existing_group_can_be_deployed_and_rehearsed(run, project_dir):
    result = adopted(run)
    assert (result.code, result.err) == (0, "reading the dataset group movies\n")
    config = config_of(project_dir)
    locations = {row["datasetArn"]: row["dataLocation"] for row in config["datasets"].values()}
    assert locations == {
        INTERACTIONS: "s3://movies-exports/interactions/",
        ITEMS: "s3://movies-exports/items.csv",
        USERS: "s3://movies-exports/users.csv",
    }
    (solution,) = config["solutions"]
    assert solution["solutionArn"] == SOLUTION
    (campaign,) = solution["campaigns"]
    assert campaign["campaignArn"] == CAMPAIGN
    assert campaign["probe"]["userId"].startswith("user-"), "a user of the export"
    project = read_project(project_dir, "prod", {})
    warnings = []
    args = settings.parse_stack(project.name, "prod", project.config, warn=warnings.append)
    assert warnings == []
    assert args.import_role_arn.endswith(":role/rehearsal-import-movies")
    with open_stack(project_dir, "prod", None) as stack:
        assert stack.args.solutions[0].solution_arn == SOLUTION


def test_a_role_that_only_runs_have_used_is_left_out(run, project_dir, personalize):
    jobs = [
        job["datasetImportJobArn"]
        for dataset in (INTERACTIONS, ITEMS, USERS)
        for job in personalize.list_dataset_import_jobs(datasetArn=dataset)["datasetImportJobs"]
    ]
    roles = []
    for of_runs in (jobs, jobs[1:]):
        for arn in of_runs:
            personalize.tag_resource(resourceArn=arn, tags=api_tags({"retraining-run": "1"}))
        assert adopted(run, GROUP, "prod", "--force").code == 0
        roles.append(config_of(project_dir).get("importRoleArn"))
        for arn in of_runs:
            personalize.untag_resource(resourceArn=arn, tagKeys=["retraining-run"])
    by_hand = "arn:aws:iam::123456789012:role/rehearsal-import-movies"
    assert roles == [None, by_hand], "a destroyed stack takes the role with it that it created"


def test_the_screen_says_what_is_in_the_file_and_what_comes_next(run, emulator):
    doctor = f"retrain doctor --stack prod --endpoint-url {emulator.endpoint}"
    width = len(doctor)
    assert adopted(run).out.splitlines() == [
        "Pulumi.prod.yaml has the dataset group movies with:",
        "",
        "  import     interactions, s3://movies-exports/interactions/",
        "  import     items, s3://movies-exports/items.csv",
        "  import     users, s3://movies-exports/users.csv",
        "  train      movies-for-you, aws-user-personalization-v2",
        "  update     movies-for-you",
        "",
        "Next:",
        "  set retrainingRate, timezone and notifications in Pulumi.prod.yaml, then:",
        f"  {doctor}  # checks the account",
        f"  {'retrain rehearse --stack prod':{width}}  # runs the pipeline on this machine",
        f"  {'pulumi stack init prod':{width}}  # creates the stack",
        f"  {'pulumi up --stack prod':{width}}  # deploys it",
    ]


def test_a_file_is_overwritten_only_on_request(run, project_dir):
    file = project_dir / "Pulumi.prod.yaml"
    file.write_text("config: {}\n")
    assert adopted(run) == (
        2,
        "",
        (
            f"{file} exists already; choose another name with --stack, or overwrite the file with "
            "--force\n"
        ),
    )
    assert file.read_text() == "config: {}\n"
    assert adopted(run, GROUP, "prod", "--force").code == 0
    assert "solutions" in config_of(project_dir)


def test_the_result_as_json(run, project_dir):
    folder = "s3://movies-exports/"
    assert adopted(run, GROUP, "prod", "--json").document == {
        "file": str(project_dir / "Pulumi.prod.yaml"),
        "datasetGroupArn": GROUP,
        "datasets": [
            {"type": key, "datasetArn": arn, "dataLocation": location}
            for key, arn, location in (
                ("interactions", INTERACTIONS, f"{folder}interactions/"),
                ("items", ITEMS, f"{folder}items.csv"),
                ("users", USERS, f"{folder}users.csv"),
            )
        ],
        "solutions": [
            {
                "solutionArn": SOLUTION,
                "recipe": "aws-user-personalization-v2",
                "campaigns": [CAMPAIGN],
            }
        ],
        "notes": [],
        "problems": [],
    }


@pytest.fixture(scope="module")
def personalize(emulator):
    """Return the client of Personalize for the account's root."""
    return boto3.client("personalize", **emulator.connection)


@pytest.fixture(scope="module")
def series(emulator, personalize):
    """Create a group with one of everything that needs a person's attention. Return its ARN."""
    data = SampleData()
    s3 = boto3.client("s3", **emulator.connection)
    location = {"LocationConstraint": emulator.region}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    allowed = {
        "Principal": {"Service": "personalize.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy_document(**allowed))
    key = "2026-11-22/interactions.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=data.older("INTERACTIONS"))
    group = create_group(personalize, "series")
    create_dataset(personalize, group, "Items", data)
    interactions = create_dataset(personalize, group, "Interactions", data)
    import_role = "arn:aws:iam::123456789012:role/rehearsal-import-movies"
    iam = boto3.client("iam", **emulator.connection)
    reads_bucket = policy_document(Action=allowed["Action"], Resource=allowed["Resource"])
    iam.put_role_policy(
        RoleName="rehearsal-import-movies", PolicyName="series", PolicyDocument=reads_bucket
    )
    job = personalize.create_dataset_import_job(
        jobName="series-first",
        datasetArn=interactions,
        dataSource={"dataLocation": f"s3://{BUCKET}/{key}"},
        roleArn=import_role,
    )["datasetImportJobArn"]
    wait_until_active(
        personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job
    )
    create_solution(personalize, group, "series-coldstart", "aws-hrnn-coldstart")
    similar = create_solution(personalize, group, "series-similar", "aws-similar-items", auto=True)
    version = personalize.create_solution_version(solutionArn=similar)["solutionVersionArn"]
    wait_until_active(
        personalize.describe_solution_version, "solutionVersion", solutionVersionArn=version
    )
    campaign = personalize.create_campaign(
        name="series-similar",
        solutionVersionArn=f"{similar}/$LATEST",
        campaignConfig={"syncWithLatestSolutionVersion": True},
    )["campaignArn"]
    wait_until_active(personalize.describe_campaign, "campaign", campaignArn=campaign)
    personalize.create_event_tracker(name="series", datasetGroupArn=group)
    return group


def create_group(personalize, name):
    """Create an empty dataset group."""
    arn = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    wait_until_active(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=arn)
    return arn


def create_dataset(personalize, group, dataset_type, data):
    """Create an empty dataset in a group."""
    name = f"{group.rpartition('/')[2]}-{dataset_type.lower()}"
    schema = personalize.create_schema(name=name, schema=data.schema(dataset_type.upper()))
    arn = personalize.create_dataset(
        name=name,
        schemaArn=schema["schemaArn"],
        datasetGroupArn=group,
        datasetType=dataset_type,
    )["datasetArn"]
    wait_until_active(personalize.describe_dataset, "dataset", datasetArn=arn)
    return arn


def create_solution(personalize, group, name, recipe, *, auto=False):
    """Create a solution without a version."""
    arn = personalize.create_solution(
        name=name,
        datasetGroupArn=group,
        recipeArn=f"{RECIPES}/{recipe}",
        performAutoTraining=auto,
    )["solutionArn"]
    wait_until_active(personalize.describe_solution, "solution", solutionArn=arn)
    return arn


def test_what_needs_attention_is_in_the_notes_and_in_the_comments(run, project_dir, series):
    document = adopted(run, series, "prod", "--json").document
    similar, campaign = f"{ARN}:solution/series-similar", f"{ARN}:campaign/series-similar"
    notes = [
        (
            "datasets.interactions.dataLocation contains a date; if every export has its own "
            "date, use "
            f"s3://{BUCKET}/{{date}}/interactions.csv"
        ),
        (
            "datasets.items is left out: nothing was ever imported into it from S3, so its "
            "location is "
            "not known"
        ),
        (
            f"{similar} also trains automatically, rate(7 days), which costs money twice; turn "
            "that "
            f"off with 'aws personalize update-solution --solution-arn {similar} "
            "--no-perform-auto-training'"
        ),
        (
            f"{campaign}: syncWithLatestSolutionVersion deploys every version past the quality "
            "gate "
            "and the probe, so runs are refused until it is off; `retrain doctor` prints the "
            "command"
        ),
    ]
    assert (document["notes"], document["problems"]) == (notes, [])
    solutions = config_of(project_dir)["solutions"]
    assert [row["solutionArn"] for row in solutions] == [
        f"{ARN}:solution/series-coldstart",
        similar,
    ]
    (campaign_config,) = solutions[1]["campaigns"]
    assert campaign_config["probe"]["itemId"].startswith("film-"), "an item of the export"
    text = (project_dir / "Pulumi.prod.yaml").read_text()
    assert "# trainingMode: UPDATE\n" in text
    assert "An event tracker streams interactions" in text


def test_the_screen_has_the_notes_before_the_next_commands(run, series):
    lines = adopted(run, series).out.splitlines()
    position = lines.index("Before the first run:")
    assert lines[position + 1].startswith("  datasets.interactions.dataLocation contains a date")
    assert lines[position + 4].startswith(f"  {ARN}:campaign/series-similar: syncWith")
    assert lines[position + 5 : position + 7] == ["", "Next:"]


def test_a_file_with_problems_is_written_and_fails(run, project_dir, monkeypatch):
    monkeypatch.setattr("retrain.act.adopt.config_problems", lambda *_: ["1 problem:", "x: no"])
    result = adopted(run)
    assert result.code == 1
    assert "\n1 problem:\nx: no\nCorrect Pulumi.prod.yaml before you go on.\n" in result.out
    assert (project_dir / "Pulumi.prod.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (f"{ARN}:dataset-group/none",),
            (
                f"{ARN}:dataset-group/none does not exist; `aws personalize list-dataset-groups "
                "--region eu-west-1` lists the groups of account 123456789012 in eu-west-1"
            ),
        ),
        (
            (ITEMS,),
            (
                f"--dataset-group-arn '{ITEMS}' is not the ARN of a dataset group; expected for "
                f"example '{ARN}:dataset-group/movies'; {LIST_COMMAND}"
            ),
        ),
        (
            (GROUP, "pr od"),
            (
                "--stack 'pr od': a stack's name has 1 to 100 letters, digits, hyphens, "
                "underscores "
                "and periods; choose another name, for example prod"
            ),
        ),
        (
            (GROUP, "prod", "--region", "us-east-1"),
            "--region is us-east-1, but the dataset group is in eu-west-1; leave --region out",
        ),
    ],
)
def test_wrong_arguments_are_one_line(run, arguments, message):
    result = adopted(run, *arguments)
    assert (result.code, result.out, result.err.splitlines()[-1]) == (2, "", message)


def test_a_group_without_datasets_or_solutions_is_refused(run, personalize):
    group = create_group(personalize, "empty")
    assert adopted(run, group).err.splitlines()[-1] == (
        f"{group} has no datasets; create and import them first, as "
        "https://docs.aws.amazon.com/personalize/latest/dg/data-prep.html describes"
    )
    create_dataset(personalize, group, "Interactions", SampleData())
    assert adopted(run, group).err.splitlines()[-1] == (
        f"{group} has no solutions, so there is nothing to retrain; create a solution first, with "
        "--no-perform-auto-training, and run the command again"
    )
    create_solution(personalize, group, "empty", "aws-sims")
    result = adopted(run, group)
    assert (result.code, result.err.splitlines()[-1]) == (
        2,
        (
            f"{group} has no dataset that was imported from S3, so the locations of the exports "
            "are "
            "not known; import one of its datasets once, or copy Pulumi.dev.yaml and write the "
            "locations yourself"
        ),
    )


SHOP = f"{ARN}:dataset-group/shop"


@pytest.fixture
def respond(monkeypatch):
    """Return a function that adds a response of Personalize, or the code of an error."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    client = boto3.client("personalize", region_name="eu-west-1", **keys)
    monkeypatch.setattr(Access, "personalize", client)

    def add_response(operation, response, **request):
        if isinstance(response, str):
            stubber.add_client_error(operation, response, "no", expected_params=request)
        else:
            stubber.add_response(operation, response, request)

    with Stubber(client) as stubber:
        yield add_response
        stubber.assert_no_pending_responses()


def respond_with_shop(respond, *, solutions=()):
    """Add the responses about a domain dataset group, up to its solutions."""
    group = {"datasetGroupArn": SHOP, "status": "ACTIVE", "domain": "ECOMMERCE"}
    dataset = f"{ARN}:dataset/shop/INTERACTIONS"
    respond("describe_dataset_group", {"datasetGroup": group}, datasetGroupArn=SHOP)
    respond("list_datasets", {"datasets": [{"datasetArn": dataset}]}, datasetGroupArn=SHOP)
    no_jobs = {"datasetImportJobs": []}
    respond("list_dataset_import_jobs", no_jobs, datasetArn=dataset, maxResults=100)
    summaries = [{"solutionArn": arn} for arn in solutions]
    respond("list_solutions", {"solutions": summaries}, datasetGroupArn=SHOP)


@pytest.mark.parametrize("recommenders", [{"recommenders": [{"name": "top"}]}, "AccessDenied"])
def test_a_group_of_recommenders_needs_no_pipeline(run, respond, recommenders):
    """The emulator has no recommenders, so Stubber answers."""
    respond_with_shop(respond)
    respond("list_recommenders", recommenders, datasetGroupArn=SHOP)
    respond("list_event_trackers", {"eventTrackers": []}, datasetGroupArn=SHOP)
    assert adopted(run, SHOP).err.splitlines()[-1] == (
        f"{SHOP} is a group of the domain ECOMMERCE without solutions of its own: Personalize "
        "retrains its recommenders itself, so no pipeline is needed; to retrain a model on "
        "your own schedule, create a solution in the group"
    )


def test_a_group_whose_solutions_are_all_unknown_is_refused(run, respond):
    arn = f"{ARN}:solution/shop"
    respond_with_shop(respond, solutions=[arn])
    solution = {"status": "ACTIVE", "recipeArn": f"{RECIPES}/aws-new"}
    respond("describe_solution", {"solution": solution}, solutionArn=arn)
    respond("list_solution_versions", {"solutionVersions": []}, solutionArn=arn, maxResults=100)
    respond("list_campaigns", {"campaigns": []}, solutionArn=arn)
    respond("list_recommenders", {"recommenders": []}, datasetGroupArn=SHOP)
    respond("list_event_trackers", {"eventTrackers": []}, datasetGroupArn=SHOP)
    assert adopted(run, SHOP).err.splitlines()[-1] == (
        f"{SHOP} has no solution that this release can retrain: {arn} (aws-new); create one with "
        "another recipe"
    )


def test_other_errors_of_aws_are_one_line(run, respond):
    respond_with_shop(respond)
    respond("list_recommenders", "InvalidInputException", datasetGroupArn=SHOP)
    assert adopted(run, SHOP).err.splitlines()[-1] == (
        "AWS refused ListRecommenders: InvalidInputException: no"
    )
    respond("describe_dataset_group", "AccessDeniedException", datasetGroupArn=SHOP)
    assert adopted(run, SHOP).err.splitlines()[-1] == (
        "these credentials may not call DescribeDatasetGroup: no; `retrain doctor --policy` prints "
        "the permissions that the commands need"
    )


def test_a_group_that_is_not_active_is_refused(run, respond):
    group = {"datasetGroupArn": SHOP, "status": "CREATE PENDING"}
    respond("describe_dataset_group", {"datasetGroup": group}, datasetGroupArn=SHOP)
    assert adopted(run, SHOP).err.splitlines()[-1] == (
        f"{SHOP} is CREATE PENDING, not ACTIVE; wait until it is ACTIVE, or name another group"
    )


def test_exports_that_cannot_be_read_give_no_ids(run, project_dir, monkeypatch):
    def refuse(*_):
        raise EndpointConnectionError(endpoint_url="https://s3")

    monkeypatch.setattr("retrain.act.adopt.read_probe_ids", refuse)
    assert adopted(run).code == 0
    (solution,) = config_of(project_dir)["solutions"]
    assert solution["campaigns"] == [{"campaignArn": CAMPAIGN}], "without a probe"
