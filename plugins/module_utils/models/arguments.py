# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the fetcher: which words it takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from .credentials import PASSWORD_VARIABLE, TOKEN_VARIABLE, USERNAME_VARIABLE
from .names import PUBLIC_HOST
from .source import MOST_STREAMS, STREAMS

PROGRAM = "models"
ENVIRONMENT = f"""
credentials (sent to the registry of --registry only):
  {USERNAME_VARIABLE}, {PASSWORD_VARIABLE}   a user of the registry
  {TOKEN_VARIABLE}      a bearer token, instead of the two
  DOCKER_CONFIG                 folder of docker's config.json (usually ~/.docker); its auths are used for each
                                host when the variables above are not set
other variables:
  SSL_CERT_FILE                 certificate authorities to trust, like --ca-file
  HTTPS_PROXY, NO_PROXY         as usual

MODEL is name[:tag] or namespace/name[:tag], with @sha256:<digest> behind it to pin it. Exit codes: 0 done, 1 failed,
2 wrong usage.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; C(command) in what it returns names the one that was given."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Fetch Ollama models without Ollama: resumable, each blob checked, the layout that Ollama serves.",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    source = _source()
    _pull(commands.add_parser("pull", parents=[source, output], help="fetch models into a folder"))
    seed = commands.add_parser("seed", parents=[output], help="copy models from one folder into another")
    seed.add_argument("models", nargs="*", metavar="MODEL", help="all of them when none is named")
    seed.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR")
    seed.add_argument("--into", type=Path, required=True, metavar="DIR")
    _work(seed)
    verify = commands.add_parser("verify", parents=[output], help="hash every blob of the models in a folder")
    verify.add_argument("models", nargs="*", metavar="MODEL", help="all of them when none is named")
    verify.add_argument("--into", type=Path, required=True, metavar="DIR")
    listing = commands.add_parser("list", parents=[output], help="list the models in a folder")
    listing.add_argument("--into", type=Path, required=True, metavar="DIR")
    resolve = commands.add_parser("resolve", parents=[source, output], help="print digest and size, fetch nothing")
    resolve.add_argument("models", nargs="+", metavar="MODEL")
    return top


def _source() -> argparse.ArgumentParser:
    source = argparse.ArgumentParser(add_help=False)
    place = source.add_mutually_exclusive_group()
    place.add_argument("--registry", metavar="URL", help=f"registry to fetch from (usually https://{PUBLIC_HOST})")
    place.add_argument("--folder", type=Path, metavar="DIR", help="folder in Ollama's layout to fetch from")
    source.add_argument("--login", choices=("ecr", "acr"), help="log in to --registry with the cloud's own credentials")
    source.add_argument("--insecure", action="store_true", help="permit plain http and certificates nobody vouches for")
    source.add_argument("--ca-file", metavar="FILE", help="PEM file of the certificate authorities to trust")
    return source


def _pull(pull: argparse.ArgumentParser) -> None:
    pull.add_argument("models", nargs="+", metavar="MODEL")
    pull.add_argument("--into", type=Path, required=True, metavar="DIR", help="models folder (OLLAMA_MODELS)")
    pull.add_argument("--lock", type=Path, metavar="FILE", help="models.lock, which pins what tags mean")
    pull.add_argument("--update-lock", action="store_true", help="pin what the tags mean now")
    _work(pull)


def _work(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--parallel", type=_streams, default=STREAMS, metavar="N", help="streams at once (%(default)s)"
    )
    command.add_argument(
        "--wait", type=_seconds, default=3600.0, metavar="SECONDS", help="how long another writer is waited for (3600)"
    )


def _streams(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text[:4]) <= MOST_STREAMS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_STREAMS}")
    return int(text)


def _seconds(text: str) -> float:
    if not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError("must be whole seconds, at most 999999")
    return float(text)
