"""`plan` and `history` say what Personalize trains, and neither a price nor a limit for it."""

from retrain.look.lineage import build_lineage_lines
from retrain.look.lines import render_lines
from tests.retrain.in_process import account
from tests.retrain.look.test_versions import LINEAGE
from tests.workflow.test_trained_by_personalize import SELF_TRAINED, next_run, next_version
from tests.world import solution_arn


def lines_about(text, word):
    return [" ".join(line.split()) for line in text.splitlines() if word in line]


def test_a_version_of_personalize_has_no_price_and_no_limit_and_is_named():
    with account(SELF_TRAINED.with_options(training_hour_price=0.24)) as prod:
        prod.pipeline.run()
        version = next_version(prod.pipeline)
        planned = prod.retrain("plan -s prod --json").document
        next_run(prod.pipeline)
        shown = prod.retrain("history -s prod --limit 1").out
        traced = prod.retrain(f"history --version {version}").out

    (step,) = [step for step in planned["steps"] if step["resource"] == solution_arn()]
    assert step == {
        "action": "deploy",
        "resource": solution_arn(),
        "name": "taste",
        "reason": {"text": "an earlier version waits for a campaign"},
        "facts": ["trained by Personalize"],
    }
    assert planned["expectedCost"] == 0, "nothing is imported either"
    assert lines_about(shown, "update home")[0].endswith(", trained by Personalize")
    assert lines_about(traced, "by  ") == ["by Personalize, by automatic training"]


def test_a_version_that_a_person_has_trained_is_told_from_one_of_personalize():
    for training_type, trainer in (
        ("AUTOMATIC", "Personalize, by automatic training"),
        ("MANUAL", "a person or another program, and no run of a pipeline"),
    ):
        lines = render_lines(build_lineage_lines({**LINEAGE, "trainingType": training_type}))
        text = "\n".join(line.plain for line in lines)
        assert lines_about(text, "by  ") == [f"by {trainer}"]
