#!/usr/bin/env bash
# Installs the locked agents from npm, unless they are there.
set -euo pipefail
cd "$(dirname "$0")"
place=../../.cache/agents
mkdir -p "$place"
cmp -s package-lock.json "$place/installed.json" && exit
cp package.json package-lock.json "$place/"
here=$PWD
cd "$place" # `--prefix` would have npm look for its own settings there, too
# `npm ci` would refuse the lock: it names packages for other systems that are published
# nowhere.
npm install --no-save --loglevel error --no-audit --no-fund --ignore-scripts \
  --fetch-retries 2 --fetch-retry-maxtimeout 10000
npm rebuild --silent opencode-ai # which puts its program in place
cp "$here/package-lock.json" installed.json
