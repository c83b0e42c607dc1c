"""Pulumi component that retrains an Amazon Personalize dataset group on a schedule."""

from . import settings
from .args import (
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
from .errors import InvalidPipelineError
from .pipeline import RetrainingPipeline

__all__ = [
    "ApprovalArgs",
    "BakeArgs",
    "BatchJobArgs",
    "CampaignArgs",
    "DatasetArgs",
    "DatasetsArgs",
    "InvalidPipelineError",
    "LimitsArgs",
    "NotificationsArgs",
    "ProbeArgs",
    "QualityRuleArgs",
    "RetrainingPipeline",
    "RetrainingPipelineArgs",
    "SolutionArgs",
    "TriggerArgs",
    "settings",
]
