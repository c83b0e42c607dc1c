"""Documents and API answers with nothing special about them; a test changes what it is about."""

from datetime import UTC, datetime, timedelta

from functions.exports import Beginning, Export, Object
from functions.planning.world import World

REGION = "eu-west-1"
ARN = f"arn:aws:personalize:{REGION}:123456789012"
DATASET = f"{ARN}:dataset/movies/INTERACTIONS"
ITEMS = f"{ARN}:dataset/movies/ITEMS"
GROUP = f"{ARN}:dataset-group/movies"
SCHEMA = f"{ARN}:schema/interactions"
SOLUTION = f"{ARN}:solution/taste"
OTHER_SOLUTION = f"{ARN}:solution/similar"
VERSION, OLD_VERSION, FOREIGN_VERSION = (f"{SOLUTION}/{each}" for each in ("new", "old", "foreign"))
CAMPAIGN = f"{ARN}:campaign/home"
ROLE = "arn:aws:iam::123456789012:role/import"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
PREFIX = "0a1b2c3d"
RUN_ID = "20261129T030000Z"
LOCATION = "s3://exports/interactions.csv"
FINGERPRINT = "e4f62bba75eba9fa267af92b48fb83dc"
TAGS = {
    "team": "recommendations",
    "retraining-run": RUN_ID,
    "retraining-bytes": "1000",
    "retraining-objects": "1",
    "retraining-fingerprint": FINGERPRINT,
}
API_TAGS = [{"tagKey": key, "tagValue": value} for key, value in TAGS.items()]
NDCG = "normalized_discounted_cumulative_gain_at_10"
RULES = [{"metric": NDCG, "maxDrop": 0.25}]
PROBE = {"userId": "1", "minResults": 5, "minutes": 10}
JOB_NAME = f"{PREFIX}-{RUN_ID}-interactions-1"
IMPORT_JOB = f"{ARN}:dataset-import-job/{JOB_NAME}"
VERSION_NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"
EXECUTION = f"arn:aws:states:{REGION}:123456789012:execution:retraining:first"
SCHEDULE = f"arn:aws:scheduler:{REGION}:123456789012:schedule/group/weekly"

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


def ago(hours=0, **units):
    return NOW - timedelta(hours=hours, **units)


def iso(hours=0, **units):
    return ago(hours, **units).isoformat()


# What the API answers


def import_job(**changes):
    return {
        "jobName": JOB_NAME,
        "datasetImportJobArn": IMPORT_JOB,
        "datasetArn": DATASET,
        "dataSource": {"dataLocation": LOCATION},
        "roleArn": ROLE,
        "importMode": "FULL",
        "status": "CREATE IN_PROGRESS",
        "creationDateTime": ago(minutes=20),
        "lastUpdatedDateTime": ago(minutes=5),
        **changes,
    }


def import_summary(**changes):
    return {
        "jobName": "monday",
        "datasetImportJobArn": f"{ARN}:dataset-import-job/monday",
        "importMode": "FULL",
        "status": "ACTIVE",
        "creationDateTime": ago(48),
        "lastUpdatedDateTime": ago(47.5),
        **changes,
    }


def version(**changes):
    return {
        "name": VERSION_NAME,
        "solutionVersionArn": VERSION,
        "solutionArn": SOLUTION,
        "trainingMode": "FULL",
        "status": "CREATE IN_PROGRESS",
        "creationDateTime": ago(1),
        "lastUpdatedDateTime": ago(0.5),
        **changes,
    }


def version_summary(**changes):
    return {
        "solutionVersionArn": OLD_VERSION,
        "trainingMode": "FULL",
        "status": "ACTIVE",
        "creationDateTime": ago(72),
        "lastUpdatedDateTime": ago(70),
        **changes,
    }


def campaign(**changes):
    return {
        "campaignArn": CAMPAIGN,
        "solutionVersionArn": OLD_VERSION,
        "minProvisionedTPS": 2,
        "campaignConfig": {"itemExplorationConfig": {"explorationWeight": "0.3"}},
        "status": "ACTIVE",
        "creationDateTime": ago(500),
        "lastUpdatedDateTime": ago(100),
        **changes,
    }


def campaign_update(**changes):
    return {
        "solutionVersionArn": VERSION,
        "status": "UPDATE IN_PROGRESS",
        "creationDateTime": ago(minutes=5),
        "lastUpdatedDateTime": ago(minutes=4),
        **changes,
    }


def solution_resource(**changes):
    return {
        "solutionArn": SOLUTION,
        "datasetGroupArn": GROUP,
        "recipeArn": RECIPE,
        "status": "ACTIVE",
        **changes,
    }


def dataset_resource(**changes):
    return {
        "datasetArn": DATASET,
        "datasetGroupArn": GROUP,
        "schemaArn": SCHEMA,
        "status": "ACTIVE",
        **changes,
    }


def group_resource(**changes):
    return {"datasetGroupArn": GROUP, "status": "ACTIVE", **changes}


FIELDS = [
    {"name": "USER_ID", "type": "string"},
    {"name": "ITEM_ID", "type": "string"},
    {"name": "EVENT_VALUE", "type": ["null", "float"]},
    {"name": "TIMESTAMP", "type": "long"},
]


# What lies in S3


def s3_object(**changes):
    return Object(
        **{
            "key": "interactions.csv",
            "size": 1000,
            "etag": '"e1"',
            "modified": ago(2),
            **changes,
        }
    )


