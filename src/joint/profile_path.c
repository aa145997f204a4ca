/* SPDX-License-Identifier: Apache-2.0 */
/* Where profiles are. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "joint/profile.h"

#include <string.h>

char *profile_folder(void)
{
	const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
	struct text folder = TEXT_INIT;

	/* The specification tells to ignore a relative path. */
	if (config && *config == '/')
		text_add(&folder, "%s/fettle/profiles", config);
	else if (home && *home == '/')
		text_add(&folder, "%s/.config/fettle/profiles", home);
	else
		return NULL;
	return text_take(&folder);
}

static bool is_path(const char *name)
{
	const size_t length = strlen(name);

	return strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".json") == 0);
}

static bool is_name(const char *name)
{
	return *name != '.' && *name != '-' &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

int profile_path(const char *name, char **ret_path, struct err *err)
{
	cleanup_free char *folder = NULL;
	char *path;

	if (is_path(name)) {
		path = strdup(name);
		if (!path)
			return err_nomem(err);
		*ret_path = path;
		return 0;
	}
	if (!is_name(name)) {
		(void)err_set(err, -EINVAL, "'%s' is no name of a profile", name);
		return err_hint(err, "letters, digits, '.', '_' and '-'; or a path, with a '/'");
	}
	folder = profile_folder();
	if (!folder)
		return err_set(err, -ENOENT, "profile '%s': neither XDG_CONFIG_HOME nor HOME says where profiles are",
			       name);
	if (asprintf(&path, "%s/%s.json", folder, name) < 0)
		return err_nomem(err);
	*ret_path = path;
	return 0;
}
