/* SPDX-License-Identifier: Apache-2.0 */
#include "target/target.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "target/elf.h"
#include "target/elf_dynamic.h"
#include "target/elf_file.h"
#include "target/library_names.h"
#include "target/python.h"
#include "target/script.h"
#include "target/search.h"
#include "target/secure.h"
#include "target/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
	CHAIN_MAX = 5,  /* #! lines in one execve(): the kernel answers ELOOP to more */
	STARTS_MAX = 8, /* programs that start each other through env and sh */
};

/* What execvp() gives a text without #! to. */
#define SHELL "/bin/sh"

/* A walk from the named file to the ELF file that runs. `found` outlives the steps. */
struct walk {
	struct target *found;
	const char *search_path;
	unsigned starts; /* execvp() in execvp(), by env */
	bool started;    /* past the first execve(): whatever goes wrong now, PATH is not searched on */
};

static int walk_name(struct walk *walk, const char *name, const char *search_path, char **ret_path, struct err *err);

enum target_libc target_libc_of(const char *loader)
{
	/* By the beginning of the file name. */
	static const struct {
		const char *begins;
		enum target_libc libc;
	} loaders[] = {
		{ "ld-linux", TARGET_LIBC_GLIBC },
		{ "ld64.so.", TARGET_LIBC_GLIBC }, /* ppc64, s390x */
		{ "ld.so.1", TARGET_LIBC_GLIBC },  /* mips, ppc, s390 */
		{ "ld-musl-", TARGET_LIBC_MUSL },
	};
	const char *slash = strrchr(loader, '/');
	const char *name = slash ? slash + 1 : loader;

	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		if (strncmp(name, loaders[i].begins, strlen(loaders[i].begins)) == 0)
			return loaders[i].libc;
	}
	return TARGET_LIBC_OTHER;
}

/* May the kernel run this file, as far as its kind and mode go? Opens nothing: a FIFO would wait. */
static int check_file(const char *path, struct err *err)
{
	struct stat status;
	int r;

	if (stat(path, &status) < 0) {
		r = -errno;
		return err_errno(err, r, "cannot run '%s'", path);
	}
	if (S_ISDIR(status.st_mode))
		return err_errno(err, -EISDIR, "cannot run '%s'", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EACCES, "cannot run '%s': not a regular file", path);
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
		r = -errno;
		(void)err_errno(err, r, "cannot run '%s'", path);
		if (r == -EACCES && !(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
			(void)err_hint(err, "'chmod +x' makes a file executable");
		return r;
	}
	return 0;
}

/* The end of the walk: `path`, open as `fd`, is what runs. */
static int arrive(struct walk *walk, const char *path, int fd, struct err *err)
{
	struct target *found = walk->found;

	free(found->interpreter);
	found->interpreter = strdup(path);
	if (!found->interpreter)
		return err_nomem(err);
	found->set_id = secure_start(fd);
	return 0;
}

/* The same for a file that we may run but not read: mode 0111. */
static int arrive_unread(struct walk *walk, const char *path, struct err *err)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);

	return arrive(walk, path, fd, err);
}

static bool is_sanitizer(const char *name)
{
	static const char *const begins[] = { "libasan.so", "libtsan.so", "liblsan.so", "libhwasan.so",
					      "libclang_rt." };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	}
	return false;
}

static bool is_cpp(const char *name)
{
	return strncmp(name, "libstdc++.so", strlen("libstdc++.so")) == 0 ||
	       strncmp(name, "libc++.so", strlen("libc++.so")) == 0;
}

/* What a program links says what it may be. A file that says nothing readable links nothing. */
static int read_links(const struct elf_file *file, struct target *found)
{
	cleanup_elf_dynamic struct elf_dynamic dynamic = { 0 };
	int r = elf_dynamic(file, &dynamic);

	found->links_compute = found->links_malloc = false;
	found->own_libraries = r == 0 && dynamic.rpath && !dynamic.runpath;
	for (size_t i = 0; r == 0 && i < dynamic.needed.count; i++) {
		const char *name = dynamic.needed.items[i];
		const struct library_name *known = library_name_find(name);
		const bool allocator = known && known->family == LIBRARY_ALLOCATOR;

		found->links_malloc |= allocator || is_sanitizer(name);
		found->links_compute |= (known && !allocator) || is_cpp(name);
	}
	return r == -ENOMEM ? r : 0;
}

static int arrive_elf(struct walk *walk, const char *path, int fd, struct err *err)
{
	cleanup_elf_file struct elf_file file = { .fd = -1 };
	struct elf_facts facts = { 0 };
	cleanup_free char *loader = NULL;
	struct target *found = walk->found;
	int r = elf_file_open(fd, &file);

	if (r == 0)
		r = elf_facts(&file, &facts);

	if (r == -ENOEXEC)
		return err_set(err, r, "cannot run '%s': not a whole ELF program", path);
	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	loader = facts.loader;
	/* The kernel opens the loader before it starts anything. Elsewhere than here an emulator knows where it is. */
	if (loader && !facts.foreign && access(loader, F_OK) < 0) {
		r = -errno;
		return err_errno(err, r, "cannot run '%s': its loader '%s'", path, loader);
	}
	found->elf_machine = facts.machine;
	found->elf_class = facts.class;
	found->foreign = facts.foreign;
	if (loader)
		found->libc = target_libc_of(loader);
	else if (target_libc_of(path) != TARGET_LIBC_OTHER)
		found->libc = target_libc_of(path); /* a loader run by hand loads what follows */
	else
		found->libc = TARGET_LIBC_NONE;
	free(found->loader);
	found->loader = TAKE(loader);
	if (found->loader && !found->foreign && read_links(&file, found) < 0)
		return err_nomem(err);
	return arrive(walk, path, fd, err);
}

