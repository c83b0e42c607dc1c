"""An alarm that the component has created goes off during a bake, and the campaign goes back."""

import os
from datetime import date

from functions.bake_alarms import list_alarm_names
from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.rehearsal import stack as rehearsal
from retrain.rehearsal.play import DeployedStack
from retrain.rehearsal.resources import StackResources
from retrain.rehearsal.scenarios import SCENARIOS
from tests.end_to_end.sample_runs import changed_settings
from tests.end_to_end.stack import PROJECT
from tests.sample_data import sample_data


def test_an_alarm_that_goes_off_during_the_bake_moves_the_campaign_back(films, monkeypatch):
    for name, value in films.emulator.exports.items():
        monkeypatch.setitem(os.environ, name, value)
    (scenario,) = (scenario for scenario in SCENARIOS if "bake" in scenario.needs)
    data = sample_data()
    rehearsed = rehearsal.Stack("films", PROJECT, films.args, data)
    resources = StackResources(films.emulator, films.args, data)
    target = find_target("films", films.output("state_machine_arn"), Access())
    resources.write_newer_exports(date(2026, 1, 1))  # the stack has imported these already
    deployed = DeployedStack(rehearsed, resources, target, films.output("schedule_arn"))

    def bake_longer(settings):
        settings["solutions"][0]["campaigns"][0]["bake"]["hours"] = rehearsal.BAKE_HOURS

    with changed_settings(films, bake_longer) as settings:
        result = deployed.play(scenario)
    assert [check.text for check in result.checks if not check.is_met] == []
    (campaign,) = result.run.report["solutions"][0]["campaigns"]
    alarm = list_alarm_names(settings, settings["solutions"][0]["campaigns"][0])[-1]
    assert campaign["reasons"][0]["text"].startswith(f"the alarm {alarm} went off at ")
    assert {call["status"] for call in films.calls("cloudwatch:DescribeAlarms")} == {200}
