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

/*
 * Find it for the program that `request` names. `cache_folder`: where the answer is remembered between two starts
 * (NULL: it is not). Returns 0 and the package's name, which the caller frees; NULL: there is none, or the program is
 * not Python or cannot be followed. -ENOMEM.
 */
int framework_find(const struct libraries_request *request, const char *cache_folder, char **ret_framework,
		   struct err *err);
