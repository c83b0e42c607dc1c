"""Writes the solutions and campaigns of a stack file. All functions are pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.rules.fields import MRR, NDCG_AT_10
from functions.personalize.statuses import is_active
from functions.planning.resource_guards import PROBE_KEYS, UPDATE_RECIPES
from retrain.act.yaml_lines import Section, comment, heading, scalar

if TYPE_CHECKING:
    from retrain.act.adopted_group import AdoptedCampaign, AdoptedGroup, AdoptedSolution
    from retrain.act.probe_ids import ProbeIds

SEGMENT_RECIPES = ("aws-item-affinity", "aws-item-attribute-affinity")
"""The recipes of user segments. Their solutions are trained, but have no campaigns."""
KNOWN_RECIPES = {*PROBE_KEYS, *UPDATE_RECIPES, *SEGMENT_RECIPES}
GATE_METRICS = (
    NDCG_AT_10,
    f"{MRR}_at_25",
    "precision_at_10",
    "average_rewards_at_k",
    "trend_prediction_accuracy",
    "coverage",
)
"""The metrics for a quality gate, the best first. A solution has some of them."""
MIN_RESULTS = 1
"""A catalogue may be small, so a probe asks for one result at least."""


def solutions_section(group: AdoptedGroup, probe_ids: ProbeIds, project: str) -> Section:
    """Return the lines and the notes about the solutions."""
    lines = [
        *heading("SOLUTIONS"),
        *comment(1, "All solutions are trained after the imports, in parallel."),
    ]
    notes = []
    if group.receives_events:
        lines += comment(
            1,
            "An event tracker streams interactions into the group, so solutions are also trained "
            "when no export has changed.",
        )
    lines.append(f"  {project}:solutions:")
    for solution in group.solutions:
        problem = unusable_solution(solution)
        if problem is None:
            section = _solution_section(solution, probe_ids)
            lines += section.lines
            notes += section.notes
        else:
            notes.append(f"{solution.arn} is left out: {problem}")
            lines += [
                *comment(2, f"Left out: {problem}."),
                f"    # - solutionArn: {solution.arn}",
            ]
    return Section(lines, notes)


def unusable_solution(solution: AdoptedSolution) -> str | None:
    """Return why a solution cannot be retrained by the pipeline, or None if it can."""
    if not is_active(solution.status):
        return f"the solution is {solution.status}, not ACTIVE"
    if not solution.recipe:
        return "the solution has no recipe of its own, because it was created with AutoML"
    if solution.recipe not in KNOWN_RECIPES:
        return f"this release does not know the recipe {solution.recipe}"
    return None


def _solution_section(solution: AdoptedSolution, probe_ids: ProbeIds) -> Section:
    """Return the lines and the notes about a solution that can be retrained."""
    notes = []
    comments = [f"Its recipe is {solution.recipe}."]
    if solution.training_hours is not None:
        comments.append(f"The newest version took {solution.training_hours:.1f} training hours.")
    lines = comment(3, " ".join(comments))
    lines[0] = lines[0].replace("      #", "    - #", 1)
    if solution.automatic_training:
        warning = (
            f"also trains automatically, {solution.automatic_training}, which costs money twice; "
            f"turn that off with 'aws personalize update-solution --solution-arn {solution.arn} "
            "--no-perform-auto-training'"
        )
        notes.append(f"{solution.arn} {warning}")
        lines += comment(3, f"WARNING: the solution {warning}")
    lines += [
        f"      solutionArn: {solution.arn}",
        *_training_mode_lines(solution.recipe),
        *_gate_lines(solution),
    ]
    lines += [
        *comment(3, "A person approves each version that has passed the gate, within this time:"),
        "      # approval:",
        "      #   timeoutHours: 72",
    ]
    if any(is_active(campaign.status) for campaign in solution.campaigns):
        lines += [
            *comment(3, "The campaigns that move to a new version which passes the gate."),
            "      campaigns:",
        ]
    elif solution.recipe in SEGMENT_RECIPES:
        lines += comment(3, "Solutions of this recipe have no campaigns, so it is only trained.")
    else:
        lines += comment(3, "The solution has no campaign that is ACTIVE, so it is only trained.")
    for campaign in solution.campaigns:
        section = _campaign_section(solution, campaign, probe_ids)
        lines += section.lines
        notes += section.notes
    return Section(lines, notes)


def _training_mode_lines(recipe: str) -> list[str]:
    """Return the training mode, and what else the recipe supports."""
    if recipe in UPDATE_RECIPES:
        return [
            *comment(3, "FULL trains a new model. UPDATE adds new items and interactions to the "
                         "existing model, which is cheaper, and is FULL once a week:"),
            "      # trainingMode: UPDATE",
            "      trainingMode: FULL",
        ]  # fmt: skip
    return [*comment(3, "The recipe supports no other mode."), "      trainingMode: FULL"]


def _gate_lines(solution: AdoptedSolution) -> list[str]:
    """Return the quality gate for the metrics that the newest version has."""
    metric = next((name for name in GATE_METRICS if name in solution.metrics), None)
    has_other_metrics = bool(solution.metrics) and metric is None
    value = f" of the newest version is {solution.metrics[metric]:.4f}" if metric else ""
    if has_other_metrics:
        return [
            *comment(3, "Without a quality gate, because the newest version has none of the usual "
                         f"metrics. It has {', '.join(sorted(solution.metrics))}."),
            "      qualityGateEnabled: false",
        ]  # fmt: skip
    metric = metric or NDCG_AT_10
    return [
        *comment(3, "A campaign moves to a new version only if the metric falls by no more than "
                     f"maxDrop (a share).{' The value' + value + '.' if value else ''}"),
        "      qualityGate:",
        f"        - metric: {metric}",
        "          maxDrop: 0.25",
    ]  # fmt: skip


def _campaign_section(
    solution: AdoptedSolution, campaign: AdoptedCampaign, probe_ids: ProbeIds
) -> Section:
    """Return the lines and the notes about a campaign."""
    if not is_active(campaign.status):
        note = f"{campaign.arn} is left out: the campaign is {campaign.status}, not ACTIVE"
        lines = [
            *comment(4, f"Left out: the campaign is {campaign.status}, not ACTIVE."),
            f"        # - campaignArn: {campaign.arn}",
        ]
        return Section(lines, [note])
    lines = [f"        - campaignArn: {campaign.arn}"]
    notes = []
    if campaign.follows_newest:
        notes.append(
            f"{campaign.arn}: syncWithLatestSolutionVersion deploys every version past the quality "
            "gate and the probe, so runs are refused until it is off; `retrain doctor` prints the "
            "command"
        )
        lines += comment(
            5,
            "WARNING: syncWithLatestSolutionVersion deploys every version past the quality gate "
            "and the probe, so runs are refused until it is off. `retrain doctor` prints the "
            "command.",
        )
    lines += _probe_lines(solution.recipe, probe_ids)
    return Section(lines, notes)


def _probe_lines(recipe: str, probe_ids: ProbeIds) -> list[str]:
    """Return a probe of the key that the recipe needs, or a comment with an example.

    A probe is a comment if no export could be read, because an invented id may have no results.
    """
    key = PROBE_KEYS.get(recipe, "userId")
    if key is None:
        return comment(5, "Campaigns of this recipe do not answer a probe.")
    user_id = scalar(probe_ids.user_id or "USER-ID")
    item_ids = [json.dumps(item, ensure_ascii=False) for item in probe_ids.item_ids or ("ITEM-ID",)]
    found = {
        "userId": probe_ids.user_id is not None,
        "itemId": bool(probe_ids.item_ids),
        "inputList": probe_ids.user_id is not None and bool(probe_ids.item_ids),
    }
    keys = {
        "userId": [f"userId: {user_id}"],
        "itemId": [f"itemId: {item_ids[0]}"],
        "inputList": [f"userId: {user_id}", f"inputList: [{', '.join(item_ids)}]"],
    }[key]
    probe = [
        "probe:",
        *(f"  {line}" for line in (*keys, f"minResults: {MIN_RESULTS}", "minutes: 10")),
    ]
    about = (
        "After each update, the pipeline requests recommendations for this many minutes. If a "
        "request fails or returns too few results, the campaign moves back."
    )
    if found[key]:
        about += " The ids are from the last export."
        return [*comment(5, about), *(f"          {line}" for line in probe)]
    about += " The exports could not be read, so write ids from your data and remove the #."
    return [*comment(5, about), *(f"          # {line}" for line in probe)]
