/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfettle: what is this machine, and how should a program run on it?
 *
 * The library reads and decides; it starts nothing, prints nothing and never
 * ends the process. All types are opaque. Texts that are handed out belong to
 * the caller, who frees them with free().
 *
 * Functions that can fail return 0 or a negative errno. `error`, when it is not
 * NULL, has room for FETTLE_ERROR_SIZE bytes and then holds one line, in words
 * a user can act on. Outputs are touched only on success.
 *
 * Objects may be used from several threads as long as nobody frees them;
 * fettle_machine_read() itself must not run while another thread changes the
 * environment.
 */
#ifndef FETTLE_H
#define FETTLE_H

#ifdef __cplusplus
extern "C" {
#endif

#define FETTLE_API        __attribute__((visibility("default")))
#define FETTLE_ERROR_SIZE 1280

struct fettle_machine;
struct fettle_plan;

/* The version of the library in use, "0.1.0". Never freed. */
FETTLE_API const char *fettle_version(void);

/*
 * Read a machine. `spec` is what --machine takes: "live" (or NULL), "FILE.xml", "synthetic:TEXT".
 * `limits` are options as on the command line, NULL-terminated, for instance { "--cpu-quota", "1.5", NULL };
 * NULL: none. Live limits are those of the calling thread. Free with fettle_machine_free().
 * Errors: -EINVAL bad spec or limit, -ENOENT and others of the file, -ENOMEM.
 */
FETTLE_API int fettle_machine_read(const char *spec, const char *const *limits, struct fettle_machine **ret_machine,
				   char *error);

/* NULL is fine. Plans made for the machine stay valid. */
FETTLE_API void fettle_machine_free(struct fettle_machine *machine);

/* The document of `fettle machine --json` (schema fettle.machine/1). NULL when memory ran out. */
FETTLE_API char *fettle_machine_json(const struct fettle_machine *machine);

/*
 * Make a plan. `options` are the planning options of fettle-plan(1) as on the command line, NULL-terminated:
 * { "--instances", "2", "--pin", "threads", NULL }; NULL: nothing asked. `environment` is the environment the
 * program would start with, as environ; what stands there is the user's word and stays (NULL: empty).
 * `program` is the program's name or path; NULL: any. Free with fettle_plan_free().
 * Errors: -EINVAL bad option, or a wish that cannot be met (the line says what would be possible), -ENOMEM.
 */
FETTLE_API int fettle_plan_make(const struct fettle_machine *machine, const char *const *options,
				const char *const *environment, const char *program, struct fettle_plan **ret_plan,
				char *error);

/* NULL is fine. */
FETTLE_API void fettle_plan_free(struct fettle_plan *plan);

/* The document of `fettle plan --json` (schema fettle.plan/1). NULL when memory ran out. */
FETTLE_API char *fettle_plan_json(const struct fettle_plan *plan);

/* How many instances the plan has; at least 1. */
FETTLE_API unsigned fettle_plan_instances(const struct fettle_plan *plan);

/* Compute threads of an instance; 0 when there is no such instance. */
FETTLE_API unsigned fettle_plan_threads(const struct fettle_plan *plan, unsigned instance);

/* CPUs of an instance's compute threads as list text, "0-3,8". NULL: no such instance, or memory ran out. */
FETTLE_API char *fettle_plan_cpus(const struct fettle_plan *plan, unsigned instance);

#ifdef __cplusplus
}
#endif

#endif
