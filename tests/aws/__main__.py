"""Tries the program in an AWS account, and writes a page about what it has found.

    make aws LEVEL=facts REGION=eu-west-1     or deploy, or run
    make aws-clean REGION=eu-west-1

docs/aws.md says what each level does, costs and needs.
"""

import argparse
import logging
import sys
import time
from pathlib import Path
from shutil import which

from retrain.account.errors import AWS_ERRORS
from tests.aws import cleanup, deploy, facts, live, trial
from tests.aws.account import FOLDER, Account
from tests.aws.page import Page

PAGE = Path("aws.md")
EXIT_REFUSED = 2
LEVELS = {"deploy": deploy.build_phases, "run": live.build_phases, "facts": facts.build_phases}


def main(arguments=None, *, sleep=time.sleep, virtual_environment=Path(sys.prefix)):
    """Run a level or the cleanup, and return the exit code."""
    options = parse(arguments)
    options.virtual_environment = virtual_environment
    try:
        account = Account(options.region, FOLDER, sleep=sleep)
        check(account, options.level)
    except (*AWS_ERRORS, FileNotFoundError) as error:
        print(f"error: {error}. Nothing was created; see docs/aws.md.", file=sys.stderr)
        return EXIT_REFUSED
    if options.level == "clean":
        return clean(account, options)

    price = {"deploy": deploy.PRICE, "run": live.PRICE, "facts": facts.PRICES[options.price]}
    page = Page(options.level, account, price[options.level])
    print(f"This creates resources in account {account.number}, {account.region}, with the name")
    print(f"{account.trial}, and removes them at the end. We estimate: {page.price} at most.")
    if not confirm(options):
        return EXIT_REFUSED

    # If the page or the list cannot be written, nothing has been created yet.
    PAGE.touch()
    account.list("Bucket", account.trial)
    try:
        trial.run(LEVELS[options.level](account, options), page)
    finally:
        PAGE.write_text(page.render())
    print(page.render())
    print(f"This page is in {PAGE}. Paste it into an issue of the repository.")
    return int(bool(page.stopped or page.left))


def check(account, level):
    """Raise an error if nothing can be created or removed here."""
    account.client("personalize").list_schemas(maxResults=1)  # Some regions have no Personalize.
    if level in ("deploy", "run") and not which("pulumi"):
        raise FileNotFoundError("pulumi is not on the PATH")


def parse(arguments):
    """Return the options of a call."""
    parser = argparse.ArgumentParser(
        prog="make aws",
        usage="make aws LEVEL=deploy|run|facts REGION=... [PRICE=...] [YES=1], or\n"
        "       make aws-clean REGION=... [YES=1]",
    )
    parser.add_argument("level", choices=[*LEVELS, "clean"])
    parser.add_argument("--region", required=True)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--price", choices=facts.PRICES, default="campaign", help="of a fact, at most"
    )
    return parser.parse_args(arguments)


def confirm(options):
    """Ask whether to go on. Without a terminal, only --yes is a yes."""
    if options.yes or (sys.stdin.isatty() and input("Go on? [y/N] ").lower() in ("y", "yes")):
        return True
    print("Nothing was done. Without a terminal to ask, say YES=1.")
    return False


def clean(account, options):
    """Show what trials have left, and remove it."""
    reasons = {}
    found = [*map(str, cleanup.find(account, reasons))]
    print(f"{len(found)} resources are left in account {account.number}, {account.region}.")
    print(*found, sep="\n")
    if found and not confirm(options):
        return EXIT_REFUSED

    left = [*reasons.values()]
    if found or not left:
        left = cleanup.remove(account)
    print(*account.kept, *left, sep="\n")
    return int(bool(left))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logging.getLogger("tests.aws").setLevel("INFO")
    sys.exit(main())
