"""The versions of a solution and two campaigns, in a service that may show updates late."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from simulation import Job, RequestFailedError, World

UNSEEN_SECONDS = 60
"""How long Describe may not show an update that was accepted."""


@dataclass(eq=False)
class Version:
    """One solution version. A version with a greater number is newer."""

    number: int
    serves_well: bool
    metric: int


@dataclass(eq=False)
class Update(Job):
    """One update of a campaign."""

    version: Version
    person: bool
    older: bool = False
    """It moved the campaign to an older version, and was no rollback."""


@dataclass(eq=False)
class Campaign:
    """One campaign. Its first update stands for its creation by a person."""

    name: str
    updates: list[Update]
    tags: dict[str, object] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    """Versions that passed a probe here and really serve well."""
    condemned: set[int] = field(default_factory=set)
    """Versions that got a verdict after a probe."""

    def serves(self, now: int) -> Version:
        """Return the version that is served."""
        return self.served_by(now).version

    def served_by(self, now: int) -> Update:
        """Return the update by which the version that is served went live."""
        done = [update for update in self.updates if update.status(now) == "ACTIVE"]
        return max(done, key=lambda update: update.ended)


@dataclass
class Described:
    """What Describe shows."""

    serves: Version
    latest: Update
    latest_status: str


@dataclass
class CampaignWorld(World):
    """Personalize: versions and campaigns."""

    versions: list[Version] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)
    numbers: count = field(default_factory=lambda: count(1))
    probe_is_at_fault: bool = False
    fault_changes: int = 0
    gate_changes: int = 0

    def __post_init__(self) -> None:
        first = self.train(serves_well=True)
        first.metric = 50
        for name in ("home", "mail"):
            self.campaigns.append(Campaign(name, [Update(-1, -1, False, first, True)]))

    def train(self, *, serves_well: bool | None = None) -> Version:
        """Train a version."""
        well = self.random.random() < 0.6 if serves_well is None else serves_well
        version = Version(next(self.numbers), well, self.random.randint(40, 60))
        self.versions.append(version)
        return version

    # What people do

    def move_by_hand(self, campaign: Campaign) -> None:
        """Move a campaign to any version, as a person does."""
        with suppress(RequestFailedError):
            self.update(campaign, self.random.choice(self.versions), person=True)

    def toggle_fault(self) -> None:
        """Delete the user that the probe asks for, or create the user again."""
        self.probe_is_at_fault = not self.probe_is_at_fault
        self.fault_changes += 1

    def loosen(self) -> None:
        """Loosen the rules of the gate."""
        self.gate_changes += 1

    # What the service does

    def describe(self, campaign: Campaign) -> Described:
        """Describe a campaign. An update that was just accepted may not be shown yet."""
        late = self.random.choice([True, False])
        shown = [
            update
            for update in campaign.updates
            if not late or update.created <= self.now - UNSEEN_SECONDS or update.created < 0
        ]
        latest = shown[-1]
        return Described(campaign.serves(self.now), latest, latest.status(self.now))

    def update(
        self, campaign: Campaign, version: Version, *, person: bool = False, back: bool = False
    ) -> None:
        """Start an update. A campaign accepts one at a time."""
        if campaign.updates[-1].status(self.now) == "IN_PROGRESS":
            raise RequestFailedError("ResourceInUse")
        lasts = self.random.choice([300, 900, 5000])
        fails = self.random.random() < 0.1
        older = version.number < campaign.serves(self.now).number and not (person or back)
        campaign.updates.append(Update(self.now, self.now + lasts, fails, version, person, older))

    def tag(self, campaign: Campaign, **tags: object) -> None:
        """Write tags in one call. None removes a tag."""
        for key, value in tags.items():
            if value is None:
                campaign.tags.pop(key, None)
            else:
                campaign.tags[key] = value

    def answers_well(self, campaign: Campaign) -> bool:
        """Ask a campaign for recommendations."""
        return campaign.serves(self.now).serves_well and not self.probe_is_at_fault
