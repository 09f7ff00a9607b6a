# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fetcher as a program. Results go to standard output; progress and errors, one line each, to standard error."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..errors import PolycloudError
from ..text import one_line
from .arguments import PROGRAM, parser
from .credentials import config_file, credentials_for, from_docker_config
from .fetch import Check, Report, fetch, installed, resolve, seed, verify
from .folder import Folder
from .names import PUBLIC_HOST
from .progress import Show, bar_on, readable
from .source import Source

LONGEST_ERROR = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except PolycloudError as error:
        _tell(f"{PROGRAM}: error: {one_line(str(error), LONGEST_ERROR)}")
        return 1
    except KeyboardInterrupt:
        _tell(f"{PROGRAM}: stopped; run it again to go on")
        return 130


def _pull(options: Namespace) -> int:
    report = fetch(
        options.models,
        _source(options, os.environ),
        options.into,
        lock=options.lock,
        update_lock=options.update_lock,
        parallel=options.parallel,
        allow_host=options.registry is None,
        emit=_tell,
        show=_bar(),
        lock_wait=options.wait,
    )
    return _report(report, options.json)


def _seed(options: Namespace) -> int:
    report = seed(
        options.source,
        options.into,
        options.models,
        parallel=options.parallel,
        emit=_tell,
        show=_bar(),
        lock_wait=options.wait,
    )
    return _report(report, options.json)


def _verify(options: Namespace) -> int:
    checks = verify(options.into, options.models, emit=_tell)
    _checks(checks, options.json)
    for check in checks:
        for problem in check.problems:
            _tell(f"{PROGRAM}: error: {check.name}: {problem}")
    return 1 if any(check.problems for check in checks) else 0


def _list(options: Namespace) -> int:
    _checks(installed(options.into), options.json)
    return 0


def _resolve(options: Namespace) -> int:
    found = resolve(options.models, _source(options, os.environ), allow_host=options.registry is None)
    if options.json:
        _print_json([asdict(each) for each in found])
    for each in found if not options.json else ():
        _print(f"{each.name} {each.digest} {each.size}")
    return 0


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "pull": _pull,
    "seed": _seed,
    "verify": _verify,
    "list": _list,
    "resolve": _resolve,
}


def _source(options: Namespace, environment: Mapping[str, str]) -> Source:
    if options.folder is not None:
        return Folder(options.folder)
    # Not at the top: seeding runs at each start of a container and needs no network.
    from .registry import ByHost, Registry
    from .transport import Transport, origin_of

    transport = Transport(insecure=options.insecure, ca_file=options.ca_file)
    if options.registry is None and options.login is None:
        return ByHost(lambda host: from_docker_config(config_file(environment), host), transport, tell=_tell)
    url = options.registry or f"https://{PUBLIC_HOST}"
    if options.login is not None:
        from .logins import login

        return Registry(url, login(options.login, url, transport), transport=transport, tell=_tell)
    origin_of(url)
    return Registry(url, credentials_for(url, environment), transport=transport, tell=_tell)


def _bar() -> Show | None:
    return bar_on(sys.stderr) if sys.stderr.isatty() else None


def _report(report: Report, as_json: bool) -> int:
    if as_json:
        _print_json(report.as_dict())
        return 0
    for model in report.models:
        done = f"fetched {readable(model.bytes_fetched)} in {model.seconds:.1f} s" if model.changed else "already there"
        _print(f"{model.name} {model.digest} {model.size} ({done})")
    return 0


def _checks(checks: Sequence[Check], as_json: bool) -> None:
    if as_json:
        _print_json([asdict(check) for check in checks])
        return
    for check in checks:
        _print(f"{check.name} {check.digest or '-'} {check.size} ({'damaged' if check.problems else 'good'})")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _print_json(body: Any) -> None:
    _print(json.dumps(body, indent=2))


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
