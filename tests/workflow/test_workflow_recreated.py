"""A stack that was recreated or upgraded knows all earlier jobs, although its prefix is new."""

from tests.workflow.pipeline import pipeline
from tests.workflow.reading import outcomes, report
from tests.workflow.test_spending import NEXT, NOTHING_NEW, reason
from tests.world import exports, settings, solution

RECREATED = "ffffffff"


def test_it_imports_and_trains_nothing_anew():
    with pipeline() as made:
        made.run()
        execution = made.beside(made.args, prefix=RECREATED).run(scheduledTime=NEXT)
        assert len(made.started("CreateDatasetImportJob")) == 3, "the earlier stack's"
        assert len(made.versions()) == 2, "the first and the earlier stack's"
    assert reason(execution) == NOTHING_NEW


def test_it_deploys_the_version_that_the_earlier_stack_trained_and_could_not_deploy():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        execution = made.beside(made.args, prefix=RECREATED).run(scheduledTime=NEXT)
        assert len(made.versions()) == 2, "nothing is trained twice"
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == {"taste": "DEPLOYED", "home": "DEPLOYED"}
    assert report(execution)["solutions"][0]["adopted"] is False, "a run trained it"


def test_it_compares_an_export_with_what_the_earlier_stack_imported():
    with pipeline() as made:
        made.run()
        before, now = (exports(rows)["interactions.csv"] for rows in (1200, 400))
        made.bucket.put("interactions.csv", now)
        execution = made.beside(made.args, prefix=RECREATED).run(scheduledTime=NEXT)
        assert len(made.started("CreateDatasetImportJob")) == 3, "the earlier stack's"
    assert report(execution)["reason"] == (
        "RunRefused: 1 problem with this run:\n"
        f"  datasets.interactions: s3://exports/interactions.csv has {len(now)} bytes, and the "
        f"last FULL import took {len(before)}: less than minRelativeSize 0.5 of it; if the data "
        "really shrank, lower minRelativeSize for one run"
    )


def test_new_data_are_imported_under_its_own_names():
    with pipeline(settings(solutions=[solution(quality_gate_enabled=False)])) as made:
        made.run()
        made.bucket.put("interactions.csv", exports(1240)["interactions.csv"])
        execution = made.beside(made.args, prefix=RECREATED).run(scheduledTime=NEXT)
        names = [each["jobName"] for each in made.started("CreateDatasetImportJob")][3:]
        assert made.served() == made.versions()[-1]
    assert {each.split("-")[0] for each in names} == {RECREATED}
    assert outcomes(execution)["taste"] == "DEPLOYED"
