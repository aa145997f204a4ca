/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is there a deep-learning framework in the Python environment that a program would run in? Of a Python program nothing
 * else tells before its start whether it will compute: not -c, -m or the script's name. The answer is remembered as
 * long as no folder or file changes that it was made of; a folder changes when a package is put into it.
 *
 * Frameworks are those of packages.h on which a program is built: PyTorch, TensorFlow, JAX, PaddlePaddle, ONNX Runtime,
 * OpenVINO. numpy and what stands on it alone does not count: it is in nearly every environment, whatever runs there.
 */
#pragma once

struct err;
struct libraries_request;

struct framework {
	char *name; /* the package: "torch"; NULL: there is none, or the program is not Python or cannot be followed */
	char *closed; /* the option by which this Python runs nothing of PYTHONPATH at its start: "-I"; NULL: none */
};

void framework_clear(struct framework *framework);
#define cleanup_framework cleanup_(framework_clear)

/*
 * Find it for the program that `request` names. `cache_folder`: where the answer is remembered between two starts
 * (NULL: it is not). Returns 0 and what framework_clear() frees, or -ENOMEM.
 */
int framework_find(const struct libraries_request *request, const char *cache_folder, struct framework *ret_framework,
		   struct err *err);
