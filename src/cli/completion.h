/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completions, written from the tables of commands and options. One
 * file a shell.
 */
#pragma once

#include <stdbool.h>

struct command;
struct option;
struct text;

void completion_bash(struct text *text);
void completion_zsh(struct text *text);
void completion_fish(struct text *text);

/* Call `visit` for every option shown in the help of `command` (NULL: the options before the command). */
void completion_options(const struct command *command,
			void (*visit)(const struct command *command, const struct option *option, struct text *text),
			struct text *text);

/* Call `visit` once for each option name there is, whichever command has it. */
void completion_names(void (*visit)(const struct option *option, struct text *text), struct text *text);

/* Append help text with what shells treat specially inside '...' made harmless. */
void completion_words(struct text *text, const char *words);
