#!/usr/bin/env bash
# What the GitHub Action and the GitLab CI component do: install wooo, ask a service with it, pass on what came of it.
#
#   wooo.sh install    puts a `wooo` on the path, if there is none
#   wooo.sh run        asks the service
#
# Inputs come in variables, WOOO_INPUT_<NAME>, and only there: no value is ever part of a text that a shell reads. Each goes
# to wooo as one argument, behind `--name=` or behind `--`, so that it cannot be an option either.
#
# Exit code: that of wooo (0 it is there, 1 refused or not healthy, 3 the time was over), or 2 for inputs that make no sense.
set -euo pipefail

# The fields of the app spec, as the inputs name them: those that are texts, and those that are YAML.
TEXT_FIELDS="name display_name domain source_type source_url framework plan image health_path metrics_path language"
YAML_FIELDS="port replicas autoscale env secrets addons workers command egress owners notification_channels alerts
metrics auto_repair"

# fail WHY: on one line, because the runner takes a line that begins with `::` for its own.
fail() {
  printf 'wooo: %s\n' "$(printf '%s' "$1" | tr '\r\n' '  ')" >&2
  exit 2
}

# input NAME: its value; nothing if it was not given.
input() {
  local variable
  variable=WOOO_INPUT_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')
  printf '%s' "${!variable-}"
}

on_github() { [ "${GITHUB_ACTIONS-}" = true ]; }
on_gitlab() { [ "${GITLAB_CI-}" = true ]; }

# A word that nobody who wrote an input can know.
random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# truth NAME: whether an input says yes.
truth() {
  case $(input "$1") in
    true) return 0 ;;
    false | '') return 1 ;;
    *) fail "$1 is neither true nor false" ;;
  esac
}

### Installing

# The triple of this machine, as the releases name it.
machine() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) echo x86_64-unknown-linux-gnu ;;
    Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-gnu ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    *) fail "no release is made for $(uname -s) on $(uname -m); set build to true" ;;
  esac
}

fetch() {
  curl --fail --silent --show-error --location --proto =https --tlsv1.2 --retry 3 --output "$2" -- "$1"
}

digest() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1"
  else
    shasum -a 256 "$1"
  fi | cut -d ' ' -f 1
}

# download VERSION FOLDER: the released program, if it is what its checksum says.
download() {
  local version=${1#v} folder=$2 releases archive expected found
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "version is not one like 1.2.3"
  releases=$(input releases)
  [ -n "$releases" ] || fail "releases says nothing: the URL below which the released programs are"
  archive=wooo-$version-$(machine).tar.gz
  expected=$(input checksum)
  fetch "$releases/v$version/$archive" "$folder/$archive" || fail "there is no release $version here; set build to true"
  if [ -z "$expected" ]; then
    fetch "$releases/v$version/SHA256SUMS" "$folder/SHA256SUMS" || fail "the release $version has no SHA256SUMS"
    expected=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$folder/SHA256SUMS")
  fi
  found=$(digest "$folder/$archive")
  [ "$found" = "$expected" ] || fail "$archive has the checksum $found, and not the one that it should have"
  mkdir -p "$folder/bin"
  tar -xzf "$folder/$archive" -C "$folder/bin" wooo
}

install() {
  local folder source
  if ! truth build && [ -z "$(input version)" ]; then
    command -v wooo >/dev/null || fail "there is no wooo on the path; set version or build"
    return
  fi
  folder=${RUNNER_TEMP:-${CI_PROJECT_DIR:-.}/.wooo}/wooo-program
  mkdir -p "$folder"
  if truth build; then
    source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    command -v cargo >/dev/null || fail "building wooo needs Rust, and there is no cargo on the path"
    cargo install --locked --quiet --path "$source" --root "$folder"
  else
    download "$(input version)" "$folder"
  fi
  if on_github; then
    printf '%s\n' "$folder/bin" >>"$GITHUB_PATH"
  fi
  "$folder/bin/wooo" --version
}

### Asking

arguments=()

# only FIELD...: refuses a field of the spec that the mode has no use for; better than leaving it out in silence.
only() {
  local field
  for field in $TEXT_FIELDS $YAML_FIELDS; do
    case " $* " in
      *" $field "*) ;;
      *) [ -z "$(input "$field")" ] || fail "$field is of no use with the mode $(input mode)" ;;
    esac
  done
  [ -z "$(input spec)" ] || [ "$(input mode)" = onboard ] || fail "spec is of no use with the mode $(input mode)"
}

need() {
  [ -n "$(input "$1")" ] || fail "$1 is needed with the mode $(input mode)"
}

# What every mode says.
place() {
  local fleet
  arguments+=("--server=$(input server)" "--report=$report")
  fleet=$(input fleet)
  if [ -n "$fleet" ]; then
    arguments+=("--served-fleet=$fleet")
  fi
}

