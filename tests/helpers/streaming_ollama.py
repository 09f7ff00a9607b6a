# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ollama whose answers last as long as their requests say: `python -m tests.helpers.streaming_ollama PORT`.

As with Ollama itself, SIGTERM cuts what streams.
"""

from __future__ import annotations

import asyncio
import sys

from tests.helpers.scripted_ollama import Asked, chunk, chunked_head, response, scripted_ollama

PIECES = 50


async def stream(asked: Asked) -> None:
    """A stream of so many `seconds`, a piece each fiftieth of it."""
    if asked.method == "GET":
        asked.write(response(b"Ollama is running"))
        return
    seconds = asked.json()["seconds"]
    loop = asyncio.get_running_loop()
    asked.write(chunked_head())
    begin = loop.time()
    for number in range(1, PIECES + 1):
        await asyncio.sleep(max(0.0, begin + seconds * number / PIECES - loop.time()))
        asked.write(chunk(b'{"response":"a"}\n'))
    asked.write(b"0\r\n\r\n")


async def main(port: int) -> None:
    async with scripted_ollama(stream, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
