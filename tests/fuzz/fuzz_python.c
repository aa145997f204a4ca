/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as pyvenv.cfg and as a version file of pyenv: values are trimmed and of one line, versions are plain names.
 */
#include "fuzz.h"

#include "target/pyenv.h"
#include "target/python.h"

#include <errno.h>

static void check_config(const char *text, const char *key)
{
	char *value = NULL;
	const int r = python_config_value(text, key, &value);

	MUST(r == 0 || r == -ENOENT);
	if (r < 0)
		return;
	MUST(!strchr(value, '\n'));
	MUST(!*value || (!strchr(" \t\r\f\v", *value) && !strchr(" \t\r\f\v", value[strlen(value) - 1])));
	MUST(strstr(text, value));
	free(value);
}

static void check_versions(const char *text)
{
	char *versions = pyenv_versions(text);

	MUST(versions && !strpbrk(versions, "/ \t\n\r"));
	MUST(*versions != '.');
	free(versions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_config(text, "home");
	check_config(text, "include-system-site-packages");
	check_versions(text);
	(void)pyenv_is_shim("/u/.pyenv/shims/python3", text);
	free(text);
	return 0;
}
