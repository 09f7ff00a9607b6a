#!/bin/sh
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts Ollama once the models of this image are where it looks for them.
#
# The image keeps its models in POLYCLOUD_BAKED_MODELS, which is never a mount point. Where a volume is mounted on
# OLLAMA_MODELS, models that it lacks are copied there: blobs first, each checked by its digest, the manifest last. A blob
# that was checked is not read again until its size, time or inode change (.polycloud/seeded). Containers that share the
# volume wait for each other, and for the model fetcher. Where there is no volume, or one that cannot be made whole,
# Ollama gets the models of the image; with POLYCLOUD_STORAGE=baked always, with POLYCLOUD_STORAGE=volume never.
#
# Where a sidecar is beside Ollama (POLYCLOUD_SIDECAR=HOST:PORT), SIGTERM is held until nothing listens there any more,
# at most POLYCLOUD_DRAIN_SECONDS: the sidecar ends when the last answer has.
set -eu

baked=${POLYCLOUD_BAKED_MODELS:-/opt/ollama/models}
models=${OLLAMA_MODELS:-$baked}
own=$models/.polycloud # the model fetcher keeps its files there too
lock=$own/lock         # and takes the same lock
record=$own/seeded
draft=$own/seeding # one is enough: only the holder of the lock writes
lock_seconds=${POLYCLOUD_SEED_LOCK_SECONDS:-1800}

say() {
    echo "polycloud: $*" >&2
}

size_of() {
    stat -c %s "$1"
}

mark_of() { # mark_of BLOB: what changes when the file does
    echo "$1 $(stat -c '%s %.9Y %i' "$models/blobs/$1" 2>/dev/null)"
}

holds() { # holds FILE BLOB: the file has the digest in the blob's name
    echo "${2#sha256-}  $1" | sha256sum --check --status - 2>/dev/null
}

is_intact() { # is_intact BLOB: the volume's copy is what its name says
    [ -f "$models/blobs/$1" ] || return 1
    grep -qxF "$(mark_of "$1")" "$record" 2>/dev/null && return 0
    [ "$(size_of "$models/blobs/$1")" = "$(size_of "$baked/blobs/$1")" ] || return 1
    holds "$models/blobs/$1" "$1" || return 1
    note "$1"
}

note() { # note BLOB: it was checked
    [ "$writable" = no ] || mark_of "$1" >>"$record"
}

fits() { # fits BLOB: the volume has room for it
    needed=$(($(size_of "$baked/blobs/$1") / 1024 + 1))
    free=$(df -k --output=avail "$models" | tail -n 1)
    [ "$free" -ge "$needed" ] && return 0
    say "$models has $free KiB free and $1 needs $needed KiB"
    return 1
}

copy_blob() {
    fits "$1" || return 1
    say "copying $1 ($(size_of "$baked/blobs/$1") bytes)"
    if ! cp "$baked/blobs/$1" "$draft" || ! holds "$draft" "$1" || ! sync "$draft"; then
        rm -f "$draft"
        say "$1 could not be copied whole"
        return 1
    fi
    mv -f "$draft" "$models/blobs/$1" && note "$1"
}

blobs_of() { # blobs_of MANIFEST
    grep -o 'sha256:[0-9a-f]\{64\}' "$baked/manifests/$1" | sort -u | tr : -
}

is_whole() { # is_whole MANIFEST: the volume has the model
    is_same "$1" || return 1
    for blob in $(blobs_of "$1"); do
        is_intact "$blob" || return 1
    done
}

seed_model() { # seed_model MANIFEST
    for blob in $(blobs_of "$1"); do
        is_intact "$blob" || copy_blob "$blob" || return 1
    done
    is_same "$1" && return 0
    mkdir -p "$(dirname "$models/manifests/$1")" || return 1
    cp "$baked/manifests/$1" "$draft" && sync "$draft" && mv -f "$draft" "$models/manifests/$1" || return 1
    say "$1 is on the volume"
}

each_model() { # each_model FUNCTION: with each manifest of the image, as a path below the folder manifests
    for manifest in $(cd "$baked/manifests" && find . -type f | sed 's|^\./||' | sort); do
        "$1" "$manifest" || return 1
    done
}

