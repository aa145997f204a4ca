/* SPDX-License-Identifier: Apache-2.0 */
/* What oneDNN took from its environment, by its own report: "capacity isa fpmath". */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

int main(void)
{
	dnnl_fpmath_mode_t mode;
	int capacity;

	if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success ||
	    dnnl_get_default_fpmath_mode(&mode) != dnnl_success)
		return 1;
	printf("%d %#x %d\n", capacity, (unsigned)dnnl_get_effective_cpu_isa(), (int)mode);
	return 0;
}
