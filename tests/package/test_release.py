"""Proves that a release is described in one place, and that the files of the code host fit it.

`make dist` builds the release, and tests/engine checks the workflows with actionlint.
"""

import re
import subprocess
import sys

import pytest
import yaml

from docs.address import read_address
from docs.release_notes import notes
from tests.package.plugin import ROOT
from tests.package.release import USES
from tests.package.test_schema import PROJECT
from tests.pages import tracked_files

COPY = "https://github.com/other/copy"
TAG = f"v{PROJECT['version']}"
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in GITHUB.glob("workflows/*.yml")}
STEPS = [
    step
    for workflow in WORKFLOWS.values()
    for job in workflow["jobs"].values()
    for step in job.get("steps", ())
]
MANIFESTS = {"requirements.txt": "pip", "go.mod": "gomod", "package.json": "npm"}
"""A file that pins packages -> how Dependabot calls them."""
NOT_PINNED = re.compile(r"examples/|package/requirements")
"""An example is copied, and the plugin takes the requirements of the checkout."""


def commands_of(job):
    """Return the commands of a job in a workflow."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_changelog_begins_with_the_version():
    (first, *_) = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == PROJECT["version"]


def test_the_classifiers_say_what_the_readme_says():
    readme = (ROOT / "README.md").read_text()
    assert f"version {PROJECT['version'].rpartition('.')[0]}, never run on AWS" in readme
    assert "Development Status :: 3 - Alpha" in PROJECT["classifiers"]
    assert "You need Linux (macOS is not tried)" in readme
    systems = [text for text in PROJECT["classifiers"] if text.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]

    oldest = re.search(r"Python (3\.\d+) or newer", readme)[1]
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"Programming Language :: Python :: {oldest}" in PROJECT["classifiers"]


def test_every_extra_is_tried_in_an_empty_environment():
    assert list(USES) == ["", *(f"[{extra}]" for extra in PROJECT["optional-dependencies"])]


@pytest.mark.parametrize(
    "tag, address, problems",
    [
        (TAG, read_address(), []),
        (
            "v9.0",
            read_address(),
            [f"the tag is v9.0, but pyproject.toml has the version {PROJECT['version']}"],
        ),
        (TAG, COPY, [f"pyproject.toml has another address; run: make address URL={COPY}"]),
    ],
    ids=["the release", "another version", "another repository"],
)
def test_a_tag_that_the_files_do_not_describe_is_not_released(tag, address, problems):
    result = subprocess.run(  # noqa: S603
        # Without the site-packages, because the first job of the workflow installs nothing.
        [sys.executable, "-S", "-m", "tests.package.release", tag, address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.splitlines() == problems
    assert result.returncode == bool(problems)


def test_the_check_is_the_one_that_people_run():
    (job,) = WORKFLOWS["check"]["jobs"].values()
    assert commands_of(job) == [".ci/run"]


def test_only_what_was_checked_and_built_is_published_without_a_password():
    jobs = WORKFLOWS["release"]["jobs"]
    needs = {name: job.get("needs") for name, job in jobs.items()}
    assert needs == {
        "compare": None,
        "check": "compare",
        "build": "check",
        "publish": "build",
        "page": "publish",
    }
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
    assert commands_of(jobs["compare"]) == [
        'python -m tests.package.release "$GITHUB_REF_NAME" "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"'
    ]
    assert commands_of(jobs["build"]) == [
        "make dist",
        ".venv/bin/python -m docs.release_notes > notes.md",
    ]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "compare": {"contents": "read"},
        "check": {"contents": "read"},
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
        "page": {
            "contents": "write",
            "id-token": "write",
            "attestations": "write",
            "artifact-metadata": "write",
        },
    }
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text()


def test_the_page_of_the_release_has_the_schema_as_a_file_and_the_changelog_as_its_text():
    jobs = WORKFLOWS["release"]["jobs"]
    uploaded = {
        step["with"]["name"]: step["with"]["path"]
        for step in jobs["build"]["steps"]
        if "path" in step.get("with", {})
    }
    assert uploaded == {
        "distributions": "dist/",
        "schema": "package/schema.json",
        "notes": "notes.md",
    }
    *downloads, attest, create = jobs["page"]["steps"]
    assert [step["with"] for step in downloads] == [
        {"name": "distributions", "path": "files/"},
        {"name": "schema", "path": "files/"},
        {"name": "notes"},
    ]
    assert attest["with"]["subject-path"] == "files/*"
    assert create["run"].endswith(" --notes-file notes.md files/*")


def test_the_notes_are_the_section_of_the_version_with_links_to_the_files_of_the_release():
    changelog = (
        "# Changelog\n\n## 0.20\n\n- later\n\n"
        "## 0.2\n\n- new ([what](docs/runs.md))\n\n### Before\n\n- [a](https://a.org)\n\n"
        "## 0.1\n\n- old\n"
    )
    assert notes(changelog, "0.2", COPY) == (
        f"- new ([what]({COPY}/blob/v0.2/docs/runs.md))\n\n### Before\n\n- [a](https://a.org)\n"
    )
    assert notes(changelog, "0.1", COPY) == "- old\n"
    with pytest.raises(ValueError, match=r"^CHANGELOG\.md has no section '## 0\.3'$"):
        notes(changelog, "0.3", COPY)


def test_every_action_is_pinned_to_a_commit_with_its_version():
    lines = [
        line.strip("- ")
        for path in sorted(GITHUB.glob("workflows/*.yml"))
        for line in path.read_text().splitlines()
        if "uses:" in line and "uses: ./" not in line
    ]
    assert len(lines) == len([step for step in STEPS if "uses" in step])
    pinned = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []
    versions = {tuple(line.removeprefix("uses: ").split("@")) for line in lines}
    assert len(versions) == len(dict(versions)), "each action has one version"


def test_dependabot_updates_every_file_that_pins_something():
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    watched = {
        (update["package-ecosystem"], directory)
        for update in updates
        for directory in update.get("directories", [update.get("directory")])
    }
    pinned = {
        (MANIFESTS[name], f"/{folder}")
        for folder, _, name in (path.rpartition("/") for path in tracked_files())
        if name in MANIFESTS and not NOT_PINNED.match(f"{folder}/{name}")
    }
    assert watched == {*pinned, ("github-actions", "/")}


def test_the_labels_of_the_issue_forms_are_listed_for_whoever_publishes_the_repository():
    forms = [yaml.safe_load(path.read_text()) for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml")]
    labels = sorted(label for form in forms for label in form.get("labels", ()))
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (listed,) = re.findall(r"Create the labels of the issue forms, .*: (.*)\.$", page, re.MULTILINE)
    assert re.findall(r"`(\w+)`", listed) == labels


def test_an_issue_asks_for_what_an_answer_needs():
    forms = [
        yaml.safe_load(path.read_text())
        for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml")
        if path.stem != "config"
    ]
    assert len(forms) == 3
    for form in forms:
        assert {"name", "description", "body"} <= form.keys()
        fields = [field for field in form["body"] if field["type"] != "markdown"]
        assert any(field.get("validations", {}).get("required") for field in fields)
        assert len({field["id"] for field in fields}) == len(fields)
