#!/usr/bin/env bash
# The execution sweep inside a running Compose network, in one command. Run it in the project's directory:
#
#   run-execution-sweep-inside-compose.sh [--service orchestrator] [--file F]... [--project P] [--out DIR]
#                                         [--artifacts-dir DIR] [--artifacts-service SERVICE] [any option of `windlass sweep`]
#
# WORKER_SERVICE_TOKEN comes from the environment, or as that single key from .env.production, then .env; neither file is sourced.
# Afterwards: the evidence in --out (default .windlass/sweeps/inside_<UTC>), the TSV in the service's temporary folder and as
# ./execution_sweep_v2_latest.tsv here, and the newest 20 summary.json below --artifacts-dir (default /data/artifacts/validation),
# on this host or in --artifacts-service, listed. Starts, stops, pulls and removes nothing. Exits as `windlass sweep` does.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
service=orchestrator
out=
artifacts_dir=/data/artifacts/validation
artifacts_service=
compose=(docker compose)
chosen=()
options=()

refuse() { printf 'error: %s\n' "$*" >&2; exit 2; }
given() { [[ $# -ge 2 && -n $2 ]] || refuse "$1 needs a value"; }
# Names of files and lines of tables may hold what a terminal obeys: control characters become question marks.
shown() { LC_ALL=C tr '\000-\010\013-\037\177' '?'; }

while [[ $# -gt 0 ]]; do
  case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
  case $1 in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --service) given "$@"; service=$2; shift 2 ;;
    --file | -F) given "$@"; compose+=(--file "$2"); chosen+=(--file "$2"); shift 2 ;;
    --project) given "$@"; compose+=(--project-name "$2"); chosen+=(--project "$2"); shift 2 ;;
    --out) given "$@"; out=$2; shift 2 ;;
    --artifacts-dir) given "$@"; artifacts_dir=$2; shift 2 ;;
    --artifacts-service) given "$@"; artifacts_service=$2; shift 2 ;;
    --inside) given "$@"; [[ $2 == compose ]] || refuse "--inside $2: this script sweeps inside compose"; shift 2 ;;
    --json) refuse "--json: this script prints for people; use windlass sweep --inside compose --json" ;;
    *) options+=("$1"); shift ;;
  esac
done
[[ $service != -* && $artifacts_service != -* ]] || refuse "a service's name does not begin with a dash"
[[ $artifacts_dir == /* ]] || refuse "--artifacts-dir $artifacts_dir: must be an absolute path"

if [[ -n ${WINDLASS:-} ]]; then windlass=$WINDLASS
elif [[ -x $here/.venv/bin/windlass ]]; then windlass=$here/.venv/bin/windlass
elif ! windlass=$(command -v windlass); then refuse "there is no windlass command; run make prove in $here once, or set WINDLASS to its path"
fi
[[ -n $out ]] || out=${WINDLASS_STATE_DIR:-.windlass}/sweeps/inside_$(date -u +%Y%m%dT%H%M%SZ)_$$

# Ctrl-C is for the sweep: it closes in good order, writes what it has, and says 130; this script then tells where it lies.
trap : INT TERM HUP
code=0
"$windlass" sweep --inside compose --service "$service" "${chosen[@]}" --out "$out" "${options[@]}" || code=$?
trap - INT TERM HUP

shopt -s nullglob
tables=("$out"/execution_sweep_v2_*.tsv)
[[ ${#tables[@]} -gt 0 ]] || exit "$code"
table=${tables[-1]}
name=${table##*/}

latest=$(mktemp ./.execution_sweep_v2_latest.XXXXXX)
trap 'rm -f "$latest"' EXIT
cat "$table" >"$latest"
chmod 644 "$latest"
mv -f "$latest" ./execution_sweep_v2_latest.tsv

# Written by a process of the container, so that it lands in a mounted /tmp as well; cp is for containers without a shell.
# shellcheck disable=SC2016  # $TMPDIR and $1 are the container's
if inside=$("${compose[@]}" exec -T "$service" sh -c 'f=${TMPDIR:-/tmp}/$1 && cat >"$f" && printf %s "$f"' sh "$name" <"$table" 2>/dev/null) && [[ -n $inside ]]; then
  inside=$(printf %s "$inside" | shown)
elif "${compose[@]}" cp "$table" "$service:/tmp/$name" >/dev/null 2>&1; then
  inside=/tmp/$name
else
  inside=
fi

printf '\n%s\n' "== evidence"
if [[ -n $inside ]]; then printf 'in %s   %s\n' "$service" "$inside"; else printf 'in %s   no TSV: its temporary folder can not be written\n' "$service"; fi
printf 'here            ./execution_sweep_v2_latest.tsv\ngate table      %s/gate.md\n\n' "$out"
tail -n 40 "$table" | shown

printf '\n== newest summary.json below %s%s\n' "$artifacts_dir" "${artifacts_service:+ in $artifacts_service}"
# Seconds and path, oldest first. stat and not -printf: the find of a small image (BusyBox) has none.
# shellcheck disable=SC2016  # $1 is the inner shell's
listing='find "$1" -type f -name summary.json -exec stat -c "%Y %n" {} + 2>/dev/null | sort -n | tail -n 20'
if [[ -n $artifacts_service ]]; then
  found=$("${compose[@]}" exec -T "$artifacts_service" sh -c "$listing" sh "$artifacts_dir" 2>/dev/null </dev/null | head -c 100000 | shown) || found=
else
  found=$(sh -c "$listing" sh "$artifacts_dir" | head -c 100000 | shown) || found=
fi
if [[ -n $found ]]; then printf '%s\n' "$found"; printf '%s\n' "$found" >"$out/validation_summaries.txt"; else printf 'none\n'; fi

printf '\n%s\n' "$(grep -m 1 '^SUMMARY: ' "$out/gate.md")"
exit "$code"