/* `env NAME`: env searches NAME like execvp(). What only env can tell ends the walk at env itself. */
static int follow_env(struct walk *walk, const char *script, const struct script_line *line, bool *ret_followed,
		      struct err *err)
{
	const char *slash = strrchr(line->interpreter, '/');
	struct script_env env = { .name = NULL };
	int r;

	*ret_followed = false;
	if (strcmp(slash ? slash + 1 : line->interpreter, "env") != 0 || !script_env_parse(line->argument, &env))
		return 0;
	walk->started = true;
	*ret_followed = true;
	r = walk_name(walk, env.name, env.new_path ? env.path : walk->search_path, NULL, err);
	if (r < 0 && r != -ENOMEM)
		return err_wrap(err, "cannot run '%s': '%s' of its first line", script, line->interpreter);
	return r;
}

/* One file of a #! chain, which check_file() has let pass; `depth` lines were followed already. */
static int walk_file(struct walk *walk, const char *path, unsigned depth, struct err *err)
{
	cleanup_close int fd = -1;
	struct script_line line;
	char bytes[SCRIPT_LINE_MAX] = { 0 };
	ssize_t length;
	bool followed;
	int r;

	/* It was a regular file a moment ago; if it no longer is, still do not wait for it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return arrive_unread(walk, path, err);
	if (fd < 0) {
		r = -errno;
		return err_errno(err, r, "cannot read '%s'", path);
	}
	length = read(fd, bytes, sizeof(bytes));
	if (length < 0) {
		r = -errno;
		return err_errno(err, r, "cannot read '%s'", path);
	}
	if (elf_begins(bytes, (size_t)length))
		return arrive_elf(walk, path, fd, err);
	if (!script_parse(bytes, (size_t)length, &line))
		return -ENOEXEC; /* not an error yet: the shell takes it */
	if (depth == CHAIN_MAX)
		return err_errno(err, -ELOOP, "cannot run '%s'", path);
	if (!walk->started)
		walk->found->script = true;
	r = follow_env(walk, path, &line, &followed, err);
	if (r < 0 || followed)
		return r;
	r = check_file(line.interpreter, err);
	if (r == 0)
		r = walk_file(walk, line.interpreter, depth + 1, err);
	if (r < 0 && r != -ENOEXEC && r != -ENOMEM && !depth)
		return err_wrap(err, "cannot run '%s': its interpreter", path);
	return r;
}

/* One execvp() of a file that check_file() has let pass: the kernel's chain, and the shell for what the kernel does not
 * know. */
static int walk_start(struct walk *walk, const char *path, struct err *err)
{
	int r;

	if (walk->starts == STARTS_MAX)
		return err_errno(err, -ELOOP, "cannot run '%s'", path);
	if (!walk->started)
		walk->found->script = false; /* an earlier candidate may have been one */
	err->code = 0;
	walk->starts++;
	r = walk_file(walk, path, 0, err);
	walk->starts--;
	/* A recorded failure with this code is a broken ELF file: a shell could make nothing of it. */
	if (r != -ENOEXEC || err->code == -ENOEXEC)
		return r;
	walk->started = true;
	r = check_file(SHELL, err);
	if (r == 0)
		r = walk_file(walk, SHELL, 0, err);
	if (r == -ENOEXEC && err->code != -ENOEXEC)
		return err_errno(err, r, "cannot run '%s': '" SHELL "'", path);
	return r;
}

/* `ret_path` gets the file that execvp() settles on; NULL: not wanted. */
static int walk_name(struct walk *walk, const char *name, const char *search_path, char **ret_path, struct err *err)
{
	cleanup_search struct search search = { .name = NULL };
	struct err denied = { .code = 0 }, missed = { .code = 0 };
	const bool started = walk->started;
	int r = search_begin(&search, name, search_path);

	if (r < 0)
		return err_nomem(err);
	for (;;) {
		cleanup_free char *candidate = NULL;
		struct err why = { .code = 0 };
		bool there;

		r = search_next(&search, &candidate);
		if (r < 0)
			return err_nomem(err);
		if (!r)
			break;
		r = check_file(candidate, &why);
		there = r == 0;
		if (there)
			r = walk_start(walk, candidate, &why);
		if (!r && ret_path)
			*ret_path = TAKE(candidate);
		if (!r)
			return 0;
		if (!search_goes_on(r) || (walk->started && !started)) {
			*err = why;
			return r;
		}
		if (r == -EACCES || r == -EISDIR)
			denied = denied.code ? denied : why;
		else if (r == -ENOENT && there)
			missed = why; /* the file is there, what it needs is not: worth more words than "not found" */
	}
	if (denied.code || missed.code) {
		*err = denied.code ? denied : missed;
		return err->code;
	}
	if (strchr(name, '/'))
		return err_errno(err, -ENOENT, "cannot run '%s'", name);
	return err_set(err, -ENOENT, "cannot run '%s': not found in PATH", name);
}

int target_read(const char *name, const char *search_path, struct target **ret_target, struct err *err)
{
	cleanup_target struct target *target = calloc(1, sizeof(*target));
	struct walk walk = { .found = target, .search_path = search_path };
	struct err why = { .code = 0 };
	int r;

	if (!target)
		return err_nomem(err);
	r = walk_name(&walk, name, search_path, &target->path, &why);
	if (r < 0) {
		*err = why;
		return r;
	}
	*ret_target = TAKE(target);
	return 0;
}

bool target_may_compute(const struct target *target)
{
	return !target->links_malloc && target->links_compute && !target->script &&
	       !python_is(tree_name(target->interpreter));
}

void target_free(struct target *target)
{
	if (!target)
		return;
	free(target->path);
	free(target->interpreter);
	free(target->loader);
	free(target);
}
