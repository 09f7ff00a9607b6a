# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the way: it is tried again where that helps, and ends in one clear line where it does not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    BadBlob,
    BadManifest,
    ModelError,
    ModelNotFound,
    SourceError,
    SourceUnreachable,
    UnsafeRedirect,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.fetch import Report, fetch
from ansible_collections.polycloud.ollama.plugins.module_utils.models.limits import Limits
from ansible_collections.polycloud.ollama.plugins.module_utils.models.manifest import MAX_MANIFEST
from ansible_collections.polycloud.ollama.plugins.module_utils.models.progress import quiet
from ansible_collections.polycloud.ollama.plugins.module_utils.models.registry import Registry as Source
from ansible_collections.polycloud.ollama.plugins.module_utils.models.store import Store
from tests.helpers.registry import MANIFEST_TYPE, Registry, Start, sha256

PART = 100_000
SIZE = 450_000  # four parts and a half
WEIGHTS = random.Random(1).randbytes(SIZE)  # noqa: S311 - the same in each run
DIGEST = sha256(WEIGHTS)
LIMITS = Limits(part_size=PART, attempts=4, first_pause=0.001, longest_pause=0.002, timeout=5, stall_bytes=1000)
ROOT = Path(__file__).parents[5]


@pytest.fixture
def tiny(remote: Registry) -> Registry:
    """A registry with one model of one large blob, and a config of two bytes."""
    remote.add("library/tiny", "latest", WEIGHTS)
    return remote


def pull(remote: Registry, target: Path, limits: Limits = LIMITS, parallel: int = 4) -> Report:
    return fetch(["tiny"], Source(remote.url, limits=limits), target, parallel=parallel)


def weights(target: Path) -> Path:
    return target / "blobs" / DIGEST.replace(":", "-")


def assert_whole(target: Path) -> None:
    assert weights(target).read_bytes() == WEIGHTS
    assert not list(target.rglob("*partial*"))
    assert not list(target.rglob("*.draft"))


def assert_nothing(target: Path) -> None:
    assert not weights(target).exists()
    assert not (target / "manifests").exists()


def ranges(remote: Registry) -> list[str]:
    return [request.headers["Range"] for request in remote.requests if "Range" in request.headers]


def test_a_large_blob_comes_in_ranged_parts(tiny: Registry, tmp_path: Path) -> None:
    pull(tiny, tmp_path)
    assert sorted(ranges(tiny)) == sorted(
        f"bytes={start}-{min(SIZE, start + PART) - 1}" for start in range(0, SIZE, PART)
    )
    assert tiny.served[DIGEST] == SIZE
    assert_whole(tmp_path)


