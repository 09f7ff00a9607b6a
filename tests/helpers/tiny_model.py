# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of half a megabyte that a real Ollama runs: a llama with random weights, in Ollama's own layout on disk.

Its answers are noise, but the same noise at temperature 0. Byte tokens make it take any prompt.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST, NAMESPACE = "registry.ollama.ai", "library"
EMBEDDING, HEADS, KEY_VALUE_HEADS, BLOCKS, FEED_FORWARD, CONTEXT = 64, 4, 2, 2, 192, 2048
SPECIAL = ["<unk>", "<s>", "</s>"]
TOKENS = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *(f"▁w{number}" for number in range(30))]
UNKNOWN, CONTROL, BYTE, NORMAL = 2, 3, 6, 1
TYPES = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * 30]
# A spinning thread per core is what makes a small model slow on a busy machine.
PARAMETERS = {"num_thread": 1, "num_predict": 16, "temperature": 0}


def write_gguf(path: Path, seed: int = 0, *, endless: bool = False) -> None:
    """Write the weights. The same seed gives the same bytes. endless: the special tokens are never the likely ones."""
    import gguf
    import numpy as np

    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer)

    def matrix(name: str, *shape: int, blank: int = 0) -> None:
        weights = (random.standard_normal(shape) * 0.05).astype(np.float32)
        weights[:blank] = 0
        writer.add_tensor(f"{name}.weight", weights)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(EMBEDDING, dtype=np.float32))

    matrix("token_embd", len(TOKENS), EMBEDDING)
    norm("output_norm")
    matrix("output", len(TOKENS), EMBEDDING, blank=len(SPECIAL) if endless else 0)
    shared = EMBEDDING // HEADS * KEY_VALUE_HEADS
    for block in (f"blk.{number}." for number in range(BLOCKS)):
        norm(f"{block}attn_norm")
        for name, rows in (("attn_q", EMBEDDING), ("attn_k", shared), ("attn_v", shared), ("attn_output", EMBEDDING)):
            matrix(block + name, rows, EMBEDDING)
        norm(f"{block}ffn_norm")
        matrix(f"{block}ffn_gate", FEED_FORWARD, EMBEDDING)
        matrix(f"{block}ffn_up", FEED_FORWARD, EMBEDDING)
        matrix(f"{block}ffn_down", EMBEDDING, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any) -> None:
    """The metadata: sizes and a tokenizer."""
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types(TYPES)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{% for message in messages %}{{ message.content }}{% endfor %}")


@dataclass(frozen=True)
class Packed:
    """A model in a models folder. digest: sha256 of its manifest, as Ollama shows it."""

    name: str
    digest: str
    manifest: Path


def pack(folder: Path, name: str = "tiny:latest", seed: int = 0, *, endless: bool = False) -> Packed:
    """Put the model into C(folder) (an C(OLLAMA_MODELS)): blobs and the manifest, as Ollama itself writes them."""
    blobs = folder / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    weights = blobs / "new"
    write_gguf(weights, seed, endless=endless)
    digests = [_add(blobs, weights.read_bytes()), _add(blobs, json.dumps(PARAMETERS).encode())]
    weights.unlink()
    kinds = ["model", "params"]
    layers = [
        _descriptor(blobs, f"application/vnd.ollama.image.{kind}", found)
        for kind, found in zip(kinds, digests, strict=True)
    ]
    config = _add(blobs, json.dumps(_config(digests)).encode())
    media = "application/vnd.docker.distribution.manifest.v2+json"
    image = _descriptor(blobs, "application/vnd.docker.container.image.v1+json", config)
    body = json.dumps({"schemaVersion": 2, "mediaType": media, "config": image, "layers": layers}).encode()
    model, tag = name.split(":")
    manifest = folder / "manifests" / HOST / NAMESPACE / model / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_bytes(body)
    return Packed(name, hashlib.sha256(body).hexdigest(), manifest)


def _config(digests: list[str]) -> dict[str, Any]:
    kind = {"model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "136K"}
    built = {"file_type": "unknown", "architecture": "amd64", "os": "linux"}
    return {**kind, **built, "rootfs": {"type": "layers", "diff_ids": digests}}


def _add(blobs: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    (blobs / f"sha256-{digest}").write_bytes(content)
    return f"sha256:{digest}"


def _descriptor(blobs: Path, media: str, digest: str) -> dict[str, Any]:
    return {"mediaType": media, "digest": digest, "size": (blobs / digest.replace(":", "-")).stat().st_size}