def beginning(*rows, **changes):
    return Beginning(
        **{
            "key": "interactions.csv",
            "header": ("USER_ID", "ITEM_ID", "TIMESTAMP"),
            "rows": rows or (("1", "2", "3"),),
            **changes,
        }
    )


def export(**changes):
    return Export(
        **{
            "location": LOCATION,
            "objects": [s3_object()],
            "beginnings": [beginning()],
            **changes,
        }
    )


# What travels through the state machine


def dataset_settings(**changes):
    return {
        "type": "interactions",
        "datasetArn": DATASET,
        "dataLocation": LOCATION,
        "importMode": "FULL",
        "minRelativeSize": 0.5,
        "readyMarker": None,
        **changes,
    }


def solution_settings(**changes):
    return {
        "solutionArn": SOLUTION,
        "trainingMode": "FULL",
        "qualityGate": RULES,
        "campaigns": [{"campaignArn": CAMPAIGN, "probe": None}],
        **changes,
    }


def settings(**changes):
    return {
        "prefix": PREFIX,
        "importRoleArn": ROLE,
        "datasets": [dataset_settings()],
        "solutions": [solution_settings()],
        "limits": {
            "maxImportHours": 6,
            "maxTrainingHours": 24,
            "maxCampaignHours": 3,
            "maxTrainingsPerMonth": 0,
        },
        "skipWhenUnchanged": True,
        "autoTraining": "warn",
        "tags": {"team": "recommendations"},
        **changes,
    }


def configured(request=None, **changes):
    return {
        "settings": settings(),
        "request": {} if request is None else request,
        "executionArn": EXECUTION,
        "startedAt": NOW.isoformat(),
        **changes,
    }


def run(request=None, **changes):
    return {
        "id": RUN_ID,
        "trigger": "schedule",
        "startedAt": NOW.isoformat(),
        "executionArn": EXECUTION,
        "request": {} if request is None else request,
        **changes,
    }


def world(**changes):
    standard = {
        "now": NOW,
        "groups": {GROUP: group_resource()},
        "datasets": {DATASET: dataset_resource()},
        "schemas": {DATASET: FIELDS},
        "exports": {DATASET: export()},
        "import_jobs": {DATASET: [import_summary()]},
        "solutions": {SOLUTION: solution_resource()},
        "versions": {SOLUTION: [version_summary()]},
        "campaigns": {CAMPAIGN: campaign()},
    }
    return World(**{**standard, **changes})


def planned_import(**changes):
    return {
        "type": "interactions",
        "jobName": JOB_NAME,
        "datasetArn": DATASET,
        "dataLocation": LOCATION,
        "importMode": "FULL",
        "roleArn": ROLE,
        "tags": TAGS,
        "durations": [1800],
        "maxHours": 6,
        **changes,
    }


def planned_campaign(**changes):
    return {"campaignArn": CAMPAIGN, "probe": None, "durations": [900], "maxHours": 3, **changes}


def planned_solution(**changes):
    return {
        "solutionArn": SOLUTION,
        "versionName": VERSION_NAME,
        "trainingMode": "FULL",
        "existingVersionArn": None,
        "existingVersionIsForeign": False,
        "dataAsOf": iso(47.5),
        "tags": TAGS,
        "qualityGate": RULES,
        "durations": [7200],
        "maxHours": 24,
        "campaigns": [planned_campaign()],
        **changes,
    }


def job(arn=VERSION, **changes):
    """A job that is under way since an hour ago."""
    return {
        "arn": arn,
        "phase": "UNDER_WAY",
        "seconds": 1,
        "status": "CREATE IN_PROGRESS",
        "failure": None,
        "warnings": [],
        "ours": True,
        "createdAt": iso(1),
        **changes,
    }


def ended_job(arn=VERSION, **changes):
    return job(arn, **{"phase": "ACTIVE", "status": "ACTIVE", "endedAt": iso(0.5), **changes})


def dataset_result(**changes):
    return {
        "dataset": planned_import(),
        "job": ended_job(IMPORT_JOB),
        "error": None,
        "outcome": "IMPORTED",
        **changes,
    }


def evaluation(**changes):
    """What the gate said of a version that is a little better."""
    return {
        "verdict": "ACCEPTED",
        "comparedWith": OLD_VERSION,
        "reasons": [],
        "notes": [],
        "metrics": {NDCG: {"new": 0.42, "live": 0.4}},
        **changes,
    }


def probing(**changes):
    return {
        "phase": "NEAR",
        "startedAt": NOW.isoformat(),
        "badInARow": 0,
        "failure": None,
        **changes,
    }


def campaign_result(**changes):
    return {
        "campaign": planned_campaign(),
        "evaluation": evaluation(),
        "update": ended_job(CAMPAIGN, previousVersionArn=OLD_VERSION),
        "probing": None,
        "rollback": None,
        "error": None,
        "outcome": "DEPLOYED",
        **changes,
    }


def solution_result(**changes):
    return {
        "solution": planned_solution(),
        "version": ended_job(),
        "campaigns": [campaign_result()],
        "error": None,
        **changes,
    }


def plan(**changes):
    return {
        "imports": [planned_import()],
        "solutions": [planned_solution()],
        "skipped": None,
        "warnings": [],
        **changes,
    }


def finished(**changes):
    return {
        "run": run(),
        "plan": plan(),
        "imports": {"results": [dataset_result()], "anyFailed": False},
        "solutions": [solution_result()],
        **changes,
    }
