"""Creates the resources that have to exist before a stack is deployed.

The stack's settings only name these resources: exports in S3, the dataset group with its solutions
and campaigns, and IAM roles.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from components.args import DatasetArgs, to_camel_case
from components.rules.arns import to_dataset_type
from functions.constants import DATE_PLACEHOLDER
from functions.personalize.trainings import list_versions
from functions.s3.exports import split_location
from retrain.account.errors import OperatorError
from retrain.account.output import print_progress
from retrain.names import short_name
from retrain.rehearsal.data import read_records
from retrain.rehearsal.recipes import POPULARITY, build_query, choose_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs, SolutionArgs
    from emulator import Emulator
    from retrain.rehearsal.data import Damage, RehearsalData

PERSONALIZE = "personalize.amazonaws.com"
FILE_ACTIONS = ("s3:GetObject", "s3:ListBucket", "s3:PutObject")
"""What Personalize needs in order to read exports and write the results of batch jobs."""
BATCH_USERS = 3
"""How many users the input of a batch job contains, one on each line."""
RECIPE_ARN_PREFIX = "arn:aws:personalize:::recipe/"
US_EAST_1 = "us-east-1"
"""The only region that CreateBucket doesn't accept as a LocationConstraint."""
MAX_NAME_LENGTH = 63
"""The length limit of names in Personalize."""
POLL_SECONDS = 0.1
DEFAULT_EVENT_TYPE = "interaction"
"""The event type of an interaction without one, because PutEvents needs it."""


