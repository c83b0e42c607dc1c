"""Decides whether a version was trained on data that this pipeline trusts.

A training uses whatever the datasets hold when it starts. The pipeline doesn't trust data that it
hasn't *confirmed* (`imports.py`), or that somebody else's FULL import has put in its place.

Runs check this before they start a training. If Personalize or a person starts one, nobody has, so
runs check it afterwards, from what had been imported when that training started.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ..common.formatting import resource_name
from ..common.hashes import compute_short_hash
from ..common.messages import Message, Reason
from .imports import (
    Import,
    explain_needed_full_import,
    find_foreign_replacement,
    list_effective_imports,
    list_unconfirmed_imports,
)
from .versions import SolutionVersion

IMPORTS_HASH_LENGTH = 24
"""The number of hexadecimal digits in the first part of a digest, the hash of the imports."""


class UntrustedImport(NamedTuple):
    """An import whose data the pipeline doesn't trust, although its dataset holds it."""

    job: Import
    is_foreign: bool
    """True if this pipeline didn't start the import, False if it never confirmed it."""
    is_dataset_full: bool
    """True if the dataset's configured importMode is FULL."""


def compute_digest(imports: Iterable[Import], config_hash: str) -> str:
    """Compute the digest of a training on these imports with this configuration."""
    arns = sorted(job.arn for job in list_effective_imports(imports))
    return f"{compute_short_hash(' '.join(arns), IMPORTS_HASH_LENGTH)}-{config_hash}"


def find_untrusted_import(
    imports: Sequence[Import],
    is_full_by_dataset_arn: Mapping[str, bool],
    *,
    accepts_foreign_data: bool = False,
) -> UntrustedImport | None:
    """Return an import that makes the data of a configured dataset untrusted, or None.

    A person may accept foreign data, but not an unconfirmed import, which may be incomplete.
    """
    for dataset_arn, is_full in is_full_by_dataset_arn.items():
        dataset_imports = [job for job in imports if job.dataset_arn == dataset_arn]

        # A later foreign import doesn't help, because it isn't confirmed either.
        unconfirmed = list_unconfirmed_imports(dataset_imports)
        if unconfirmed:
            return UntrustedImport(unconfirmed[-1], is_foreign=False, is_dataset_full=is_full)

        foreign = find_foreign_replacement(dataset_imports, is_full=is_full)
        if foreign is not None and not accepts_foreign_data:
            return UntrustedImport(foreign, is_foreign=True, is_dataset_full=is_full)
    return None


def explain_refused_training(untrusted: UntrustedImport, daily_types: Mapping[str, str]) -> Reason:
    """Explain why an untrusted import prevents a training, and what to do about it.

    `daily_types` maps the ARN of each dataset with an export for each day to its type.
    """
    job = untrusted.job
    if untrusted.is_foreign:
        return Message(
            text=(
                f"{job.arn}, which this pipeline did not start, is the newest FULL import of its "
                "dataset; let the next run import the export, or train on this data"
            ),
            command="retrain start --skip-import",
        )

    if _needs_full_import(untrusted):
        return explain_needed_full_import(job)

    command = "retrain start"
    daily_type = daily_types.get(job.dataset_arn)
    if daily_type is not None:
        # A run of a later day doesn't read this export, and is refused until its own is ready.
        command = f"retrain start --dataset {daily_type} --export-date {job.created_day}"

    # The next run may still confirm the import, or find out that it can't be confirmed.
    return Message(
        text=(
            f"{job.arn} may have imported only a part of its export, because no run has found the "
            "export unchanged after the import; let another run compare them"
        ),
        command=command,
    )


def _needs_full_import(untrusted: UntrustedImport) -> bool:
    """Check if only a FULL import can replace the unconfirmed rows."""
    job = untrusted.job
    return not untrusted.is_dataset_full and (job.is_full or job.is_tainted)


def list_imports_ended_by(imports: Iterable[Import], started_at: datetime) -> list[Import]:
    """List the imports that had succeeded when a training started."""
    return [job for job in imports if job.is_active and job.ended_at <= started_at]


def list_imports_running_at(imports: Iterable[Import], started_at: datetime) -> list[Import]:
    """List the imports that were running when a training started, except those that failed.

    An import that is still running may succeed, so it counts as if it had.
    """
    return [
        job._replace(is_running=False, is_active=True)
        for job in imports
        if job.created_at <= started_at
        if job.is_running or (job.is_active and job.ended_at > started_at)
    ]


def infer_digest(
    version: SolutionVersion, imports: Iterable[Import], config_hash: str = ""
) -> SolutionVersion:
    """Add the digest of a version that no run trained, from the imports at its start.

    Without `config_hash`, only the first part of the digest can be compared.
    """
    imports_at_start = list_imports_ended_by(imports, version.created_at)
    return version._replace(digest=compute_digest(imports_at_start, config_hash))


def judge_training_data(
    version: SolutionVersion, imports: Iterable[Import], is_full_by_dataset_arn: Mapping[str, bool]
) -> SolutionVersion:
    """Add what is wrong with the data of a version that no run trained.

    `imports` are those of the dataset group, as they are now. So if a run confirms an import later,
    the version becomes acceptable.
    """
    used = list_imports_ended_by(imports, version.created_at)
    perhaps_used = list_imports_running_at(imports, version.created_at)

    # Nobody knows whether the training saw a running import's rows, so the data must be trusted
    # without them and with them. A running FULL import may have replaced foreign rows too late.
    untrusted = find_untrusted_import(used, is_full_by_dataset_arn)
    if untrusted is None:
        untrusted = find_untrusted_import([*used, *perhaps_used], is_full_by_dataset_arn)

    return version._replace(
        untrusted_data=_explain_untrusted_data(untrusted) if untrusted else None,
        data_warnings=[_warn_of_running_import(job, version) for job in perhaps_used],
    )


def _explain_untrusted_data(untrusted: UntrustedImport) -> str:
    """Explain why the data of a version that no run trained isn't trusted."""
    problem = f"it was trained on {untrusted.job.arn},"
    if untrusted.is_foreign:
        return (
            f"{problem} a FULL import that this pipeline did not start; wait for a version that is "
            "trained after the next import of the export"
        )

    if _needs_full_import(untrusted):
        return (
            f"{problem} which may have other rows than its export; import a complete export with "
            'importMode FULL ("Replace bad data" in docs/emergencies.md)'
        )
    return f"{problem} which may lack a part of its export; wait until a run has confirmed it"


def _warn_of_running_import(job: Import, version: SolutionVersion) -> str:
    """Warn that a version may lack the rows of an import that was running when it was trained."""
    solution_arn, _, version_id = version.arn.rpartition("/")
    return (
        f"the import {resource_name(job.arn)} was running when the training of {version_id} "
        "started, so it may lack rows; let runs start earlier, or train now: "
        f"`aws personalize create-solution-version --solution-arn {solution_arn}`"
    )
