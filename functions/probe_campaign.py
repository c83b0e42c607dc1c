"""Ask a campaign for recommendations, to see whether its new version really serves."""

from .documents import Probing, UpdatedCampaign
from .probing import probe_campaign, runtime


def handler(event: UpdatedCampaign, _context: object) -> Probing:
    """Ask a campaign for recommendations, to see whether its new version really serves."""
    return probe_campaign(runtime(), event["campaign"], event["probing"])
