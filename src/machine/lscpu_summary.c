/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_parts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>

/* Linux has at most 1024 nodes; each costs us a bitmap. */
enum { NODES_MAX = 4096 };

/* A list ("0-3,8"), or what `lscpu --hex` writes ("10f"). */
static int parse_set(const struct lscpu *lscpu, const char *value, hwloc_bitmap_t *ret_set, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;

	if (!lscpu->hex)
		return cpulist_parse(value, ret_set, err);
	if (strlen(value) > CPULIST_MAX / 4 || value[strspn(value, "0123456789abcdefABCDEF")])
		return err_set(err, -EINVAL, "'%.40s' is no CPU mask", value);
	set = hwloc_bitmap_alloc();
	if (!set || (*value && hwloc_bitmap_taskset_sscanf(set, value) < 0))
		return err_nomem(err);
	*ret_set = TAKE(set);
	return 0;
}

static int set_online(struct lscpu *lscpu, const char *value, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	int r = parse_set(lscpu, value, &set, err);

	if (r < 0)
		return r;
	if (lscpu->online && !hwloc_bitmap_isequal(lscpu->online, set))
		return err_set(err, -EINVAL, "two lists of online CPUs that differ");
	hwloc_bitmap_free(lscpu->online);
	lscpu->online = TAKE(set);
	return 0;
}

static int add_node(struct lscpu *lscpu, unsigned os, hwloc_bitmap_t *set, struct err *err)
{
	struct lscpu_node *grown;

	for (size_t i = 0; i < lscpu->node_count; i++) {
		if (lscpu->nodes[i].os != os)
			continue;
		/* A second summary in the same file. */
		if (hwloc_bitmap_isequal(lscpu->nodes[i].pus_os, *set))
			return 0;
		return err_set(err, -EINVAL, "NUMA node %u has two lists of CPUs that differ", os);
	}
	if (!lscpu->in_nodes)
		lscpu->in_nodes = hwloc_bitmap_alloc();
	if (!lscpu->in_nodes)
		return err_nomem(err);
	if (hwloc_bitmap_intersects(lscpu->in_nodes, *set))
		return err_set(err, -EINVAL, "NUMA node %u has CPUs of another node", os);
	if (lscpu->node_count == NODES_MAX)
		return err_set(err, -EINVAL, "more than %d NUMA nodes", NODES_MAX);
	grown = array_grow(lscpu->nodes, &lscpu->node_capacity, lscpu->node_count, sizeof(*grown));
	if (!grown)
		return err_nomem(err);
	lscpu->nodes = grown;
	if (hwloc_bitmap_or(lscpu->in_nodes, lscpu->in_nodes, *set) < 0)
		return err_nomem(err);
	grown[lscpu->node_count++] = (struct lscpu_node){ os, TAKE(*set) };
	return 0;
}

/* "NUMA node12 CPU(s)". False: not such a key. */
static bool node_of_key(const char *key, unsigned *ret_os)
{
	static const char prefix[] = "NUMA node", suffix[] = " CPU(s)";
	const size_t n = sizeof(prefix) - 1;
	char digits[8];
	size_t length;

	if (strncmp(key, prefix, n) != 0)
		return false;
	length = strspn(key + n, "0123456789");
	if (!length || length >= sizeof(digits) || strcmp(key + n + length, suffix) != 0)
		return false;
	memcpy(digits, key + n, length);
	digits[length] = '\0';
	return parse_unsigned(digits, ret_os) == 0 && *ret_os < CPULIST_MAX;
}

/* One word of several kinds of CPU: the largest is kept. */
static int set_count(const char *value, unsigned *count)
{
	unsigned told;

	if (parse_unsigned(value, &told) == 0 && told > *count)
		*count = told;
	return 0;
}

/*
 * "32 MiB (1 instance)". With several instances it is their sum, and they need not be alike (one die of a
 * Ryzen 7950X3D has three times the L3 of the other); with a fraction it is rounded. Neither is a size.
 */
static void set_cache(struct lscpu *lscpu, unsigned level, const char *value)
{
	const size_t digits = strspn(value, "0123456789");
	const char *unit = value + digits + (value[digits] == ' ');
	char text[24];

	if (!digits || strchr(".,", *unit ? *unit : ' ') || (strchr(value, '(') && !strstr(value, "(1 instance)")))
		return;
	(void)snprintf(text, sizeof(text), "%.*s%.1s", digits < 20 ? (int)digits : 20, value, *unit == '(' ? "" : unit);
	(void)parse_bytes(text, &lscpu->cache_bytes[level - 1]);
}

/* The first name there is; a file's bytes may hold terminal commands. */
static int set_text(const char *value, char **text, struct err *err)
{
	if (*text || !*value || strcmp(value, "-") == 0)
		return 0;
	*text = strdup(value);
	if (!*text)
		return err_nomem(err);
	for (char *c = *text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return 0;
}

static const struct {
	const char *key; /* with " cache" or, in the tree of newer versions, without */
	unsigned level;
} caches[] = {
	{ "L1d", 1 },
	{ "L2", 2 },
	{ "L3", 3 },
	{ "L4", 4 },
};

static bool set_cache_of_key(struct lscpu *lscpu, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		const size_t n = strlen(caches[i].key);

		if (strncmp(key, caches[i].key, n) != 0 || (key[n] && strcmp(key + n, " cache") != 0))
			continue;
		set_cache(lscpu, caches[i].level, value);
		return true;
	}
	return false;
}

int lscpu_set_summary(struct lscpu *lscpu, const char *key, const char *value, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	unsigned node;

	if (strcmp(key, "On-line CPU(s) list") == 0 || strcmp(key, "On-line CPU(s) mask") == 0) {
		lscpu->hex = strstr(key, "mask") != NULL;
		return set_online(lscpu, value, err);
	}
	if (node_of_key(key, &node)) {
		int r = parse_set(lscpu, value, &set, err);

		return r < 0 ? err_wrap(err, "NUMA node %u", node) : add_node(lscpu, node, &set, err);
	}
	if (strcmp(key, "Thread(s) per core") == 0) {
		lscpu->kinds++;
		return set_count(value, &lscpu->threads_per_core);
	}
	if (strcmp(key, "Core(s) per socket") == 0)
		return set_count(value, &lscpu->cores_per_socket);
	if (strcmp(key, "Socket(s)") == 0)
		return set_count(value, &lscpu->sockets);
	if (strcmp(key, "Model name") == 0)
		return set_text(value, &lscpu->model, err);
	if (strcmp(key, "Architecture") == 0)
		return set_text(value, &lscpu->architecture, err);
	(void)set_cache_of_key(lscpu, key, value);
	return 0;
}