def test_no_more_streams_than_asked_for_run_at_the_same_time(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.seconds_per_piece = 0.1
    pull(tiny, tmp_path / "one", parallel=1)
    assert tiny.most_streams == 1
    pull(tiny, tmp_path / "three", parallel=3)
    assert tiny.most_streams in (2, 3)


@pytest.mark.parametrize("cut_after", [1, 30_000, PART - 1])
def test_a_part_that_is_cut_off_goes_on_where_it_stopped(tiny: Registry, tmp_path: Path, cut_after: int) -> None:
    tiny.faults.cut_after, tiny.faults.cuts = cut_after, 3
    report = pull(tiny, tmp_path)
    assert_whole(tmp_path)
    assert tiny.served[DIGEST] == SIZE
    assert report.bytes_fetched == SIZE + 2


def test_a_server_that_cuts_off_again_and_again_is_outlasted_as_long_as_bytes_come(
    tiny: Registry, tmp_path: Path
) -> None:
    tiny.faults.cut_after, tiny.faults.cuts = 5_000, 60
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


def test_a_server_that_cuts_off_without_progress_is_given_up(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.cut_after, tiny.faults.cuts = 10, 10_000
    with pytest.raises(SourceUnreachable, match="cut off sha256:"):
        pull(tiny, tmp_path)
    assert_nothing(tmp_path)


@pytest.mark.parametrize("statuses", [[500], [503, 502, 504], [429, 429]])
def test_a_busy_server_is_asked_again(tiny: Registry, tmp_path: Path, statuses: list[int]) -> None:
    tiny.faults.statuses = list(statuses)
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


def test_the_time_that_the_server_names_is_kept(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.statuses, tiny.faults.retry_after = [429], "1"
    started = time.monotonic()
    pull(tiny, tmp_path)
    assert time.monotonic() - started >= 1
    assert_whole(tmp_path)


def test_a_server_that_stays_broken_is_given_up(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.statuses = [500] * 100
    with pytest.raises(SourceError, match="tiny:latest failed: 500"):
        pull(tiny, tmp_path)
    assert len(tiny.requests) == LIMITS.attempts
    assert_nothing(tmp_path)


def test_an_error_that_will_not_pass_is_not_tried_again(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.statuses = [418] * 100
    with pytest.raises(SourceError):
        pull(tiny, tmp_path)
    assert len(tiny.requests) == 1


def test_a_blob_with_a_wrong_byte_is_fetched_once_more(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.wrong_bytes = 1
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


def test_a_blob_that_stays_wrong_is_removed_and_named(tiny: Registry, tmp_path: Path) -> None:
    tiny.blobs[DIGEST] = bytes(SIZE)
    with pytest.raises(BadBlob, match=f"{DIGEST} has another sha256"):
        pull(tiny, tmp_path)
    assert tiny.served[DIGEST] == 2 * SIZE
    assert not list(tmp_path.rglob(f"*{DIGEST[7:]}*"))
    assert_nothing(tmp_path)


def test_a_server_without_ranges_sends_the_whole_blob_once(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.ignore_range = True
    pull(tiny, tmp_path)
    assert_whole(tmp_path)
    assert tiny.served[DIGEST] == SIZE


def test_a_server_without_ranges_that_cuts_off_is_asked_for_the_whole_again(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.ignore_range, tiny.faults.cut_after, tiny.faults.cuts = True, 50_000, 2
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize("off", [-1, 1, 10**12])
def test_a_blob_of_another_size_is_refused_before_it_is_read(tiny: Registry, tmp_path: Path, off: int) -> None:
    tiny.faults.ignore_range, tiny.faults.length_off = True, off
    with pytest.raises(BadBlob, match="its manifest says"):
        pull(tiny, tmp_path)
    assert_nothing(tmp_path)


def test_a_blob_that_goes_on_behind_its_end_is_refused(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.ignore_range, tiny.faults.chunked_extra = True, 10_000_000
    with pytest.raises(BadBlob, match="is longer"):
        pull(tiny, tmp_path)
    assert_nothing(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= SIZE + 100


def test_another_range_than_the_one_asked_for_is_refused(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.shift_range = 1
    with pytest.raises(SourceError, match="another range"):
        pull(tiny, tmp_path)
    assert_nothing(tmp_path)


def test_a_stream_that_only_drips_is_given_up(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.seconds_per_piece, tiny.faults.piece = 0.02, 1
    limits = Limits(part_size=PART, attempts=2, first_pause=0.001, timeout=5, stall=0.2, stall_bytes=1000)
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="too slowly"):
        pull(tiny, tmp_path, limits)
    assert time.monotonic() - started < 10


def test_a_silent_server_is_given_up(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.seconds_per_piece, tiny.faults.piece = 3, 1000
    with pytest.raises(SourceUnreachable, match="127.0.0.1 gave no whole answer: timed out"):
        pull(tiny, tmp_path, Limits(part_size=PART, attempts=2, first_pause=0.001, timeout=0.2, stall_bytes=2000))


def test_an_endless_manifest_is_read_no_further_than_its_limit(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.endless_manifest = True
    with pytest.raises(BadManifest, match="larger than"):
        pull(tiny, tmp_path)
    # What lies in the buffers of both sides was sent, too.
    assert tiny.served["manifest"] < MAX_MANIFEST + 16 * 1024 * 1024
    assert_nothing(tmp_path)


def test_blobs_may_lie_on_another_host(start_registry: Start, tmp_path: Path) -> None:
    home, storage = start_registry(), start_registry()
    home.add("library/tiny", "latest", WEIGHTS)
    storage.blobs = home.blobs
    source = Source(home.url, limits=LIMITS)
    raw = home.manifests["library/tiny", "latest"]
    home.faults.location = storage.url
    storage.add_manifest("library/tiny", "latest", raw)
    fetch(["tiny"], source, tmp_path)
    assert_whole(tmp_path)
    assert (home.blob_bytes, storage.served[DIGEST]) == (0, SIZE)


def test_a_redirect_loop_ends(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.location = "loop"
    with pytest.raises(UnsafeRedirect, match="redirects more than 5 times"):
        pull(tiny, tmp_path)
    assert len(tiny.requests) == 6
    assert_nothing(tmp_path)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "a" * 63 + "/", "../x", "sha256:"])
def test_a_manifest_with_a_hostile_digest_leaves_nothing_behind(remote: Registry, tmp_path: Path, digest: str) -> None:
    layer = {"mediaType": "model", "digest": digest, "size": 1}
    body = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": layer, "layers": [layer]}
    remote.add_manifest("library/tiny", "latest", json.dumps(body).encode())
    with pytest.raises(BadManifest, match="which is not sha256:"):
        pull(remote, tmp_path / "models")
    assert not list(tmp_path.iterdir())


def test_a_blob_that_fails_ends_the_streams_of_the_others(tiny: Registry, tmp_path: Path) -> None:
    tiny.add("library/tiny", "latest", WEIGHTS, b"template")
    del tiny.blobs[sha256(b"template")]
    tiny.faults.seconds_per_piece, tiny.faults.piece = 0.1, 1000
    with pytest.raises(ModelNotFound):
        pull(tiny, tmp_path)
    assert tiny.served[DIGEST] < SIZE / 4


def test_a_part_that_fails_ends_the_others_and_keeps_what_is_whole(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.cut_after, tiny.faults.cuts = 1, 10_000
    with pytest.raises(ModelError):
        pull(tiny, tmp_path)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("blob")] == []
    tiny.faults.cuts = 0
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


def leave_partial(target: Path, finished: list[int], **changes: object) -> None:
    """What a killed fetch leaves: some parts, and a record of them."""
    path = weights(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join(WEIGHTS[p * PART : (p + 1) * PART] if p in finished else b"\0" * PART for p in range(5))[:SIZE]
    path.with_name(path.name + "-partial").write_bytes(content)
    state = {"size": SIZE, "part_size": PART, "done": finished, **changes}
    path.with_name(path.name + "-partial.json").write_text(json.dumps(state))


def test_finished_parts_are_not_fetched_again(tiny: Registry, tmp_path: Path) -> None:
    leave_partial(tmp_path, [0, 2, 4])
    pull(tiny, tmp_path)
    assert tiny.served[DIGEST] == 2 * PART
    assert_whole(tmp_path)


def test_what_came_of_a_part_is_not_fetched_again(tiny: Registry, tmp_path: Path) -> None:
    leave_partial(tmp_path, [0, 1, 2], done=[0], begun={"1": 60_000, "2": PART})
    report = pull(tiny, tmp_path)
    assert tiny.served[DIGEST] == SIZE - 2 * PART - 60_000
    assert report.bytes_fetched == tiny.blob_bytes
    assert_whole(tmp_path)


def test_finished_parts_are_no_use_when_the_server_sends_only_the_whole(tiny: Registry, tmp_path: Path) -> None:
    leave_partial(tmp_path, [0, 2], begun={"1": 500})
    tiny.faults.ignore_range, tiny.faults.cut_after, tiny.faults.cuts = True, 50_000, 1
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


def test_a_record_that_lies_is_found_out_by_the_hash(tiny: Registry, tmp_path: Path) -> None:
    leave_partial(tmp_path, [1])
    state = weights(tmp_path).with_name(weights(tmp_path).name + "-partial.json")
    state.write_text(json.dumps({"size": SIZE, "part_size": PART, "done": [0, 1, 2]}))
    pull(tiny, tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 1},
        {"part_size": 7},
        {"done": "x"},
        {"done": [-1, 99]},
        {"done": [0, None]},
        {"done": [], "begun": [5]},
        {"done": [], "begun": {"0": -5, "1": "x", "2": PART + 1, "99": 7, "x": 1, "3": None}},
    ],
)
def test_a_record_of_something_else_is_ignored(tiny: Registry, tmp_path: Path, changes: dict[str, object]) -> None:
    leave_partial(tmp_path, [0], **changes)
    pull(tiny, tmp_path)
    assert tiny.served[DIGEST] == SIZE
    assert_whole(tmp_path)


def killed_after(record: Path, url: str, target: Path) -> dict[str, Any]:
    """Run a fetch in a process of its own, kill it as soon as it has recorded something, and return the record."""
    code = (
        "from pathlib import Path\n"
        "from ansible_collections.polycloud.ollama.plugins.module_utils.models import fetch, limits, registry\n"
        f"source = registry.Registry({url!r}, limits=limits.Limits(part_size={PART}))\n"
        f"fetch.fetch(['tiny'], source, Path({str(target)!r}), parallel=2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT / ".build")})
    deadline = time.monotonic() + 30
    while not record.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return dict(json.loads(record.read_text()))


@pytest.mark.parametrize(
    ("seconds_per_piece", "in_parts"), [(0.02, False), (0.11, True)], ids=["between parts", "inside of parts"]
)
def test_a_killed_fetch_goes_on_where_it_stopped(
    tiny: Registry, tmp_path: Path, seconds_per_piece: float, in_parts: bool
) -> None:
    tiny.faults.seconds_per_piece, tiny.faults.piece = seconds_per_piece, 10_000
    state = killed_after(weights(tmp_path).with_name(weights(tmp_path).name + "-partial.json"), tiny.url, tmp_path)
    assert_nothing(tmp_path)
    done, begun = state["done"], state["begun"]
    assert len(done) < 5
    assert done or in_parts
    assert not in_parts or [count for count in begun.values() if 0 < count < PART]
    time.sleep(0.3)  # until the server sees that nobody listens
    tiny.forget()
    tiny.faults.seconds_per_piece = 0
    report = pull(tiny, tmp_path)
    there = sum(min(PART, SIZE - part * PART) for part in done) + sum(begun.values())
    assert tiny.served[DIGEST] == SIZE - there
    assert report.bytes_fetched == tiny.blob_bytes
    assert_whole(tmp_path)


def test_a_fetch_that_fails_keeps_what_came(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.cut_after, tiny.faults.cuts = 30_000, 10_000
    strict = Limits(part_size=PART, attempts=1, timeout=5, stall_bytes=PART)
    with pytest.raises(SourceUnreachable):
        pull(tiny, tmp_path, strict, parallel=1)
    state = json.loads(weights(tmp_path).with_name(weights(tmp_path).name + "-partial.json").read_text())
    there = sum(state["begun"].values())
    assert there >= 30_000
    tiny.forget()
    tiny.faults.cuts = 0
    pull(tiny, tmp_path)
    assert tiny.served[DIGEST] == SIZE - there
    assert_whole(tmp_path)


def test_two_fetches_at_once_bring_each_blob_once(tiny: Registry, tmp_path: Path) -> None:
    tiny.faults.seconds_per_piece = 0.01
    reports: list[Report] = []
    threads = [threading.Thread(target=lambda: reports.append(pull(tiny, tmp_path))) for dummy in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.bytes_fetched for report in reports) == [0, 0, SIZE + 2]
    assert tiny.served[DIGEST] == SIZE
    assert_whole(tmp_path)


def test_what_another_writer_brought_is_not_fetched(tiny: Registry, tmp_path: Path) -> None:
    with Store(tmp_path).writer(0, quiet):
        reports: list[Report] = []
        thread = threading.Thread(target=lambda: reports.append(pull(tiny, tmp_path)))
        thread.start()
        time.sleep(0.2)
        assert tiny.blob_bytes == 0
        weights(tmp_path).parent.mkdir()
        weights(tmp_path).write_bytes(WEIGHTS)
    thread.join()
    assert reports[0].bytes_fetched == 2
    assert DIGEST not in tiny.served
