# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: sampling, statistics, tables. Python's standard library only."""
