/* SPDX-License-Identifier: Apache-2.0 */
#include "target/script.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

static bool is_gap(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_gaps(const char *line, size_t from, size_t end)
{
	while (from < end && is_gap(line[from]))
		from++;
	return from;
}

static size_t skip_word(const char *line, size_t from, size_t end)
{
	while (from < end && line[from] && !is_gap(line[from]))
		from++;
	return from;
}

bool script_parse(const char *bytes, size_t length, struct script_line *ret_line)
{
	char line[SCRIPT_LINE_MAX] = { 0 };
	size_t end = sizeof(line) - 1;
	const char *newline;
	size_t word, word_end, rest;

	memcpy(line, bytes, length < sizeof(line) ? length : sizeof(line));
	if (line[0] != '#' || line[1] != '!')
		return false;
	newline = memchr(line, '\n', sizeof(line));
	if (newline)
		end = (size_t)(newline - line);
	word = skip_gaps(line, 2, end);
	word_end = skip_word(line, word, end);
	/* Without an end of line the name may be cut off, and half a name is another program. */
	if (word == word_end || (!newline && word_end == end))
		return false;
	rest = skip_gaps(line, word_end, end);
	line[end] = '\0';
	while (end > rest && (is_gap(line[end - 1]) || !line[end - 1]))
		line[--end] = '\0';
	line[word_end] = '\0';
	/* Both are inside `line`, which is as long as either of them. */
	(void)snprintf(ret_line->interpreter, sizeof(ret_line->interpreter), "%s", line + word);
	(void)snprintf(ret_line->argument, sizeof(ret_line->argument), "%s", rest < end ? line + rest : "");
	return true;
}

/* Splits one text into words the way env -S does, in place of a shell. */
struct splitter {
	char *const *words; /* NULL; else they are these, and nothing is to be split */
	const char *in;
	char *out; /* the words, each with its NUL; never longer than the text read */
	bool beyond_us;
};

/* What a backslash may stand before and mean just that character; env's other escapes are beyond us. */
static const char plain_escapes[] = "\\\"'#$ ";

static char take_character(struct splitter *s)
{
	if (*s->in == '$')
		s->beyond_us = true; /* ${VARIABLE} */
	if (*s->in == '\\') {
		s->in++;
		if (!*s->in || !strchr(plain_escapes, *s->in)) {
			s->beyond_us = true;
			return '\0';
		}
	}
	return *s->in++;
}

static void take_quoted(struct splitter *s)
{
	const char quote = *s->in++;

	while (*s->in && *s->in != quote && !s->beyond_us) {
		if (quote == '"')
			*s->out++ = take_character(s);
		else
			*s->out++ = *s->in++;
	}
	if (*s->in == quote)
		s->in++;
	else
		s->beyond_us = true;
}

/* The next word, or NULL at the end. */
static const char *take_word(struct splitter *s)
{
	const char *word = s->out;

	if (s->words)
		return *s->words ? *s->words++ : NULL;
	while (*s->in && strchr(" \t\n\v\f\r", *s->in))
		s->in++;
	if (!*s->in || *s->in == '#')
		return NULL;
	while (*s->in && !strchr(" \t\n\v\f\r", *s->in) && !s->beyond_us) {
		if (*s->in == '"' || *s->in == '\'')
			take_quoted(s);
		else
			*s->out++ = take_character(s);
	}
	*s->out++ = '\0';
	return s->beyond_us ? NULL : word;
}

/* The text to be split: what stands after -S, -vS, --split-string= ...; NULL: there is no such option. */
static const char *split_text(const char *argument)
{
	static const char *const forms[] = { "-S", "-vS", "-iS", "-ivS", "-viS", "--split-string=", "--split-string " };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (strncmp(argument, forms[i], strlen(forms[i])) == 0)
			return argument + strlen(forms[i]);
	}
	return NULL;
}

/* One word before the command: an option or VARIABLE=VALUE. False: neither. */
static bool take_before_command(struct splitter *s, const char *word, struct script_env *env)
{
	static const char *const empties[] = { "-", "-i", "--ignore-environment" };
	static const char *const silent[] = { "-v", "--debug" };
	const char *unset = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(empties); i++) {
		if (strcmp(word, empties[i]) == 0)
			unset = "PATH";
	}
	if (strcmp(word, "-u") == 0)
		unset = take_word(s);
	else if (strncmp(word, "--unset=", 8) == 0)
		unset = word + 8;
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		if (strcmp(word, silent[i]) == 0)
			return true;
	}
	if (unset) {
		if (strcmp(unset, "PATH") == 0) {
			env->new_path = true;
			env->path = NULL;
		}
		return true;
	}
	if (strncmp(word, "PATH=", 5) == 0) {
		env->new_path = true;
		env->path = word + 5;
	}
	if (word[0] == '-')
		s->beyond_us = true; /* an option of env that we do not know may change anything */
	return word[0] != '-' && strchr(word, '=');
}

/* The command that the next words lead to; NULL: none, or only env itself can tell. */
static const char *take_command(struct splitter *s, struct script_env *env)
{
	const char *word;

	while ((word = take_word(s))) {
		if (strcmp(word, "--") != 0 && !take_before_command(s, word, env))
			break;
	}
	return s->beyond_us ? NULL : word;
}

bool script_env_words(char *const *words, struct script_env *ret_env, size_t *ret_command)
{
	struct script_env env = { .name = NULL };
	struct splitter s = { .words = words + 1 };

	env.name = *words ? take_command(&s, &env) : NULL;
	if (!env.name)
		return false;
	*ret_command = (size_t)(s.words - words) - 1;
	ret_env->name = env.name;
	ret_env->new_path = env.new_path;
	ret_env->path = env.path;
	return true;
}

bool script_env_parse(const char *argument, struct script_env *ret_env)
{
	const char *text = split_text(argument);
	struct script_env env = { .name = NULL };
	struct splitter s = { .in = text, .out = ret_env->words };

	if (strlen(argument) >= sizeof(env.words))
		return false;
	/* Without -S the whole rest of the line is one word: a command with blanks in its name. */
	if (!text) {
		if (!*argument || argument[0] == '-' || strchr(argument, '='))
			return false;
		(void)snprintf(ret_env->words, sizeof(ret_env->words), "%s", argument);
		ret_env->name = ret_env->words;
		ret_env->new_path = false;
		ret_env->path = NULL;
		return true;
	}
	env.new_path = argument[1] != '-' && memchr(argument, 'i', (size_t)(text - argument));
	env.name = take_command(&s, &env);
	if (!env.name)
		return false;
	ret_env->name = env.name;
	ret_env->new_path = env.new_path;
	ret_env->path = env.path;
	return true;
}
