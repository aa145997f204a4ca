/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t utf8_at(const char *bytes, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)bytes;
	const size_t length = s[0] < 0x80   ? 1
			      : s[0] < 0xc2 ? 0
			      : s[0] < 0xe0 ? 2
			      : s[0] < 0xf0 ? 3
			      : s[0] < 0xf5 ? 4
					    : 0;
	uint32_t code = length > 1 ? s[0] & (0xffU >> (length + 1)) : s[0];

	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (!length || code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return length;
}

bool utf8_valid(const char *bytes)
{
	uint32_t code;

	while (*bytes) {
		const size_t length = utf8_at(bytes, &code);

		if (!length)
			return false;
		bytes += length;
	}
	return true;
}
