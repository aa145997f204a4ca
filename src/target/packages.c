/* SPDX-License-Identifier: Apache-2.0 */
#include "target/packages.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/words.h"
#include "target/library_names.h"
#include "target/python.h"
#include "target/tree.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

enum { PLACES_MAX = 4 };

struct package_rule {
	const char *name;                /* of the package's folder */
	const char *folders[PLACES_MAX]; /* below it, with libraries; "": the package's own */
	const char *modules[PLACES_MAX]; /* what an import opens; the last part may be a pattern */
	bool framework;
};

/*
 * The order is that in which their runtimes are asked about: what a deep-learning program is built on comes first.
 * Packages of "nvidia-*" are not here: nothing in them computes on a CPU.
 */
static const struct package_rule rules[] = {
	{ "torch", { "lib" }, { "lib/libtorch_global_deps.so", "_C.*.so" }, true },
	{ "tensorflow",
	  { "", "python" },
	  { "libtensorflow_framework.so.*", "libtensorflow_cc.so.*", "python/_pywrap_tensorflow_internal.so" },
	  true },
	{ "paddle", { "libs", "base" }, { "base/libpaddle.so" }, true },
	{ "jaxlib", { "" }, { "xla_extension.so", "_jax.so" }, true },
	{ "onnxruntime", { "capi" }, { "capi/onnxruntime_pybind11_state*.so" }, true },
	{ "openvino", { "libs" }, { "_pyopenvino.*.so" }, true },
	{ "intel_extension_for_pytorch", { "lib" }, { "lib/libintel-ext-pt-cpu.so" } },
	{ "ctranslate2", { "" }, { "_ext.*.so" } },
	{ "llama_cpp", { "lib" }, { "lib/libllama.so" } },
	{ "faiss", { "" }, { "_swigfaiss.*.so" } },
	{ "numpy",
	  { ".libs" },
	  { "_core/_multiarch_umath.*.so", "core/_multiarch_umath.*.so", "linalg/_umath_linalg.*.so" } },
	{ "scipy", { ".libs" }, { "linalg/_fblas.*.so" } },
	{ "sklearn", { ".libs" }, { "utils/_openmp_helpers.*.so" } },
	{ "xgboost", { "lib" }, { "lib/libxgboost.so" } },
	{ "lightgbm", { "lib", "" }, { "lib/lib_lightgbm.so", "lib_lightgbm.so" } },
	{ "numba", { "" }, { "np/ufunc/omppool.*.so" } },
	{ "cv2", { "" }, { "cv2*.so" } },
};

static int add(struct packages *packages, const char *name, size_t name_length, const char *site, const char *entry,
	       const struct package_rule *rule)
{
	struct package *grown = array_grow(packages->items, &packages->capacity, packages->count, sizeof(*grown));
	struct package package = { .rule = rule };

	if (!grown)
		return -ENOMEM;
	packages->items = grown;
	package.name = strndup(name, name_length);
	package.folder = tree_join(site, entry);
	if (!package.name || !package.folder) {
		free(package.name);
		free(package.folder);
		return -ENOMEM;
	}
	packages->items[packages->count++] = package;
	return 0;
}

/* A name that an earlier folder of the search has already is never imported from this one. */
static bool is_shadowed(const struct packages *packages, const char *entry)
{
	for (size_t i = 0; i < packages->count; i++) {
		if (strcmp(tree_name(packages->items[i].folder), entry) == 0)
			return true;
	}
	return false;
}

static int find_known(const struct sysroot *root, const struct python *python, const struct package_rule *rule,
		      struct packages *packages)
{
	for (size_t s = 0; s < python->sites.count; s++) {
		const char *site = python->sites.items[s];
		cleanup_free char *path = tree_join(site, rule->name);

		if (!path)
			return -ENOMEM;
		if (tree_is_folder(root, path))
			return add(packages, rule->name, strlen(rule->name), site, rule->name, rule);
	}
	return 0;
}

/* "scikit_learn.libs": auditwheel's folder for the libraries of a wheel. */
static int find_repaired(const struct sysroot *root, const char *site, struct packages *packages)
{
	static const char end[] = ".libs";
	cleanup_words struct words names = { 0 };
	int r = tree_names(root, site, false, &names);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count && r == 0; i++) {
		const char *name = names.items[i];
		const size_t length = strlen(name);

		if (length > strlen(end) && strcmp(name + length - strlen(end), end) == 0 &&
		    !is_shadowed(packages, name))
			r = add(packages, name, length - strlen(end), site, name, NULL);
	}
	return r;
}

int packages_find(const struct sysroot *root, const struct python *python, struct packages *packages)
{
	cleanup_packages struct packages found = { .items = NULL };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules) && r == 0; i++)
		r = find_known(root, python, &rules[i], &found);
	for (size_t s = 0; s < python->sites.count && r == 0; s++)
		r = find_repaired(root, python->sites.items[s], &found);
	if (r < 0)
		return r;
	*packages = found;
	found = (struct packages){ .items = NULL };
	return 0;
}

int packages_framework(const struct sysroot *root, const struct python *python, const char **ret_name)
{
	cleanup_packages struct packages found = { .items = NULL };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rules) && r == 0 && !found.count; i++)
		r = rules[i].framework ? find_known(root, python, &rules[i], &found) : 0;
	if (r == 0)
		*ret_name = found.count ? found.items[0].rule->name : NULL;
	return r;
}

static int list_libraries(const struct sysroot *root, const char *folder, struct words *paths)
{
	cleanup_words struct words names = { 0 };
	int r = tree_names(root, folder, false, &names);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count && r == 0; i++) {
		if (library_name_find(names.items[i]))
			r = words_take(paths, tree_join(folder, names.items[i]));
	}
	return r;
}

int package_libraries(const struct sysroot *root, const struct package *package, struct words *paths)
{
	int r = 0;

	if (!package->rule)
		return list_libraries(root, package->folder, paths);
	for (size_t i = 0; i < PLACES_MAX && package->rule->folders[i] && r == 0; i++) {
		cleanup_free char *folder = *package->rule->folders[i]
						    ? tree_join(package->folder, package->rule->folders[i])
						    : strdup(package->folder);

		r = folder ? list_libraries(root, folder, paths) : -ENOMEM;
	}
	return r;
}

/* The first file that a pattern means. */
static int find_module(const struct sysroot *root, const struct package *package, const char *module,
		       struct words *paths)
{
	cleanup_words struct words names = { 0 };
	cleanup_free char *path = tree_join(package->folder, module);
	cleanup_free char *folder = path ? tree_parent(path) : NULL;
	int r;

	if (!folder)
		return -ENOMEM;
	if (!strchr(module, '*'))
		return tree_is_file(root, path) ? words_take(paths, TAKE(path)) : 0;
	r = tree_names(root, folder, false, &names);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count; i++) {
		if (fnmatch(tree_name(module), names.items[i], 0) == 0)
			return words_take(paths, tree_join(folder, names.items[i]));
	}
	return 0;
}

int package_modules(const struct sysroot *root, const struct package *package, struct words *paths)
{
	int r = 0;

	for (size_t i = 0; package->rule && i < PLACES_MAX && package->rule->modules[i] && r == 0; i++)
		r = find_module(root, package, package->rule->modules[i], paths);
	return r;
}

bool package_is_framework(const struct package *package)
{
	return package->rule && package->rule->framework;
}

void packages_clear(struct packages *packages)
{
	for (size_t i = 0; i < packages->count; i++) {
		free(packages->items[i].name);
		free(packages->items[i].folder);
	}
	free(packages->items);
	*packages = (struct packages){ .items = NULL };
}
