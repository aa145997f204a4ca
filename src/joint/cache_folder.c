/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/cache_folder.h"

#include "base/cleanup.h"
#include "base/text.h"

char *cache_folder(void)
{
	const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
	struct text folder = TEXT_INIT;

	/* The specification tells to ignore a relative path. */
	if (cache && *cache == '/')
		text_add(&folder, "%s/fettle", cache);
	else if (home && *home == '/')
		text_add(&folder, "%s/.cache/fettle", home);
	else
		return NULL;
	return text_take(&folder);
}
