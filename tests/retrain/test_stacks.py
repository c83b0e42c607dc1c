"""Proves how a stack is read for a rehearsal, and the messages about a stack that is not valid."""

import json

import pytest

from retrain.rehearsal import config_changes, rehearse, stacks
from retrain.rehearsal.data.sample_data import SampleData
from tests.program.sample_stack import CONFIG, PROJECT, STACK_CONFIG


def error_message(folder, capsys, stack_name="dev", **options):
    assert rehearse.rehearse(stack_name, project_dir=folder, **options) == 2
    return capsys.readouterr().err


def test_a_missing_stack_is_an_error_that_names_the_stacks(tmp_path, project, capsys):
    project("test")
    (tmp_path / "empty").mkdir()
    file = "Pulumi.prod.yaml: does not exist"
    assert error_message(tmp_path / "empty", capsys, "prod") == (
        f"{tmp_path}/empty/{file}; this folder has no stack files, so write this file first\n"
    )
    assert error_message(project(), capsys, "prod") == (
        f"{tmp_path}/{file}; name one of the stacks of this folder: dev, test\n"
    )


@pytest.mark.parametrize("name", ["", "acme/films/dev", "a\nb", "*", "a" * 101])
def test_a_name_that_no_stack_can_have_is_refused_in_one_line(project, capsys, name):
    project("dev.eu")
    assert error_message(project(), capsys, name) == (
        f"--stack {name!r}: a stack's name has 1 to 100 letters, digits, hyphens, underscores and "
        "periods; name one of the stacks of this folder: dev, dev.eu\n"
    )


def test_a_folder_in_place_of_a_stack_s_file_is_an_error(project, capsys):
    folder = project()
    (folder / "Pulumi.prod.yaml").mkdir()
    assert error_message(folder, capsys, "prod") == (
        f"{folder}/Pulumi.prod.yaml: cannot be read: is a directory\n"
    )


def test_all_problems_of_a_config_are_printed(project, capsys):
    message = error_message(project(retrainingRate="7 dayz", paused="maybe"), capsys)
    heading, *problems = message.splitlines()
    assert heading == "2 problems in the configuration of stack dev:"
    assert [problem.split(": ")[0] for problem in problems] == [
        f"  {PROJECT}:paused",
        f"  {PROJECT}:retrainingRate",
    ]


def test_a_file_that_yaml_readers_read_differently_is_refused(project, capsys):
    file = project() / "Pulumi.bad.yaml"
    file.write_text(f"config:\n  {PROJECT}:tags: {{1: films}}\n")
    assert error_message(file.parent, capsys, "bad") == (
        f"{file}: line 2: '1' is not written as in JSON: write it in quotes; correct the YAML\n"
    )


def test_a_partition_that_the_emulator_does_not_support_is_refused(project, capsys):
    folder = project()
    text = json.dumps({"config": {**STACK_CONFIG, "aws:region": "cn-north-1"}})
    text = text.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")
    (folder / "Pulumi.dev.yaml").write_text(text)
    assert error_message(folder, capsys) == (
        "aws-cn is the partition of the stack's ARNs, and the emulator supports only aws; copy "
        "the stack's file, and use ARNs and a region of aws in the copy\n"
    )


def test_missing_csv_files_are_an_error_before_the_emulator_starts(tmp_path, project, capsys):
    assert error_message(project(), capsys, data_dir=tmp_path) == "".join(
        f"{tmp_path}/{key}.csv: does not exist; export the {key} to it\n"
        for key in ("interactions", "items", "users")
    )


def test_a_stack_has_the_settings_of_its_file_with_short_probes(project):
    probe = {"userId": "42", "minutes": 10}
    folder = project(**{"solutions[0].campaigns[0].probe": probe})
    with stacks.open_stack(folder, "dev", None) as stack:
        changed_stack = stack.with_change(config_changes.refuse_automatic_training)
    assert stack.args.solutions[0].campaigns[0].probe.minutes == 0.02
    assert json.loads(stack.overrides["solutions"])[0]["campaigns"][0]["probe"]["minutes"] == 0.02
    assert stack.args.auto_training == "warn"
    assert changed_stack.args.auto_training == "refuse"
    assert changed_stack.overrides == {**stack.overrides, "autoTraining": "refuse"}
    assert (stack.home.account, stack.home.region) == ("123456789012", "eu-west-1")


def test_the_csv_files_of_the_user_replace_the_sample_data(tmp_path, project):
    for key in CONFIG["datasets"]:
        (tmp_path / f"{key}.csv").write_bytes(SampleData().older(key.upper()))
    with stacks.open_stack(project(), "dev", tmp_path) as stack:
        assert stack.data.newer("USERS") == SampleData().newer("USERS")
        assert len(stack.data.newer("INTERACTIONS")) < len(SampleData().newer("INTERACTIONS"))


def test_items_have_the_titles_and_genres_of_the_data(project):
    with stacks.open_stack(project(), "dev", None) as stack:
        item = stack.item("film-001")
        unknown = stack.item("film-999")
    assert (item.title, item.genres) == ("The Lost Island", "Adventure")
    assert (unknown.title, unknown.genres) == (None, "")
    assert all(item.title for item in stack.user.items)
