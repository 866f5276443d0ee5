#!/usr/bin/env bash
# Installs Vibeboard into a place of its own, for one job. Nothing is put on the PATH or
# into the environment of other steps.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
place="$RUNNER_TEMP/vibeboard"

refuse() {
  echo "::error title=Vibeboard::$1"
  exit 2
}

# The newest Python first. -I, here as everywhere: neither PYTHONPATH nor the folder that
# the job stands in may put modules before those of Python itself.
python=""
for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
  if command -v "$name" > /dev/null &&
    "$name" -I -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    python=$(command -v "$name") # pip takes a path, and no name
    break
  fi
done
if [ -z "$python" ]; then
  refuse "This runner has no Python 3.11 or newer with venv. Put a step with actions/setup-python before this one."
fi

# Where wheels come from is for the runner's pip settings to say (a mirror, a proxy). What
# else pip reads from the environment could send the installation elsewhere.
for name in $(compgen -e PIP_ || true); do
  case $name in
    PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_PROXY) ;;
    PIP_CERT | PIP_CLIENT_CERT | PIP_TRUSTED_HOST | PIP_DEFAULT_TIMEOUT | PIP_RETRIES) ;;
    *) unset "$name" ;;
  esac
done

lock="$here/requirements.lock"
what=$("$python" -I - "$lock" << 'PYTHON'
import hashlib, platform, sys
lock = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:16]
print(lock, platform.python_version(), sys.platform, platform.machine(), sep="-")
PYTHON
)
if [ -f "$place/complete" ] && [ "$(cat "$place/complete")" = "$what $here" ]; then
  exit 0 # the same job has used the Action before
fi
rm -rf "$place"

# Only wheels are kept from job to job, on runners that keep anything. Each is checked
# against its hash in the lock whenever it is installed: whoever could change them would
# make the installation fail, and no more.
export PIP_CACHE_DIR="${RUNNER_TOOL_CACHE:-$RUNNER_TEMP}/vibeboard/$what"
export PIP_DISABLE_PIP_VERSION_CHECK=1

if "$python" -I -m pip --python "$python" --version > /dev/null 2>&1; then
  "$python" -I -m venv --without-pip "$place"
  pip=("$python" -I -m pip --python "$place/bin/python")
else # takes seconds longer
  "$python" -I -m venv "$place" ||
    refuse "$python cannot make virtual environments here. Put a step with actions/setup-python before this one."
  pip=("$place/bin/python" -I -m pip)
fi
# Nothing is built here: building would run code that no hash stands for. What is never
# imported need not be compiled.
"${pip[@]}" install --quiet --no-deps --require-hashes --only-binary :all: --no-compile \
  --no-warn-script-location -r "$lock" ||
  refuse "What Vibeboard needs could not be installed; the lines above say why. Runners without internet need a mirror of the package index: PIP_INDEX_URL."

site=$("$place/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Copied, not linked: what a later checkout does to this folder changes nothing.
cp -R "$here/../app/vibeboard" "$site/"
echo "$what $here" > "$place/complete"
