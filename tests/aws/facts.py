"""The level `facts`: asks AWS the questions of `facts.yaml`, one after the other."""

from functools import partial
from pathlib import Path

import yaml

from tests.aws.trial import Phase
from tests.aws.world import World

FACTS = yaml.safe_load(Path(__file__).with_name("facts.yaml").read_text())
PRICES = {
    "free": "no dollar, an hour",
    "cents": "a few cents, five hours",
    "training": "a few dollars for two trainings, ten hours",
    "campaign": "a few dollars for two trainings and a campaign, fifteen hours",
    "days": "a few dollars for four trainings and a campaign, two days",
}
"""The prices of questions, each with what all questions cost that are not more expensive."""


def list_facts(most):
    """Return the questions that cost no more than this."""
    prices = list(PRICES)
    affordable = prices[: prices.index(most) + 1]
    return [fact for fact in FACTS if fact["price"] in affordable]


def build_phases(account, options):
    """Return a phase for each fact. An answer that is an error does not end the trial."""
    world = World(account)
    return [
        Phase(fact["question"], partial(world.ask, fact["calls"]), fact["price"], goes_on=True)
        for fact in list_facts(options.price)
    ]
