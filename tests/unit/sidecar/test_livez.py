# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of the container: it asks the sidecar where the sidecar's own settings say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from ollama_sidecar import livez

from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import free_port
from tests.helpers.scripted_ollama import scripted_ollama
from tests.helpers.sidecar_yard import Yard, run, sidecar_yard

PLACES = [
    ({}, ("127.0.0.1", 9091)),
    ({"SIDECAR_METRICS_LISTEN": "0.0.0.0:80"}, ("127.0.0.1", 80)),
    ({"SIDECAR_METRICS_LISTEN": "[::]:80"}, ("::1", 80)),
    ({"SIDECAR_METRICS_LISTEN": "10.1.2.3:80", "SIDECAR_LISTEN": "10.1.2.3:81"}, ("10.1.2.3", 80)),
    ({"SIDECAR_METRICS_LISTEN": ""}, ("127.0.0.1", 8080)),
    ({"SIDECAR_METRICS_LISTEN": "", "SIDECAR_LISTEN": "10.1.2.3:81"}, ("10.1.2.3", 81)),
]


@pytest.mark.parametrize(("environment", "place"), PLACES)
def test_the_sidecar_is_asked_where_clients_do_not_come_if_it_listens_there(
    environment: dict[str, str], place: tuple[str, int]
) -> None:
    assert livez.place(environment) == place


def test_the_file_says_where_it_listens_unless_the_environment_does(tmp_path: Path) -> None:
    config = tmp_path / "sidecar.toml"
    config.write_text('metrics_listen = "127.0.0.1:81"\nmodels = ["tiny"]\n')
    assert livez.place({"SIDECAR_CONFIG": str(config)}) == ("127.0.0.1", 81)
    assert livez.place({"SIDECAR_CONFIG": str(config), "SIDECAR_METRICS_LISTEN": "127.0.0.1:82"}) == ("127.0.0.1", 82)
    config.write_text('METRICS_LISTEN = "127.0.0.1:83"\n')  # the settings take capitals too
    assert livez.place({"sidecar_config": str(config)}) == ("127.0.0.1", 83)
    assert livez.place({"SIDECAR_CONFIG": str(config), "sidecar_metrics_listen": "127.0.0.1:84"}) == ("127.0.0.1", 84)
    config.write_text('models = ["tiny"]\n')
    assert livez.place({"SIDECAR_CONFIG": str(config)}) == ("127.0.0.1", 9091)


def check(listen: str) -> subprocess.CompletedProcess[str]:
    """The health check, as the container runs it but without any library."""
    place = str(ROOT / "roles" / "image" / "files" / "sidecar")
    return subprocess.run(
        [sys.executable, "-S", "-m", "ollama_sidecar.livez"],
        env={
            "PYTHONPATH": place,
            "SIDECAR_METRICS_LISTEN": listen,
            "SIDECAR_LISTEN": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sidecar_that_answers_lives_and_needs_no_library_to_be_asked() -> None:
    async def test(yard: Yard) -> None:
        done = await asyncio.to_thread(check, f"127.0.0.1:{yard.port('metrics')}")
        assert (done.returncode, done.stderr) == (0, "")

    async def whole() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            await test(yard)

    run(whole())


def test_another_status_and_no_answer_are_ill() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def whole() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        done = await asyncio.to_thread(check, f"127.0.0.1:{port}")
        assert (done.returncode, done.stderr) == (1, "the sidecar answers with status 503\n")
        server.close()

    run(whole())
    done = check(f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stderr) == (1, "the sidecar does not answer: ConnectionRefusedError\n")


@pytest.mark.parametrize("listen", ["", "nonsense", "127.0.0.1:x"])
def test_settings_without_meaning_are_ill_and_leave_no_traceback(listen: str) -> None:
    done = check(listen)
    assert (done.returncode, done.stderr) == (1, "the sidecar does not answer: ValueError\n")
