/* SPDX-License-Identifier: Apache-2.0 */
#include "target/secure.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint32_t little(const unsigned char *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Is one of these 32 capabilities, the first of them number `first`, in our bounding set? */
static bool any_granted(uint32_t capabilities, unsigned first)
{
	for (unsigned i = 0; i < 32; i++) {
		if ((capabilities >> i & 1) && prctl(PR_CAPBSET_READ, first + i, 0, 0, 0) == 1)
			return true;
	}
	return false;
}

/* The file's capabilities: struct vfs_cap_data, always little-endian. */
static bool adds_capabilities(int fd, bool no_new_privileges)
{
	static const char capabilities[] = "security.capability";
	unsigned char data[XATTR_CAPS_SZ];
	ssize_t length = fgetxattr(fd, capabilities, data, sizeof(data));
	char magic[32];

	if (length < 0 && errno == EBADF) { /* O_PATH */
		(void)snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
		length = getxattr(magic, capabilities, data, sizeof(data));
	}
	/* Root has them anyway. */
	if (length < (ssize_t)XATTR_CAPS_SZ_2 || getuid() == 0)
		return false;
	/* The flag counts for the kernel whatever is granted. */
	if (little(data) & VFS_CAP_FLAGS_EFFECTIVE)
		return true;
	return !no_new_privileges && (any_granted(little(data + 4), 0) || any_granted(little(data + 12), 32));
}

bool secure_start(int fd)
{
	const bool no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	/* Set-group-id without group execution is an old mark for file locking. */
	const mode_t set_group = S_ISGID | S_IXGRP;
	uid_t user = geteuid();
	gid_t group = getegid();
	struct statvfs mount;
	struct stat status;
	bool marks_count;

	if (fstat(fd, &status) < 0 || fstatvfs(fd, &mount) < 0)
		return false;
	marks_count = !(mount.f_flag & ST_NOSUID);
	if (marks_count && !no_new_privileges && (status.st_mode & S_ISUID))
		user = status.st_uid;
	if (marks_count && !no_new_privileges && (status.st_mode & set_group) == set_group)
		group = status.st_gid;
	/* Kernels compare with the real ids, newer ones with the effective ones too. */
	return user != getuid() || user != geteuid() || group != getgid() || group != getegid() ||
	       (marks_count && adds_capabilities(fd, no_new_privileges));
}
