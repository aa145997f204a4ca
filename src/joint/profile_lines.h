/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On which line of a JSON text a value stands: a parsed document does not tell.
 */
#pragma once

/*
 * The line (from 1) of key `key` of the outermost object; with `member`, of that key or text inside its value. 1 where
 * it is not found, as when the text writes it with escapes. `text` is JSON that was parsed.
 */
unsigned profile_line(const char *text, const char *key, const char *member);
