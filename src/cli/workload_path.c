/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/workload_path.h"

#include "base/err.h"
#include "base/installed.h"

#include <unistd.h>

char *workload_path(struct err *err)
{
	char *path = installed_find("fettle-workload", "workload", "", X_OK);

	if (path)
		return path;
	(void)err_set(err, -ENOENT, "this fettle was built without its workload");
	(void)err_hint(err, "install libdnnl-dev (oneDNN 2.x) and build again, or name a program");
	return NULL;
}
