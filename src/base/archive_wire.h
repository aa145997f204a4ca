/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fettle and its helper fettle-archive say to each other. The helper alone knows libarchive, so
 * that nothing else ever loads it; it is started when an archive is named.
 *
 *     fettle-archive unpack    3: the archive. Answers with the folder it made, "ok /tmp/...", or "no <reason>", and
 *                              removes the folder when fettle closes the wire or ends, however it ends.
 *     fettle-archive pack xz   3: the archive to write, from records on the wire. Answers "ok " or "no <reason>".
 *
 * The wire is a socket in the place of standard input; an answer is one line.
 */
#pragma once

#include <stdint.h>

#define ARCHIVE_HELPER "fettle-archive"

enum { ARCHIVE_WIRE_FD = 0, ARCHIVE_FILE_FD = 3, ARCHIVE_ANSWER_MAX = 4096 };

enum archive_record_type { ARCHIVE_RECORD_FILE = 1, ARCHIVE_RECORD_LINK };

/* Followed by the path and by the file's bytes or the link's target. */
struct archive_record {
	uint32_t type;
	uint32_t path_length;
	uint64_t length;
};

/* What is not worth believing in: a machine of 8192 CPUs has 300,000 small files. */
enum {
	ARCHIVE_MAX_ENTRIES = 500000,
	ARCHIVE_MAX_PATH = 1024,
	ARCHIVE_MAX_FILE_BYTES = 16 << 20,
	ARCHIVE_MAX_TOTAL_BYTES = 256 << 20,
};
