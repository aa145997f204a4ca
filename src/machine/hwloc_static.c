/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libhwloc.a wants and a static fettle must not have. Only the static program is
 * built with this file; hwloc's shared library brings the real ones.
 *
 * udev: hwloc asks it for the names of block devices alone, and block devices are filtered
 * out when we load a topology; libudev has no static library. A context that cannot be made is
 * an answer hwloc handles.
 *
 * dlopen and its kin: hwloc looks for plugins with them. In a static program they would
 * need the very glibc it was built with at run time, and would load foreign code into a
 * program that is meant to have none. glibc's own versions are overridden here, so the linker takes nothing of it.
 */
#include <stddef.h>

struct udev;
struct udev_device;

/* The declarations of <libudev.h> and <dlfcn.h>, without depending on the former. */
struct udev *udev_new(void);
struct udev *udev_unref(struct udev *udev);
struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem, const char *name);
const char *udev_device_get_property_value(struct udev_device *device, const char *key);
struct udev_device *udev_device_unref(struct udev_device *device);
void *dlopen(const char *file, int mode);
void *dlsym(void *handle, const char *name);
int dlclose(void *handle);
char *dlerror(void);

struct udev *udev_new(void)
{
	return NULL;
}

struct udev *udev_unref(struct udev *udev)
{
	(void)udev;
	return NULL;
}

struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem, const char *name)
{
	(void)udev;
	(void)subsystem;
	(void)name;
	return NULL;
}

const char *udev_device_get_property_value(struct udev_device *device, const char *key)
{
	(void)device;
	(void)key;
	return NULL;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
	(void)device;
	return NULL;
}

void *dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

void *dlsym(void *handle, const char *name)
{
	(void)handle;
	(void)name;
	return NULL;
}

int dlclose(void *handle)
{
	(void)handle;
	return -1;
}

char *dlerror(void)
{
	static char refused[] = "a static fettle loads no plugins";

	return refused;
}