# What every mode that changes something says.
change() {
  local reason timeout
  need environment
  arguments+=("--env=$(input environment)")
  reason=$(input reason)
  if [ -z "$reason" ] && [ -n "${GITHUB_REPOSITORY-}" ]; then
    reason="$GITHUB_REPOSITORY at ${GITHUB_SHA-}"
  elif [ -z "$reason" ] && [ -n "${CI_PROJECT_PATH-}" ]; then
    reason="$CI_PROJECT_PATH at ${CI_COMMIT_SHA-}"
  fi
  if [ -n "$reason" ]; then
    arguments+=("--reason=$reason")
  fi
  case $(input wait) in
    auto | '') arguments+=(--wait=unattended) ;;
    true) arguments+=(--wait=healthy) ;;
    merged) arguments+=(--wait=merged) ;;
    false) arguments+=(--wait=proposed) ;;
    *) fail "wait is none of auto, true, merged and false" ;;
  esac
  timeout=$(input timeout)
  arguments+=("--timeout=${timeout:-20m}")
}

# The spec: a file, fields, or fields over a file.
spec() {
  local field value file
  for field in $TEXT_FIELDS; do
    value=$(input "$field")
    [ -z "$value" ] || arguments+=("--set-text=$field=$value")
  done
  for field in $YAML_FIELDS; do
    value=$(input "$field")
    [ -z "$value" ] || arguments+=("--set=$field=$value")
  done
  file=$(input spec)
  if [ -z "$file" ] && [ -z "$(input name)" ]; then
    file=wooo.yaml
  fi
  if [ -n "$file" ]; then
    [ -f "$file" ] || fail "there is no file $file, and no name either"
    arguments+=(-- "$file")
  fi
}

arrange() {
  local mode environment
  mode=$(input mode)
  [ -n "$(input server)" ] || fail "server says nothing: the URL of the service"
  place
  case $mode in
    onboard)
      change
      spec
      ;;
    deploy)
      only name image
      need name
      need image
      change
      arguments+=(-- "$(input name)" "$(input image)")
      ;;
    promote)
      only name
      need name
      change
      arguments+=(-- "$(input name)")
      ;;
    status)
      only name
      need name
      environment=$(input environment)
      if [ -n "$environment" ]; then
        arguments+=("--env=$environment")
      fi
      arguments+=(-- "$(input name)")
      ;;
    *) fail "mode is none of onboard, deploy, promote and status" ;;
  esac
  arguments=("$mode" "${arguments[@]}")
}

# quietly COMMAND...: runs it. What it prints may have been written by anybody, and the runner takes lines that begin
# with `::` for its own: it is told not to.
quietly() {
  local word code=0
  if on_github; then
    word=$(random)
    printf '::stop-commands::%s\n' "$word"
    "$@" || code=$?
    printf '\n::%s::\n' "$word"
  else
    "$@" || code=$?
  fi
  return "$code"
}

# fact NAME: one of the facts that wooo has written down.
fact() {
  local name value
  while IFS='=' read -r name value; do
    if [ "$name" = "WOOO_$1" ]; then
      printf '%s' "$value"
      return
    fi
  done <"$report/wooo.env"
}

# output NAME VALUE: behind a line that no value can hold by chance or on purpose.
output() {
  local word
  word=$(random)
  printf '%s<<%s\n%s\n%s\n' "$1" "$word" "$2" "$word" >>"$GITHUB_OUTPUT"
}

publish() {
  local code=$1 outcome
  # Without a report the command line was not understood, and wooo has asked nothing.
  if [ ! -f "$report/wooo.env" ]; then
    printf 'WOOO_CHANGE_ID=\nWOOO_MERGE_REQUEST_URL=\nWOOO_OUTCOME=refused\n' >"$report/wooo.env"
    printf '### wooo\n\nThe request was not understood; the log says why.\n' >"$report/wooo.md"
  fi
  outcome=$(fact OUTCOME)
  if on_github; then
    output change-id "$(fact CHANGE_ID)"
    output merge-request-url "$(fact MERGE_REQUEST_URL)"
    output outcome "$outcome"
    cat "$report/wooo.md" >>"$GITHUB_STEP_SUMMARY"
    if [ "$code" != 0 ]; then
      printf '::error title=wooo::%s: %s\n' "$(input mode)" "${outcome:-failed}"
    fi
  elif on_gitlab; then
    printf '\033[0Ksection_start:%s:wooo_report[collapsed=true]\r\033[0K%s\n' "$(date +%s)" "wooo.md"
    cat "$report/wooo.md"
    printf '\033[0Ksection_end:%s:wooo_report\r\033[0K\n' "$(date +%s)"
  fi
}

run() {
  local code=0 token audience
  if on_gitlab; then
    report=${CI_PROJECT_DIR:-.}
    rm -f "$report/wooo.md" "$report/wooo.env"
  else
    report=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/wooo.XXXXXX")
  fi
  token=$(input token)
  if [ -n "$token" ]; then
    # A second line would not be masked.
    [[ $token != *[[:space:]]* ]] || fail "token is more than one word"
    if on_github; then
      printf '::add-mask::%s\n' "$token"
    fi
    export WOOO_TOKEN=$token
  fi
  audience=$(input audience)
  if [ -n "$audience" ]; then
    export WOOO_AUDIENCE=$audience
  fi
  arrange
  # What is left would only be there to be read by somebody else.
  unset WOOO_INPUT_TOKEN WOOO_OUTPUT
  PATH=${RUNNER_TEMP:-${CI_PROJECT_DIR:-.}/.wooo}/wooo-program/bin:$PATH
  quietly wooo --color=never "${arguments[@]}" || code=$?
  publish "$code"
  exit "$code"
}

case ${1-} in
  install) install ;;
  run) run ;;
  *) fail "usage: wooo.sh install|run" ;;
esac
