"""Pulumi component that retrains an Amazon Personalize dataset group on a schedule."""

from .args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from .retraining_pipeline import InvalidPipelineError, RetrainingPipeline

__all__ = [
    "CampaignArgs",
    "DatasetArgs",
    "DatasetsArgs",
    "InvalidPipelineError",
    "LimitsArgs",
    "ProbeArgs",
    "QualityRuleArgs",
    "RetrainingPipeline",
    "RetrainingPipelineArgs",
    "SolutionArgs",
]