is_same() { # is_same MANIFEST: the volume has it
    cmp -s "$baked/manifests/$1" "$models/manifests/$1"
}

is_noted() { # the volume has all that the image has, and each blob is as it was when it was checked: no file is read
    each_model is_same || return 1
    blobs=$(cd "$baked/manifests" && grep -rho 'sha256:[0-9a-f]\{64\}' . | sort -u | tr : -)
    marks=$(cd "$models/blobs" && stat -c '%n %s %.9Y %i' $blobs 2>/dev/null) || return 1
    echo "$marks" | grep -qvxFf "$record" 2>/dev/null && return 1 || [ $? = 1 ]
}

can_write() {
    mkdir -p "$own" "$models/blobs" "$models/manifests" 2>/dev/null && (: >>"$lock") 2>/dev/null
}

seed() { # fails where the volume has not every model of the image in the end
    is_noted && return 0
    writable=yes
    if ! can_write; then
        writable=no
        each_model is_whole && return 0
        say "$models cannot be written and lacks models of the image"
        return 1
    fi
    {
        if ! flock -n 9; then
            say "another process writes into $models, waiting"
            flock -w "$lock_seconds" 9 || return 1
        fi
        rm -f "$draft"
        each_model seed_model
    } 9>>"$lock"
}

seed_or_stop() { # process 1 gets only the signals that it traps, and a trap waits for the command in the foreground
    seed &
    seeder=$!
    trap 'kill "$seeder" 2>/dev/null; exit 143' TERM INT
    wait "$seeder" && seeded=0 || seeded=$?
    trap - TERM INT
    return "$seeded"
}

storage=${POLYCLOUD_STORAGE:-both}
if [ "${1:-}" = serve ] && [ "$models" != "$baked" ] && [ -d "$baked/manifests" ] && [ "$storage" != volume ]; then
    if [ "$storage" = baked ]; then
        models=$baked
    elif [ ! -d "$models" ]; then
        say "nothing is mounted on $models: Ollama gets the models of the image"
        models=$baked
    elif ! seed_or_stop; then
        say "the models could not be put into $models: Ollama gets those of the image"
        models=$baked
    fi
fi
export OLLAMA_MODELS="$models"
# Other containers may be writing what this one does not know yet; what is in the image cannot be removed anyway.
export OLLAMA_NOPRUNE="${OLLAMA_NOPRUNE:-1}"
ollama=${POLYCLOUD_OLLAMA:-/usr/bin/ollama}

listens() { # whether the sidecar still does; without bash there is no way to tell
    timeout 1 bash -c 'exec 3<>"/dev/tcp/$1/$2"' listens "${POLYCLOUD_SIDECAR%:*}" "${POLYCLOUD_SIDECAR##*:}" 2>/dev/null
}

stop_after_sidecar() { # SIGTERM cuts Ollama's answers at once, and reaches this container when it reaches the sidecar's
    trap '' TERM INT
    seconds=${POLYCLOUD_DRAIN_SECONDS:-300}
    say "waiting for the sidecar at $POLYCLOUD_SIDECAR, at most $seconds s"
    end=$(($(date +%s) + seconds))
    while listens && kill -0 "${served:-$$}" 2>/dev/null && [ "$(date +%s)" -lt "$end" ]; do
        sleep 0.1
    done
    [ -n "$served" ] || exit 143
    kill -TERM "$served" 2>/dev/null || say "Ollama has ended before"
}

serve_beside_sidecar() { # the waiting is in the trap, so a signal in any moment begins it
    served=
    trap stop_after_sidecar TERM INT
    "$ollama" "$@" &
    served=$!
    while :; do # a signal ends the first wait; the one after it has Ollama's own status
        wait "$served" && ended=0 || ended=$?
        kill -0 "$served" 2>/dev/null || return "$ended"
    done
}

if [ "${1:-}" = serve ] && [ -n "${POLYCLOUD_SIDECAR:-}" ]; then
    serve_beside_sidecar "$@" && exit 0 || exit $?
fi
exec "$ollama" "$@"
