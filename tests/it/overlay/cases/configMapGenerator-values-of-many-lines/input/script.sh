#!/bin/sh
set -eu
echo "$1: '%s'" >&2
