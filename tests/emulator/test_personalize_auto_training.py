"""Proves when Personalize trains a solution by itself: guide, "Configuring automatic training"."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from personalize_world import CALLER, World, numbered_interactions

from emulator.personalize import Switches
from emulator.personalize.resources import Dataset

HOUR = 3600
DAY = 24 * HOUR
FIVE_DAYS = {"autoTrainingConfig": {"schedulingExpression": "rate(5 days)"}}


class Account(World):
    """A world with interactions, and a solution that Personalize trains every 5 days."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.group = self.create_group()
        self.dataset = self.create_dataset(self.group)
        self.put("interactions.csv", numbered_interactions(1000))
        self.import_file(self.dataset)
        self.solution = self.create_solution(self.group, solutionConfig=FIVE_DAYS)

    def starts(self, kind="AUTOMATIC"):
        """Return the hours from the solution's creation to each start of a training."""
        solution = self.client.describe_solution(solutionArn=self.solution)["solution"]
        summaries = self.client.list_solution_versions(solutionArn=self.solution)
        hour = timedelta(hours=1)
        return [
            round((summary["creationDateTime"] - solution["creationDateTime"]) / hour, 1)
            for summary in summaries["solutionVersions"]
            if summary["trainingType"] == kind
        ]

    def import_more(self, name):
        """Import the interactions again."""
        self.import_file(self.dataset, name)


def test_it_trains_within_an_hour_and_then_at_its_rate_if_interactions_came():
    account = Account()
    account.wait(DAY)
    assert account.starts() == [0.5]
    account.import_more("second")
    account.wait(15 * DAY)
    assert account.starts() == [0.5, 120.5], "nothing has come since then"
    account.import_more("third")
    account.wait(5 * DAY)
    assert account.starts() == [0.5, 120.5, 480.5], "at the next of its times"


def test_with_a_switch_it_trains_as_soon_as_interactions_come():
    account = Account(switches=Switches(auto_training_without_data="waits"))
    account.wait(20 * DAY)
    account.import_more("second")
    account.wait(2 * DAY)
    first, second = account.starts()
    assert (first, second) == (0.5, pytest.approx(480.5, abs=0.6)), "within an hour"


def test_a_training_by_hand_within_the_hour_replaces_the_first():
    account = Account()
    account.train(account.solution)
    account.import_more("second")
    account.wait(4 * DAY)
    assert account.starts() == []
    account.wait(2 * DAY)
    [start] = account.starts()
    [by_hand] = account.starts("MANUAL")
    assert start == pytest.approx(by_hand + 120, abs=0.1)


@pytest.mark.parametrize("postpones, last", [(True, 168.5), (False, 120.5)])
def test_a_training_by_hand_postpones_the_next_one_or_does_not(postpones, last):
    account = Account(switches=Switches(manual_training_postpones=postpones))
    account.wait(2 * DAY)
    account.train(account.solution)
    account.import_more("second")
    account.wait(6 * DAY)
    assert account.starts()[-1] == pytest.approx(last, abs=1)


def test_an_update_turns_it_off_and_on_and_changes_its_rate():
    account = Account()
    account.wait(DAY)
    update = account.client.update_solution
    update(solutionArn=account.solution, performAutoTraining=False)
    account.import_more("second")
    account.wait(10 * DAY)
    assert account.starts() == [0.5]
    update(solutionArn=account.solution, performAutoTraining=True)
    account.wait(2 * HOUR)
    assert len(account.starts()) == 2
    daily = {"autoTrainingConfig": {"schedulingExpression": "rate(1 day)"}}
    update(solutionArn=account.solution, solutionUpdateConfig=daily)
    account.import_more("third")
    account.wait(DAY)
    first, second, third = account.starts()
    assert (first, third - second) == (0.5, pytest.approx(24, abs=0.1))


def test_a_rate_has_1_to_30_days():
    account = Account()
    for days in (0, 31):
        config = {"autoTrainingConfig": {"schedulingExpression": f"rate({days} days)"}}
        with pytest.raises(ClientError, match="from 1 to 30 days"):
            account.create_solution(account.group, f"every-{days}", solutionConfig=config)


def test_it_stops_with_the_solution_and_trains_nothing_without_interactions():
    account = Account()
    empty = account.create_solution(account.create_group("empty"), "empty")
    account.wait(8 * DAY)
    assert account.client.list_solution_versions(solutionArn=empty)["solutionVersions"] == []
    account.client.delete_solution(solutionArn=account.solution)
    account.import_more("second")
    account.wait(30 * DAY)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        account.starts()


def test_streamed_events_count_as_interactions_and_outlive_a_full_import():
    account = Account()
    account.wait(DAY)
    tracker = account.client.create_event_tracker(name="shop", datasetGroupArn=account.group)
    account.wait()
    event = {"eventType": "watch", "itemId": "film-1", "sentAt": 1790000000}
    stream = account.connect(service="personalize-events").put_events
    stream(trackingId=tracker["trackingId"], userId="new", sessionId="s", eventList=[event])
    stream(trackingId=tracker["trackingId"], sessionId="s", eventList=[event])
    account.wait(5 * DAY)
    assert account.starts() == [0.5, 120.5]
    account.import_more("second")
    dataset = account.personalize.resources(Dataset, CALLER)[account.dataset]
    users = dataset.table.column("USER_ID")
    assert users.count("new") == 1, "an event without a user is not kept"

    with pytest.raises(ClientError, match="ResourceNotFound"):
        stream(trackingId="unknown", userId="new", sessionId="s", eventList=[event])
