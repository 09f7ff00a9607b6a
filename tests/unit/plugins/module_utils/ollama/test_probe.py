# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe calls a release good only when the pinned model is resident and answers; each failure is one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import NotFound, PolycloudError, WaitTimeout
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.client import OllamaClient
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.errors import (
    BadAnswer,
    DigestMismatch,
    GpuNotUsed,
    ModelMissing,
    NotReady,
    OllamaError,
    ServerError,
    TooSlow,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.probe import (
    ProbeResult,
    ProbeSpec,
    inspect,
    probe,
)
from tests.helpers.engines import MODEL, Engines, Reply, Scripted

Script = Callable[..., Scripted]
DIGEST = "c" * 64
PS = {"name": MODEL, "digest": DIGEST, "size": 100, "size_vram": 60, "expires_at": "2318-01-01T00:00:00Z"}


def ask(url: str, **wanted: object) -> ProbeResult:
    options = {"model": MODEL, "timeout_s": 5.0, "interval_s": 0.02, **wanted}
    return probe(OllamaClient(url), ProbeSpec(**options))  # type: ignore[arg-type]


def answering(response: str, **more: object) -> dict[str, Reply | Callable[[], Reply]]:
    """The script of a healthy server whose model answers with `response`."""
    bodies = {
        "/api/version": {"version": "0.32.15"},
        "/api/tags": {"models": [{"name": MODEL, "digest": DIGEST, "size": 100}]},
        "/api/ps": {"models": [PS]},
        "/api/show": {"capabilities": ["completion"]},
        "/api/generate": {"response": response, "done": True, **more},
    }
    return {path: (200, json.dumps(body).encode()) for path, body in bodies.items()}


def one_after_another(*replies: Reply) -> Callable[[], Reply]:
    """Each request gets the next reply; the last one is for all that follow."""
    queue: Iterator[Reply] = chain(replies, repeat(replies[-1]))
    return lambda: next(queue)


def test_a_good_release_answers_with_its_model_resident_on_the_gpu(engines: Engines) -> None:
    seen: list[tuple[str, str]] = []
    client = OllamaClient(engines.url())
    result = probe(client, ProbeSpec(MODEL, require_gpu=True), on_event=lambda *event: seen.append(event))
    assert result.answer
    assert result.resident
    assert result.gpu_ratio == 1.0
    assert result.tokens_per_second is not None
    assert result.tokens_per_second > 0
    resident = client.resident(MODEL)
    assert resident is not None
    assert resident.stays
    assert [text.split(" at ")[0] for _, text in seen] == [
        f"{client.base_url} answers, version {result.version}",
        f"loading {MODEL}",
        f"{MODEL} is resident, 100% of it on the GPU",
        f"{MODEL} answered",
    ]


def test_an_idle_time_that_was_set_before_is_replaced_by_for_good(engines: Engines) -> None:
    client = OllamaClient(engines.url())
    client.load(MODEL, "5m")
    ask(client.base_url)
    resident = client.resident(MODEL)
    assert resident is not None
    assert resident.stays


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_the_pinned_digest_holds_however_it_is_written(engines: Engines, prefix: str) -> None:
    url = engines.url(models=f"{MODEL}@sha256:{DIGEST}")
    assert ask(url, digest=prefix + DIGEST.upper()).digest == DIGEST


def test_a_tag_that_has_moved_fails_before_anything_is_loaded(engines: Engines) -> None:
    url = engines.url(models=f"{MODEL}@sha256:{DIGEST}")
    with pytest.raises(DigestMismatch, match=r"sha256:cccccccccccc is on disk, sha256:dddddddddddd is pinned"):
        ask(url, digest="d" * 64)
    assert OllamaClient(url).ps() == []


def test_another_model_in_memory_than_on_disk_is_found_too(scripted: Script) -> None:
    script = answering("ready")
    script["/api/ps"] = (200, json.dumps({"models": [{**PS, "digest": "e" * 64}]}).encode())
    with pytest.raises(DigestMismatch, match="sha256:eeeeeeeeeeee is in memory"):
        ask(scripted(script).url, digest=DIGEST)


def test_a_missing_model_fails_at_once_although_the_server_is_well(engines: Engines) -> None:
    with pytest.raises(ModelMissing, match=f"answers but has no model {MODEL}") as caught:
        ask(engines.url("no-model"), timeout_s=60.0)
    assert isinstance(caught.value, NotFound)


def test_a_lost_gpu_is_told_apart_from_a_slow_one(engines: Engines) -> None:
    with pytest.raises(GpuNotUsed, match=r"runs on the CPU, 0 of \d+ bytes"):
        ask(engines.url("no-gpu"), require_gpu=True)


def test_a_lost_gpu_is_reported_where_none_is_asked_for(engines: Engines) -> None:
    assert ask(engines.url("no-gpu")).gpu_ratio == 0.0


def test_a_model_that_is_partly_on_the_gpu_has_its_share_reported(scripted: Script) -> None:
    assert ask(scripted(answering("ready")).url, require_gpu=True).gpu_ratio == 0.6


def test_an_empty_answer_is_no_answer(engines: Engines) -> None:
    with pytest.raises(BadAnswer, match="answered the prompt with nothing"):
        ask(engines.url("wrong-answer"))


@pytest.mark.parametrize("invisible", [" \n\t", "\u200b\u202e\x00"])
def test_an_answer_that_nobody_can_see_is_no_answer(scripted: Script, invisible: str) -> None:
    with pytest.raises(BadAnswer):
        ask(scripted(answering(invisible)).url)


def test_the_thoughts_of_a_thinking_model_are_an_answer(scripted: Script) -> None:
    assert ask(scripted(answering("", thinking="The user wants")).url).answer == "The user wants"


def test_the_expected_word_is_found_in_any_case(scripted: Script) -> None:
    assert ask(scripted(answering("It is PARIS.")).url, expect="Paris").answer == "It is PARIS."


def test_an_answer_without_the_expected_word_is_shown(scripted: Script) -> None:
    with pytest.raises(BadAnswer, match="answered without 'Paris': 'I do not know'"):
        ask(scripted(answering("I do not know")).url, expect="Paris")


def test_a_hostile_answer_is_cut_and_cleaned_and_stays_text(scripted: Script) -> None:
    answer = ask(scripted(answering("{{ lookup('pipe','id') }}\x1b]0;x\x07\n\u202e" + "A" * 5000)).url).answer
    assert answer.startswith("{{ lookup('pipe','id') }} ]0;x AAA")
    assert len(answer) == 200
    assert answer.isprintable()


def test_fewer_tokens_a_second_than_the_floor_fail(scripted: Script) -> None:
    script = answering("ready", eval_count=10, eval_duration=2_000_000_000)
    assert ask(scripted(script).url, min_tokens_per_second=5.0).tokens_per_second == 5.0
    with pytest.raises(TooSlow, match=r"gave 5\.0 tokens/s; at least 5\.1"):
        ask(scripted(script).url, min_tokens_per_second=5.1)


def test_a_floor_cannot_be_met_by_a_server_that_does_not_report(scripted: Script) -> None:
    with pytest.raises(TooSlow, match="did not report its speed"):
        ask(scripted(answering("ready")).url, min_tokens_per_second=1.0)


def test_an_embedding_model_answers_with_a_vector(engines: Engines) -> None:
    result = ask(engines.url(models="nomic-embed-text"), model="nomic-embed-text")
    assert result.answer.startswith("vector of ")
    assert result.resident


def test_an_embedding_model_cannot_be_expected_to_say_something(engines: Engines) -> None:
    with pytest.raises(OllamaError, match="is an embedding model"):
        ask(engines.url(models="nomic-embed-text"), model="nomic-embed-text", expect="ready")


def test_a_server_that_never_answers_is_given_up_with_what_was_seen(engines: Engines) -> None:
    url, _ = engines.start("never-ready", ready=False)
    with pytest.raises(NotReady, match=r"After \d s: http.* has not answered; last seen: .*refused") as caught:
        ask(url, timeout_s=0.3)
    assert isinstance(caught.value, WaitTimeout)


def test_a_server_that_starts_late_is_waited_for(engines: Engines) -> None:
    url, workload = engines.start()
    workload.stop()
    restart = threading.Timer(0.3, lambda: engines.runtime.start(workload.spec))
    restart.start()
    assert ask(url).answer
    restart.join()


def test_a_gateway_with_nothing_behind_it_yet_is_waited_for(scripted: Script) -> None:
    script = answering("ready")
    good = script["/api/version"]
    assert isinstance(good, tuple)
    script["/api/version"] = one_after_another((404, b"<html>"), (502, b""), (503, b"{}"), good)
    assert ask(scripted(script).url).answer == "ready"


def test_a_busy_server_is_asked_again(scripted: Script) -> None:
    script = answering("ready")
    loaded = (200, b'{"done": true}')
    script["/api/generate"] = one_after_another(
        (503, b'{"error": "server busy"}'), loaded, (503, b""), (200, b'{"response": "ready"}')
    )
    assert ask(scripted(script).url).answer == "ready"


def test_an_error_that_will_not_pass_is_not_waited_for(scripted: Script) -> None:
    script = answering("ready")
    script["/api/generate"] = (500, b'{"error": "model requires more system memory (9.1 GiB) than is available"}')
    with pytest.raises(ServerError, match="requires more system memory"):
        ask(scripted(script).url, timeout_s=60.0)


def test_a_model_that_loads_too_slowly_is_given_up(engines: Engines) -> None:
    with pytest.raises(NotReady, match=r"has not loaded the model.*raise timeout"):
        ask(engines.url("slow"), timeout_s=1.1)


def test_a_model_that_does_not_stay_in_memory_is_given_up(scripted: Script) -> None:
    script = answering("ready")
    script["/api/ps"] = (200, b'{"models": []}')
    with pytest.raises(NotReady, match="loaded without an error but is not resident"):
        ask(scripted(script).url, timeout_s=0.2)


def test_the_wait_ends_in_time_on_any_clock(scripted: Script) -> None:
    """With the clock in hand: 10 s in steps of 3 s is four pauses, the last one shorter."""
    now, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    client = OllamaClient(scripted({}).url)
    with pytest.raises(NotReady, match="After 10 s"):
        probe(client, ProbeSpec(MODEL, timeout_s=10, interval_s=3), clock=lambda: now[0], sleep=sleep)
    assert pauses == [3, 3, 3, 1]


HIDDEN = (404, b'{"error": "not found"}')


def behind_a_sidecar(*readiness: Reply) -> dict[str, Reply | Callable[[], Reply]]:
    """As our sidecar answers: what is in memory is hidden, whether it is ready is not."""
    script = answering("ready")
    script["/readyz"] = one_after_another(*readiness)
    return {**script, "/api/ps": HIDDEN, "/api/show": HIDDEN}


READY = (200, b'{"status": "ready"}')
NOT_READY = (503, b'{"status": "not ready", "reason": "gemma3:4b is not in memory"}')


def test_behind_a_sidecar_the_probe_waits_until_it_is_ready_and_asks(scripted: Script) -> None:
    server = scripted(behind_a_sidecar(NOT_READY, NOT_READY, READY))
    result = ask(server.url)
    assert (result.answer, result.resident, result.gpu_ratio) == ("ready", True, 0.0)
    assert result.digest == DIGEST, "as it is on disk"
    bodies = [json.loads(body) for _, path, _, body in server.requests if path == "/api/generate"]
    assert len(bodies) == 1, "the sidecar loads the model, the probe only asks it"


def test_behind_a_sidecar_that_is_never_ready_the_probe_says_why(scripted: Script) -> None:
    with pytest.raises(NotReady, match="gemma3:4b is not in memory"):
        ask(scripted(behind_a_sidecar(NOT_READY)).url, timeout_s=0.2)


def test_a_gateway_that_hides_the_memory_and_is_no_sidecar_is_told_as_it_is(scripted: Script) -> None:
    script = answering("ready")
    script["/api/ps"] = HIDDEN
    with pytest.raises(ServerError) as caught:
        ask(scripted(script).url)
    assert caught.value.call == "/api/ps"


def test_a_gpu_cannot_be_vouched_for_behind_a_sidecar_that_hides_it(scripted: Script) -> None:
    with pytest.raises(GpuNotUsed, match="does not show"):
        ask(scripted(behind_a_sidecar(READY)).url, require_gpu=True)


def test_an_embedding_model_behind_a_sidecar_is_asked_for_a_vector(scripted: Script) -> None:
    script = behind_a_sidecar(READY)
    script["/api/generate"] = (400, b'{"error": "\\"gemma3:4b\\" does not support generate"}')
    script["/api/embed"] = (200, b'{"embeddings": [[0.1, 0.2]]}')
    assert ask(scripted(script).url).answer == "vector of 2 numbers"


@pytest.mark.parametrize(("reply", "resident"), [(READY, True), (NOT_READY, False)])
def test_inspect_takes_the_sidecars_word_and_waits_for_nothing(scripted: Script, reply: Reply, resident: bool) -> None:
    client = OllamaClient(scripted(behind_a_sidecar(reply)).url)
    assert inspect(client, ProbeSpec(MODEL, timeout_s=60.0)).resident is resident


def test_inspect_reads_and_changes_nothing(engines: Engines) -> None:
    client = OllamaClient(engines.url())
    result = inspect(client, ProbeSpec(MODEL, require_gpu=True))
    assert (result.resident, result.answer, len(result.digest)) == (False, "", 64)
    assert client.ps() == []


def test_inspect_sees_the_missing_gpu_of_a_resident_model(engines: Engines) -> None:
    client = OllamaClient(engines.url("no-gpu"))
    client.load(MODEL)
    with pytest.raises(GpuNotUsed):
        inspect(client, ProbeSpec(MODEL, require_gpu=True))


def test_every_failure_says_what_to_do_next(engines: Engines) -> None:
    for tag, wanted in (("no-model", {}), ("no-gpu", {"require_gpu": True}), ("wrong-answer", {})):
        with pytest.raises(PolycloudError) as caught:
            ask(engines.url(tag), **wanted)
        assert caught.value.hint
