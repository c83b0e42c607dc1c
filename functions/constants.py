"""The names and limits that the functions share with the deployed resources.

The component reads them too (`components/constants.py`), and may be installed without boto3. So
this module imports only the standard library.
"""

from datetime import timedelta

GUIDE_PAGES = "https://git.example.com/ml/personalize-retraining/blob/HEAD/docs"
"""The pages that messages link to, for whoever reads a message without a checkout. `make address`
sets the address."""
RESERVED_TAG_PREFIX = "retraining-"
"""The prefix of the pipeline's own tag keys."""
PIPELINE_TAG = f"{RESERVED_TAG_PREFIX}pipeline"
"""The tag with the pipeline's name. Every resource and every job has it."""
DATE_PLACEHOLDER = "{date}"
"""The placeholder for a run's day in a location. A UTC date replaces it, like 2026-11-29."""
EVENT_DATASETS = ("interactions", "actionInteractions")
"""The datasets whose rows are events, with a time and a type."""

MAX_WAIT_FOR_OLDER_RUN = timedelta(hours=24)
"""How long a run may wait for an older run."""
MAX_WAIT_FOR_DELETION = timedelta(hours=26)
"""How long after its start a run waits while users are being deleted, which may take a day:
https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html."""
MAX_TRIAL_WITHOUT_BAKE = timedelta(hours=24)
"""A run gives up on a trial after this time plus the hours of the bake. The trial remains open,
which sets off an alarm."""
REPORTED_ERROR = "RetrainingFailed"
"""The error of an execution that failed after sending its report, so `close_run` sends none."""
STOPPED_ERROR = "Stopped"
"""The error of an execution that `retrain stop` has stopped, with its trainings."""
UNSUCCESSFUL_STATUSES = ("FAILED", "TIMED_OUT", "ABORTED")
"""The statuses of an execution that ended without success."""

METRICS_NAMESPACE = "PersonalizeRetraining"
"""The namespace of the pipeline's own metrics in CloudWatch."""
PIPELINE_DIMENSION = "Pipeline"
"""The dimension that each of these metrics has. Its value is the pipeline's name."""
RUNS = "Runs"
UNDELIVERED_REPORTS = "UndeliveredReports"
TRAINING_HOURS = "TrainingHours"
MODEL_AGE_HOURS = "ModelAgeHours"
DATA_AGE_HOURS = "DataAgeHours"
NEWEST_EVENT_AGE_HOURS = "NewestEventAgeHours"
UNFINISHED_TRIALS = "UnfinishedTrials"
INACTIVE_RECOMMENDERS = "InactiveRecommenders"

CLIENT_ERRORS = "4xx"
SERVER_ERRORS = "5xx"
LATENCY = "latency"
BAKE_ALARM_NAMES = (CLIENT_ERRORS, SERVER_ERRORS, LATENCY)
"""The alarms that `createAlarms` creates. The names of the real alarms contain these names."""

NDCG = "normalized_discounted_cumulative_gain"
MRR = "mean_reciprocal_rank"
NDCG_METRICS = tuple(f"{NDCG}_at_{k}" for k in (5, 10, 25))
"""The normalized discounted cumulative gain at 5, 10 and 25 recommendations."""
ITEM_METRICS = (
    "coverage",
    f"{MRR}_at_25",
    *NDCG_METRICS,
    *(f"precision_at_{k}" for k in (5, 10, 25)),
    "average_rewards_at_k",
    f"{NDCG}_with_event_weights_at_k",
)
"""The metrics of recipes that recommend items. The last two need an objective or event weights in
the solution: https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
TREND_METRIC = "trend_prediction_accuracy"
"""A metric that only the recipe for trending items has."""

QUOTED_STRING_PATTERN = r'"[^"]*"'
QUOTED_STRING_LIST_PATTERN = rf"\s*{QUOTED_STRING_PATTERN}(\s*,\s*{QUOTED_STRING_PATTERN})*\s*"
FILTER_VALUE_PATTERN = rf"{QUOTED_STRING_LIST_PATTERN}|\s*[-+]?[0-9]+(\.[0-9]+)?\s*"
"""The value of a filter parameter: strings in double quotes, or a number.
https://docs.aws.amazon.com/personalize/latest/dg/filter-batch.html"""

DEFAULT_CONSOLE_HOST = "console.aws.amazon.com"
CONSOLE_HOSTS = {"aws-us-gov": "console.amazonaws-us-gov.com", "aws-cn": "console.amazonaws.cn"}
"""Partition -> the host of its AWS console, if it isn't DEFAULT_CONSOLE_HOST."""
