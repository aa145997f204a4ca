/* SPDX-License-Identifier: Apache-2.0 */
#include "target/library_names.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

const char *const library_families[LIBRARY_FAMILY_COUNT] = { "openmp", "allocator", "onednn", "blas" };

/* Debug builds (libtcmalloc_debug, libiomp5_db) and stubs (libiompstubs5) are not in here: nobody should get one. */
static const struct library_name names[] = {
	{ LIBRARY_OPENMP, "libgomp", "libgomp" },
	{ LIBRARY_OPENMP, "libomp", "libomp" },
	{ LIBRARY_OPENMP, "libiomp5", "libiomp5" },
	{ LIBRARY_ALLOCATOR, "libtcmalloc", "tcmalloc" },
	{ LIBRARY_ALLOCATOR, "libtcmalloc_minimal", "tcmalloc_minimal" },
	{ LIBRARY_ALLOCATOR, "libjemalloc", "jemalloc" },
	{ LIBRARY_ALLOCATOR, "libmimalloc", "mimalloc" },
	{ LIBRARY_ALLOCATOR, "libtbbmalloc_proxy", "tbbmalloc_proxy" },
	{ LIBRARY_ALLOCATOR, "libsnmallocshim", "snmalloc" },
	{ LIBRARY_ALLOCATOR, "libhoard", "hoard" },
	{ LIBRARY_ALLOCATOR, "librpmallocwrap", "rpmalloc" },
	{ LIBRARY_ONEDNN, "libdnnl", "dnnl" },
	{ LIBRARY_ONEDNN, "libmkldnn", "mkldnn" }, /* its name before 1.1 */
	{ LIBRARY_BLAS, "libopenblas", "openblas" },
	{ LIBRARY_BLAS, "libopenblas64_", "openblas" },
	{ LIBRARY_BLAS, "libopenblaso", "openblas" },      /* Fedora: with OpenMP */
	{ LIBRARY_BLAS, "libopenblasp", "openblas" },      /* wheels: libopenblasp-r0-<hash>.3.21.so */
	{ LIBRARY_BLAS, "libscipy_openblas", "openblas" }, /* the build that scipy and numpy bring */
	{ LIBRARY_BLAS, "libscipy_openblas64_", "openblas" },
	{ LIBRARY_BLAS, "libmkl_rt", "mkl_rt" },
	{ LIBRARY_BLAS, "libblis", "blis" },
	{ LIBRARY_BLAS, "libblis-mt", "blis" },
	{ LIBRARY_BLAS, "libflexiblas", "flexiblas" },
	{ LIBRARY_BLAS, "libblas", "blas" }, /* the reference, or whatever took its name */
};

/* May this follow a stem? ".so", ".so.1", "-14.so.5", "-a34b3233.so.1.0.0"; not "_debug.so", ".a", "stubs5.so". */
static bool ends_well(const char *rest)
{
	const char *so = strstr(rest, ".so");

	if (!so || (so[3] && so[3] != '.') || (so != rest && *rest != '-') || strncmp(rest, "-debug", 6) == 0)
		return false;
	/* Behind ".so" a version only: not the ".so.dbg" or ".so.bak" of somebody. */
	return so[3 + strspn(so + 3, ".0123456789")] == '\0';
}

const struct library_name *library_name_find(const char *name)
{
	const struct library_name *best = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const size_t length = strlen(names[i].stem);

		if (strncmp(name, names[i].stem, length) != 0 || !ends_well(name + length))
			continue;
		if (!best || length > strlen(best->stem))
			best = &names[i];
	}
	return best;
}
