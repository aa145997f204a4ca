/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/topology_cache.h"

#include "base/cleanup.h"
#include "base/keep.h"
#include "base/text.h"
#include "machine/machine.h"
#include "machine/topology_pack.h"

#include <errno.h>

static const char kind[] = "topology";

/* All of it or nothing. */
static int unpack_whole(const char *bytes, size_t length, struct machine *machine)
{
	cleanup_machine struct machine *read = calloc(1, sizeof(*read));
	struct machine swap;
	int r;

	if (!read)
		return -ENOMEM;
	r = topology_unpack(bytes, length, read);
	if (r < 0)
		return r;
	read->source = machine->source;
	swap = *read;
	swap.source_name = machine->source_name;
	*read = (struct machine){ .source_name = NULL };
	*machine = swap;
	return 0;
}

int topology_cache_load(const char *folder, const char *key, struct machine *machine)
{
	cleanup_kept struct kept kept = { NULL };
	int r = keep_load(folder, kind, key, &kept);

	return r < 0 ? r : unpack_whole(kept.bytes, kept.length, machine);
}

int topology_cache_store(const char *folder, const char *key, const struct machine *machine)
{
	cleanup_text struct text packed = TEXT_INIT;

	topology_pack(machine, &packed);
	return packed.failed ? -ENOMEM : keep_store(folder, kind, key, packed.data, packed.length);
}
