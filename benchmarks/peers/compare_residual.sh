#!/usr/bin/env bash
# Compares the project's residual networks with PyTorch's. Writes reference cases to a temporary folder and replays them on
# the devices `reference` and `cpu`, or on those in DEVICES.
#
#   ./compare_residual.sh [--models NAME ...] [--kinds KIND ...] [--images FILE]    options of make_fixtures.py
#
# Exits with 1 if a case fails on a device, or if PyTorch's float32 is far from its float64.
set -euo pipefail

peers=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
cases=$(mktemp -d)
trap 'rm -rf "$cases"' EXIT

python3 "$peers/make_fixtures.py" "$@" -- "$cases"
status=0
for device in ${DEVICES:-reference cpu}; do
  echo "device $device"
  "$peers/../../layerwise" parity --device "$device" "$cases" || status=1
done
exit $status
