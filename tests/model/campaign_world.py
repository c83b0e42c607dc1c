"""The versions of a solution and two campaigns, in a service that may show updates late."""

from contextlib import suppress
from dataclasses import dataclass, field

from simulation import Job, RequestFailedError, World

from functions.rules.deployments import Notes

UNSEEN_SECONDS = 60
"""How long Describe may not show an update that was accepted."""


@dataclass(eq=False)
class Version:
    """One solution version. A version with a greater number is newer."""

    number: int
    created: int
    serves_well: bool
    metric: int
    answer: str | None = None
    """What a person has answered about the version: APPROVED, REFUSED, ASKED or nothing."""

    def __str__(self) -> str:
        """Return the name of the version."""
        return f"v{self.number}"


@dataclass(eq=False)
class Update(Job):
    """One update of a campaign."""

    version: Version
    person: bool
    back: bool = False
    """It is a rollback."""
    older: bool = False
    """It moved the campaign to an older version, and was no rollback."""
    resize: bool = False
    """It changed another setting than the version."""


@dataclass(eq=False)
class Campaign:
    """One campaign. Its first update stands for its creation by a person."""

    name: str
    updates: list[Update]
    notes: Notes = field(default_factory=Notes)
    """What its tags say."""
    passed: set[int] = field(default_factory=set)
    """Versions that passed a probe here and really serve well."""
    probed: bool = True
    """It has a probe."""

    def serves(self, now: int) -> Version:
        """Return the version that is served."""
        return self.served_by(now).version

    def served_by(self, now: int) -> Update:
        """Return the update by which the version that is served went live."""
        done = [update for update in self.updates if update.status(now) == "ACTIVE"]
        return max(done, key=lambda update: update.ended)

    def moved_by_a_person(self, since: int) -> bool:
        """Return True if a person has updated the campaign since a time."""
        return any(update.person and update.created > since for update in self.updates)

    def choice_stands(self, version: Version, now: int) -> bool:
        """Return True if a person has moved the campaign after a version was created.

        That no longer stands if the pipeline has sent the version to the campaign since.
        """
        moves = [u for u in self.updates if u.status(now) == "ACTIVE" and not u.resize]
        choice = max(moves, key=lambda update: update.ended)
        sent = any(
            update.version is version and update.created > choice.created for update in self.updates
        )
        return choice.person and choice.created > version.created and not sent


@dataclass
class CampaignWorld(World):
    """Personalize: versions and campaigns."""

    versions: list[Version] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)
    probe_is_at_fault: bool = False
    fault_changes: int = 0
    max_drop: float = 0.1
    """The share of a metric that a version may lose against the version in use."""
    needs_approval: bool = False

    def __post_init__(self) -> None:
        first = self.train(serves_well=True)
        first.metric = 50
        for name in ("home", "mail"):
            self.campaigns.append(Campaign(name, [Update(-1, -1, False, first, True)]))

    def train(self, *, serves_well: bool | None = None) -> Version:
        """Train a version."""
        well = self.random.random() < 0.6 if serves_well is None else serves_well
        version = Version(len(self.versions), self.now, well, self.random.randint(40, 60))
        self.versions.append(version)
        return version

    # What people do

    def move_by_hand(self, campaign: Campaign) -> None:
        """Move a campaign to any version, as a person does. Automatic updates do the same."""
        before = campaign.serves(self.now)
        with suppress(RequestFailedError):
            self.update(campaign, str(self.random.choice(self.versions)), person=True)
            campaign.updates[-1].resize = campaign.updates[-1].version is before

    def resize(self, campaign: Campaign) -> None:
        """Change a setting of a campaign, as minProvisionedTPS."""
        with suppress(RequestFailedError):
            self.update(campaign, str(campaign.serves(self.now)), person=True)
            campaign.updates[-1].resize = True

    def answer(self) -> None:
        """Answer about the newest version for which a run has asked."""
        asked = [version for version in self.versions if version.answer == "ASKED"]
        if asked:
            asked[-1].answer = self.random.choice(("APPROVED", "APPROVED", "REFUSED"))

    def toggle_fault(self) -> None:
        """Delete the user that the probe asks for, or create the user again."""
        self.probe_is_at_fault = not self.probe_is_at_fault
        self.fault_changes += 1

    def loosen(self) -> None:
        """Loosen the rules of the gate."""
        self.max_drop *= 2

    # What the service does

    def version(self, name: str) -> Version:
        """Return the version with a name."""
        return self.versions[int(name[1:])]

    def ask(self, name: str) -> None:
        """Write on a version that a run has asked for an approval."""
        version = self.version(name)
        version.answer = version.answer or "ASKED"

    def describe(self, campaign: Campaign) -> tuple[Version, Update]:
        """Return the version that is served, and the latest update.

        An update that was just accepted may not be shown yet.
        """
        late = self.random.random() < 0.5
        shown = [
            update
            for update in campaign.updates
            if not late or update.created <= self.now - UNSEEN_SECONDS or update.created < 0
        ]
        return campaign.serves(self.now), shown[-1]

    def update(
        self, campaign: Campaign, name: str, *, person: bool = False, back: bool = False
    ) -> None:
        """Start an update to a version. A campaign accepts one at a time."""
        version = self.version(name)
        if campaign.updates[-1].status(self.now) == "IN_PROGRESS":
            raise RequestFailedError("ResourceInUse")
        lasts = self.random.choice((300, 900, 5000))
        fails = self.random.random() < 0.1
        older = version.number < campaign.serves(self.now).number and not (person or back)
        campaign.updates.append(
            Update(self.now, self.now + lasts, fails, version, person, back, older)
        )

    def tag(self, campaign: Campaign, notes: Notes) -> None:
        """Write the tags of a campaign in one call."""
        campaign.notes = notes

    def answers_well(self, campaign: Campaign) -> bool:
        """Ask a campaign for recommendations."""
        return campaign.serves(self.now).serves_well and not self.probe_is_at_fault
