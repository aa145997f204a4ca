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

/* The file's capabilities: struct vfs_cap_data, always little-endian. Returns their length; 0: it has none. */
static size_t read_capabilities(int fd, unsigned char data[XATTR_CAPS_SZ])
{
	static const char capabilities[] = "security.capability";
	ssize_t length = fgetxattr(fd, capabilities, data, XATTR_CAPS_SZ);
	char magic[32];

	if (length < 0 && errno == EBADF) { /* O_PATH */
		(void)snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
		length = getxattr(magic, capabilities, data, XATTR_CAPS_SZ);
	}
	return length < (ssize_t)XATTR_CAPS_SZ_2 ? 0 : (size_t)length;
}

static bool adds_capabilities(const unsigned char data[XATTR_CAPS_SZ], bool no_new_privileges)
{
	/* The flag counts for the kernel whatever is granted. */
	if (little(data) & VFS_CAP_FLAGS_EFFECTIVE)
		return true;
	return !no_new_privileges && (any_granted(little(data + 4), 0) || any_granted(little(data + 12), 32));
}

/* What a file is marked with counts only where its mount lets it. */
static bool marks_count(int fd)
{
	struct statvfs mount;

	return fstatvfs(fd, &mount) == 0 && !(mount.f_flag & ST_NOSUID);
}

bool secure_start(int fd)
{
	/* Set-group-id without group execution is an old mark for file locking. */
	const mode_t set_group = S_ISGID | S_IXGRP;
	unsigned char capabilities[XATTR_CAPS_SZ] = { 0 };
	uid_t user, effective_user, saved_user;
	gid_t group, effective_group, saved_group;
	struct stat status;
	bool sets_user, sets_group, capable, no_new_privileges;

	if (fstat(fd, &status) < 0 || getresuid(&user, &effective_user, &saved_user) < 0 ||
	    getresgid(&group, &effective_group, &saved_group) < 0)
		return false;
	if (user != effective_user || group != effective_group)
		return true;
	/* Nearly every file ends here. Root has all capabilities anyway. Kernels compare with the real ids, newer ones
	 * with the effective ones too: they are the same now. */
	sets_user = (status.st_mode & S_ISUID) && status.st_uid != user;
	sets_group = (status.st_mode & set_group) == set_group && status.st_gid != group;
	capable = user != 0 && read_capabilities(fd, capabilities) != 0;
	if ((!sets_user && !sets_group && !capable) || !marks_count(fd))
		return false;
	no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	return (!no_new_privileges && (sets_user || sets_group)) ||
	       (capable && adds_capabilities(capabilities, no_new_privileges));
}