class StackResources:
    """Fills an emulator with the resources that a stack's settings name.

    Every public method may raise ClientError if the emulator rejects a request, and OperatorError
    if a resource that was requested becomes FAILED.
    """

    def __init__(
        self, emulator: Emulator, args: RetrainingPipelineArgs, data: RehearsalData
    ) -> None:
        self.emulator = emulator
        self.args = args
        self.data = data
        self.personalize = cast("PersonalizeClient", emulator.client("personalize"))
        self.s3: Any = emulator.client("s3")
        self.iam: Any = emulator.client("iam")
        self.events: Any = emulator.client("personalize-events")

        # If the stack has no datasets, we name the group after the first solution instead, because
        # the config has no group name.
        self.group_name = args.first_arn.name
        self.datasets = self._list_datasets()
        """Dataset type -> its settings."""
        self._upload_count = 0
        """How many times newer exports have been uploaded."""
        self._tracking_id = ""
        """What each event names, if interactions are streamed."""

    @property
    def group_arn(self) -> str:
        """The ARN of the dataset group."""
        return self._build_arn(f"dataset-group/{self.group_name}")

    @property
    def streams_interactions(self) -> bool:
        """True if the stack imports no interactions, so that they have to arrive as events."""
        return self.args.datasets.interactions is None

    @property
    def import_role_arn(self) -> str:
        """The role that Personalize assumes for imports, from the settings or one of our own."""
        default_role = f"arn:aws:iam::{self.emulator.account}:role/{self._build_name('rehearsal')}"
        return str(self.args.import_role_arn or default_role)

    def _list_datasets(self) -> dict[str, DatasetArgs]:
        """Map dataset types to the stack's dataset settings.

        If the stack has no interactions, add settings for them, because Personalize can't train
        anything without interactions.
        """
        configured = self.args.datasets.configured()
        datasets = {to_dataset_type(key): dataset for key, dataset in configured.items()}

        if self.streams_interactions:
            datasets["INTERACTIONS"] = DatasetArgs(
                dataset_arn=self._build_arn(f"dataset/{self.group_name}/INTERACTIONS"),
                # Runs never read this location, because the dataset isn't in the stack's config.
                data_location="s3://rehearsal-interactions/interactions.csv",
                # Like an INCREMENTAL import, events only add to what is in the dataset.
                import_mode="INCREMENTAL",
            )
        return datasets

    def create(self) -> None:
        """Create all resources, and wait until they're ACTIVE.

        The first version of each solution is trained on the older exports, and the solution's
        campaigns serve this version.
        """
        print_progress("writing exports to S3")
        yesterday = get_today() - timedelta(days=1)
        self._upload(yesterday, self.data.older)

        print_progress("creating the dataset group and its datasets")
        self._create_roles()
        self._create_permissions_boundary()
        self._create_datasets()
        if self.streams_interactions:
            self._create_event_tracker()

        print_progress("importing the datasets for the first time")
        self._import(yesterday)

        if self.args.solutions:
            print_progress("training the first solution versions, and creating the campaigns")
            self._create_campaigns(self._create_solutions())

    def write_newer_exports(self, day: date, damage: Damage = "none") -> None:
        """Upload another export of each dataset to where a run on that day looks for it.

        `damage` breaks the interactions in a way that the pipeline is supposed to notice.
        """
        exports = {
            dataset_type: self.data.build_export(
                dataset_type,
                # An INCREMENTAL import appends, so older rows would end up in the dataset twice.
                only_new_rows=dataset.import_mode == "INCREMENTAL",
                # A run skips an export that hasn't changed, so reorder the rows each time.
                rotate_by=self._upload_count,
                damage=damage,
            )
            for dataset_type, dataset in self.datasets.items()
        }

        self._upload(day, exports)
        if self.streams_interactions:
            self._stream(exports["INTERACTIONS"])
        self._upload_count += 1

    def _stream(self, interactions: bytes) -> None:
        """Send interactions as events, because a stack without interactions doesn't import any."""
        for row in read_records(interactions):
            user_id = row["USER_ID"]
            event = {
                "eventType": row.get("EVENT_TYPE") or DEFAULT_EVENT_TYPE,
                "itemId": row["ITEM_ID"],
                "sentAt": int(row["TIMESTAMP"]),
            }
            self.events.put_events(
                trackingId=self._tracking_id, userId=user_id, sessionId=user_id, eventList=[event]
            )

    def let_personalize_train(self) -> None:
        """Start the next automatic training of each solution that Personalize trains.

        Then wait until the new versions are ACTIVE.
        """
        solution_arns = [
            str(solution.solution_arn)
            for solution in self.args.solutions
            if solution.trained_by == "personalize"
        ]
        for solution_arn in solution_arns:
            response = self.emulator.control("POST", "train", {"solutionArn": solution_arn})
            if response != {"started": True}:
                raise OperatorError(f"{solution_arn}: Personalize has nothing new to train on")

        for solution_arn in solution_arns:
            versions = list_versions(self.personalize, solution_arn)
            version_arns = [version["solutionVersionArn"] for version in versions]
            self._wait_until_active("solution_version", version_arns)

    def delete_user(self, user_id: str) -> None:
        """Start a data deletion job for a user, without waiting until the user is deleted."""
        location = "s3://rehearsal-deletion/users.csv"
        self._put_file(location, get_today(), f"USER_ID\n{user_id}\n".encode())

        self.personalize.create_data_deletion_job(
            jobName="rehearsal-deletion",
            datasetGroupArn=self.group_arn,
            dataSource={"dataLocation": location},
            roleArn=self.import_role_arn,
        )

    # Files in S3

    def _upload(self, day: date, exports: Mapping[str, bytes]) -> None:
        """Upload all files that a run on that day reads, and create the buckets for its output."""
        self._upload_batch_inputs(day)
        for dataset_type, dataset in self.datasets.items():
            self._put_file(dataset.data_location, day, exports[dataset_type])

        # A marker says that its export is complete, so upload the markers last.
        for dataset in self.datasets.values():
            if dataset.ready_marker:
                self._put_file(dataset.ready_marker, day, b"")

    def _upload_batch_inputs(self, day: date) -> None:
        """Upload the inputs of all batch jobs, and create the buckets for their outputs."""
        for solution in self.args.solutions:
            for job in solution.batch_jobs:
                self._put_file(job.input, day, self._build_batch_input(solution))
                self._create_bucket(split_location(str(job.output)).bucket)

    def _build_batch_input(self, solution: SolutionArgs) -> bytes:
        """Build the input of a solution's batch jobs, with one line of JSON for each user."""
        recipe_name = choose_recipe(solution)
        users = self.data.list_typical_users()[:BATCH_USERS]
        lines = [json.dumps(build_query(user, recipe_name)) for user in users]
        return "".join(f"{line}\n" for line in lines).encode()

    def _put_file(self, url: object, day: date, content: bytes) -> None:
        """Upload a file to the location of a day, and create its bucket if necessary.

        If the location is a folder, the file becomes the only one in it.
        """
        bucket, key = split_location(_insert_day(url, day))
        if key.endswith("/"):
            key += "part-0.csv"

        self._create_bucket(bucket)
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def _create_bucket(self, bucket: str) -> None:
        """Create a bucket that Personalize may read and write, unless it already exists.

        The bucket policy is the one in the Personalize developer guide.
        """
        existing_buckets = [existing["Name"] for existing in self.s3.list_buckets()["Buckets"]]
        if bucket in existing_buckets:
            return

        request: dict[str, Any] = {"Bucket": bucket}
        region = self.emulator.region
        if region != US_EAST_1:
            request["CreateBucketConfiguration"] = {"LocationConstraint": region}
        self.s3.create_bucket(**request)

        policy = build_policy(
            Principal={"Service": PERSONALIZE},
            Action=FILE_ACTIONS,
            Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        )
        self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    # IAM

    def _create_roles(self) -> None:
        """Create the roles that Personalize assumes for imports and batch jobs."""
        role_arns = {self.import_role_arn, str(self.args.batch_role_arn or self.import_role_arn)}
        trust_policy = build_policy(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
        # The policy can be broad, because the emulator contains only the rehearsal's own files.
        file_policy = build_policy(Action=FILE_ACTIONS, Resource="*")

        for role_arn in sorted(role_arns):
            path, name = _split_iam_arn(role_arn)
            self.iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=trust_policy)
            self.iam.put_role_policy(RoleName=name, PolicyName="files", PolicyDocument=file_policy)

    def _create_permissions_boundary(self) -> None:
        """Create the permissions boundary that the settings name, unless it's managed by AWS."""
        boundary_arn = str(self.args.permissions_boundary_arn)

        # The ARN of an AWS managed policy doesn't contain an account ID.
        if boundary_arn.startswith(f"arn:aws:iam::{self.emulator.account}:"):
            path, name = _split_iam_arn(boundary_arn)
            policy = build_policy(Action="*", Resource="*")
            self.iam.create_policy(Path=path, PolicyName=name, PolicyDocument=policy)

    # Personalize

    def _create_datasets(self) -> None:
        """Create the dataset group, and in it a schema and a dataset for each type."""
        self._create("dataset_group", [{"name": self.group_name}])

        requests = []
        for dataset_type in self.datasets:
            name = self._build_name(dataset_type)
            schema = self.data.schemas[dataset_type]
            schema_arn = self.personalize.create_schema(name=name, schema=schema)["schemaArn"]
            requests.append(
                {
                    "name": name,
                    "schemaArn": schema_arn,
                    "datasetGroupArn": self.group_arn,
                    "datasetType": dataset_type.title(),
                }
            )
        self._create("dataset", requests)

    def _create_event_tracker(self) -> None:
        """Create an event tracker, which receives interactions that the stack doesn't import."""
        request = {"name": self._build_name("rehearsal"), "datasetGroupArn": self.group_arn}
        (tracker_arn,) = self._create("event_tracker", [request])
        response = self.personalize.describe_event_tracker(eventTrackerArn=tracker_arn)
        self._tracking_id = response["eventTracker"]["trackingId"]

    def _import(self, day: date) -> None:
        """Import the exports of a day."""
        requests = [
            {
                "jobName": self._build_name(f"first-{dataset_type}"),
                "datasetArn": str(dataset.dataset_arn),
                "dataSource": {"dataLocation": _insert_day(dataset.data_location, day)},
                "roleArn": self.import_role_arn,
                "importMode": "FULL",
            }
            for dataset_type, dataset in self.datasets.items()
        ]

        self._create("dataset_import_job", requests)

    def _create_solutions(self) -> list[str]:
        """Create the solutions, train a version of each, and return the versions' ARNs."""
        requests = [
            {
                "name": short_name(str(solution.solution_arn)),
                "datasetGroupArn": self.group_arn,
                "recipeArn": f"{RECIPE_ARN_PREFIX}{self._choose_recipe(solution)}",
                "performAutoTraining": solution.trained_by == "personalize",
            }
            for solution in self.args.solutions
        ]
        solution_arns = self._create("solution", requests)

        trainings = [{"solutionArn": arn, "trainingMode": "FULL"} for arn in solution_arns]
        return self._create("solution_version", trainings)

    def _choose_recipe(self, solution: SolutionArgs) -> str:
        """Choose a recipe for a solution.

        If a quality gate names the solution in `relativeTo`, it's a baseline and gets POPULARITY.
        """
        for other_solution in self.args.solutions:
            for rule in other_solution.quality_gate:
                if rule.relative_to == solution.solution_arn:
                    return POPULARITY
        return choose_recipe(solution)

    def _create_campaigns(self, version_arns: Sequence[str]) -> None:
        """Create all campaigns, each of which serves the version of its solution."""
        requests = [
            {
                "name": short_name(str(campaign.campaign_arn)),
                "solutionVersionArn": version_arn,
                "minProvisionedTPS": 1,
            }
            for solution, version_arn in zip(self.args.solutions, version_arns, strict=True)
            for campaign in solution.campaigns
        ]

        self._create("campaign", requests)

    def _create(self, resource_type: str, requests: Iterable[Mapping[str, object]]) -> list[str]:
        """Create resources of one type, for example `solution_version`, and return their ARNs.

        Only returns when all of them are ACTIVE. Raises OperatorError if one of them fails.
        """
        create = getattr(self.personalize, f"create_{resource_type}")
        arn_key = f"{to_camel_case(resource_type)}Arn"
        arns = [create(**request)[arn_key] for request in requests]
        self._wait_until_active(resource_type, arns)
        return arns

    def _wait_until_active(self, resource_type: str, arns: Iterable[str]) -> None:
        """Poll resources of one type, for example `solution_version`, until all are ACTIVE.

        Raises OperatorError if one of them fails.
        """
        describe = getattr(self.personalize, f"describe_{resource_type}")
        key = to_camel_case(resource_type)
        for arn in arns:
            while not _is_active(describe(**{f"{key}Arn": arn})[key], arn):
                time.sleep(POLL_SECONDS)

    def _build_arn(self, resource: str) -> str:
        """Build the ARN of a Personalize resource."""
        return f"arn:aws:personalize:{self.emulator.region}:{self.emulator.account}:{resource}"

    def _build_name(self, prefix: str) -> str:
        """Build a name from a prefix and the dataset group's name, cut to MAX_NAME_LENGTH."""
        name_prefix = prefix.lower().replace("_", "-")
        return f"{name_prefix}-{self.group_name}"[:MAX_NAME_LENGTH]


def _insert_day(url: object, day: date) -> str:
    """Replace `{date}` in an S3 URL with a day."""
    return str(url).replace(DATE_PLACEHOLDER, str(day))


def _split_iam_arn(arn: str) -> tuple[str, str]:
    """Split the ARN of a role or a policy into its path and its name."""
    path, _, name = arn[arn.index("/") :].rpartition("/")
    return f"{path}/", name


def build_policy(**statement: object) -> str:
    """Build a JSON policy with a single Allow statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def _is_active(resource: Mapping[str, Any], arn: str) -> bool:
    """Return True if a resource is ACTIVE. Raise OperatorError if it has failed."""
    status = str(resource["status"])
    if status.endswith("FAILED"):
        raise OperatorError(f"{arn}: {status}: {resource.get('failureReason')}")
    return status == "ACTIVE"


def get_today() -> date:
    """Get today's date in UTC."""
    return datetime.now(UTC).date()
