/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages by node, as the kernel counts them. Any failure ends the program with a line on stderr and code 1: this serves
 * one test program. Nothing here allocates, so that counting does not change what is counted.
 */
#pragma once

#include <stddef.h>

struct page_range {
	char *start;
	size_t bytes;
};

/*
 * Print "LABEL NODE:PAGES ..." for the pages of `ranges` (each page once, ranges in any order but a page in
 * neighbouring ones only), in pages of 4 KiB. The mappings they lie in are counted by move_pages() page for page and by
 * numa_maps; it fails when the two differ.
 */
void page_count_tell(const char *label, const struct page_range *ranges, size_t count);

/* AnonHugePages of the process, in KiB. */
size_t page_count_huge_kib(void);

/* "page-probe: WHAT: error" and the end. */
void page_count_fail(const char *what) __attribute__((noreturn));
