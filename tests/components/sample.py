"""The arguments of the pipelines that tests deploy."""

from components import (
    ApprovalArgs,
    BakeArgs,
    BatchJobArgs,
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    NotificationsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    TriggerArgs,
)
from components.function_configs import FUNCTION_CONFIGS
from tests.world import MOVIES, PERSONALIZE, solution

NAME = "retraining-dev"
STEPS_WITHOUT_TRIGGER = [step for step in FUNCTION_CONFIGS if step != "start_on_export"]
"""The steps of a pipeline that is only started by its schedule."""
EMAIL = "team@example.com"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-aaaa-bbbb-cccc-222222222222"
DATA_KEY = "arn:aws:kms:eu-west-1:123456789012:key/33333333-aaaa-bbbb-cccc-444444444444"
USERS_TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders"
IMPORT_ROLE = "arn:aws:iam::123456789012:role/service/personalize-import"


def minimal(**changes):
    """Return the smallest arguments, with changes: one dataset, one solution and no campaign."""
    group = MOVIES.with_datasets("interactions").with_solutions(solution("movies", campaigns=[]))
    return group.with_options(**{"import_role_arn": None, **changes}).args


def complete(wrap=lambda value: value, **changes):
    """Return arguments with every option except an import role, with changes.

    `wrap` is applied to each ARN and location.
    """
    return RetrainingPipelineArgs(
        **{
            "datasets": DatasetsArgs(
                interactions=DatasetArgs(
                    dataset_arn=wrap(f"{PERSONALIZE}:dataset/movies/INTERACTIONS"),
                    data_location=wrap("s3://exports/{date}/interactions/"),
                    import_mode="INCREMENTAL",
                    ready_marker=wrap("s3://markers/done/{date}/interactions"),
                    max_event_age="36 hours",
                    strict_events=True,
                ),
                items=DatasetArgs(
                    dataset_arn=wrap(f"{PERSONALIZE}:dataset/movies/ITEMS"),
                    data_location=wrap("s3://catalogue/items.csv"),
                    ready_marker=wrap("s3://markers/done/{date}/items"),
                ),
            ),
            "solutions": [
                SolutionArgs(
                    solution_arn=wrap(f"{PERSONALIZE}:solution/for-you"),
                    training_mode="UPDATE",
                    quality_gate=[
                        QualityRuleArgs(metric="coverage", minimum=0.2),
                        QualityRuleArgs(
                            metric="precision_at_5",
                            max_drop=0.1,
                            relative_to=wrap(f"{PERSONALIZE}:solution/similar"),
                            max_baseline_drop=0.4,
                        ),
                    ],
                    approval=ApprovalArgs(timeout_hours=12),
                    campaigns=[
                        CampaignArgs(
                            # Its alarms are named by it, so it is a plain value.
                            campaign_arn=f"{PERSONALIZE}:campaign/for-you",
                            probe=ProbeArgs(
                                user_id="u1",
                                filter_arn=wrap(f"{PERSONALIZE}:filter/unseen"),
                                filter_values={"GENRE": '"Drama"'},
                                context={"DEVICE": "mobile"},
                            ),
                            bake=BakeArgs(hours=2, alarms=[wrap(ALARM)], create_alarms=True),
                        ),
                        CampaignArgs(campaign_arn=wrap(f"{PERSONALIZE}:campaign/mail")),
                    ],
                ),
                SolutionArgs(
                    solution_arn=wrap(f"{PERSONALIZE}:solution/similar"),
                    batch_jobs=[
                        BatchJobArgs(
                            input=wrap("s3://batch/items.json"),
                            output=wrap("s3://batch/similar/{date}/"),
                            num_results=10,
                            filter_arn=wrap(f"{PERSONALIZE}:filter/in-stock"),
                            themes="TITLE",
                            exploration_weight=0.3,
                            exploration_item_age_cut_off=30,
                            on_rejected="live",
                            max_hours=6,
                        )
                    ],
                ),
            ],
            "retraining_rate": "cron(0 3 ? * MON *)",
            "timezone": "Europe/Berlin",
            "paused": True,
            "trigger": TriggerArgs(on_export=True),
            "limits": LimitsArgs(max_trainings_per_month=35),
            "training_hour_price": 0.24,
            "notifications": NotificationsArgs(emails=[EMAIL], on="problems"),
            "tags": {"team": "discovery", "7": "days"},
            "permissions_boundary_arn": wrap(BOUNDARY),
            "log_retention_days": 30,
            "kms_key_arn": wrap(KEY),
            "data_kms_key_arn": wrap(DATA_KEY),
            **changes,
        }
    )
