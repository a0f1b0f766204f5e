#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# clang-tidy over the helper, which is not in the compilation database: it is built by a command of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
clang-tidy --quiet src/preload/*.c -- -std=gnu17 -ffreestanding -fPIC -fvisibility=hidden -Isrc/preload
