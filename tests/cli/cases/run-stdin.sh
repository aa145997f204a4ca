# SPDX-License-Identifier: Apache-2.0
printf 'one\0two' | fettle run -q -- cat | od -c
