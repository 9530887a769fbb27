/* Looking at text sixteen bytes at a time: where the next byte is that a JSON reader or writer must look at itself.
 * Vector extensions of the compiler, so that one text serves SSE2 and NEON; scan_avx2.h goes ahead where it can. Nothing
 * here reads past `end`. */
#ifndef FLEET_SCAN_H
#define FLEET_SCAN_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "buffer.h"
#include "scan_avx2.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the codec reads text as little-endian numbers"
#endif

/* Working space of the codec: the thread's, so that a Lua error's jump loses nothing. */
static __thread Buffer JSON_TEXT;
static __thread Buffer JSON_MEMBERS;

typedef int8_t fleet_v16 __attribute__((vector_size(16)));

#define FLEET_EACH(c) ((fleet_v16){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c})

static inline fleet_v16 fleet_load16(const void *from) {
  fleet_v16 v;
  memcpy(&v, from, 16);
  return v;
}

static inline fleet_v16 fleet_join(uint64_t low, uint64_t high) {
  typedef uint64_t pair __attribute__((vector_size(16)));
  return (fleet_v16)(pair){low, high};
}

/* Position of the first byte that is set in a vector of 0x00 and 0xFF; 16 if none is. */
static inline size_t fleet_first(fleet_v16 flags) {
#ifdef __SSE2__
  unsigned mask = (unsigned)_mm_movemask_epi8((__m128i)flags);
  return mask ? (size_t)__builtin_ctz(mask) : 16;
#else
  uint64_t half[2];
  memcpy(half, &flags, 16);
  if (half[0]) return (size_t)__builtin_ctzll(half[0]) >> 3;
  return half[1] ? 8 + ((size_t)__builtin_ctzll(half[1]) >> 3) : 16;
#endif
}

/* Signed bytes below a space: the control characters and everything that is not ASCII. */
static inline fleet_v16 fleet_read_stops(fleet_v16 v) {
  return (v < FLEET_EACH(32)) | (v == FLEET_EACH('"')) | (v == FLEET_EACH('\\'));
}

/* As above, and & < > too: '"' and '&' differ in one bit, '<' and '>' in another. */
static inline fleet_v16 fleet_write_stops(fleet_v16 v) {
  return (v < FLEET_EACH(32)) | ((v | FLEET_EACH(4)) == FLEET_EACH('&')) | ((v | FLEET_EACH(2)) == FLEET_EACH('>')) |
         (v == FLEET_EACH('\\'));
}

static inline int fleet_read_stop(uint8_t c) { return c < 32 || c >= 128 || c == '"' || c == '\\'; }

static inline int fleet_write_stop(uint8_t c) {
  return c < 32 || c >= 128 || (c | 4) == '&' || (c | 2) == '>' || c == '\\';
}

/* How many plain characters of a JSON string the sixteen bytes at `at` begin with. */
static inline size_t plain_of_16(const uint8_t *at) { return fleet_first(fleet_read_stops(fleet_load16(at))); }

/* The first `size` bytes at `at`, of which there are sixteen, as two numbers with zeros behind them. */
static inline void first_16(const uint8_t *at, size_t size, uint64_t *head, uint64_t *tail) {
  static const uint64_t kept[25] = {
      0, 0, 0, 0, 0, 0, 0, 0,
      0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
      ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};
  memcpy(head, at, 8);
  memcpy(tail, at + 8, 8);
  *head &= kept[size + 8];
  *tail &= kept[size];
}

static __attribute__((noinline)) const uint8_t *skip_long_plain(const uint8_t *at, const uint8_t *end) {
  if (fleet_has_avx2) at = avx2_skip_plain(at, end);
  while (end - at >= 16) {
    size_t found = plain_of_16(at);
    if (found < 16) return at + found;
    at += 16;
  }
  while (at < end && !fleet_read_stop(*at)) at++;
  return at;
}

/* The first byte of at..end that is no plain character of a JSON string, or end. Most strings are short. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end) {
  if (end - at >= 16) {
    size_t found = plain_of_16(at);
    if (found < 16) return at + found;
    at += 16;
    if (end - at >= 16) {
      found = plain_of_16(at);
      if (found < 16) return at + found;
      return skip_long_plain(at + 16, end);
    }
  }
  while (at < end && !fleet_read_stop(*at)) at++;
  return at;
}

/* Bytes of the character that begins at `at`, which is not ASCII; 0 if it is not UTF-8 (RFC 3629). at < end. */
static inline size_t utf8_length(const uint8_t *at, const uint8_t *end) {
  size_t left = (size_t)(end - at);
  uint32_t c = 0;
  if (left >= 4)
    memcpy(&c, at, 4);
  else
    for (size_t i = 0; i < left; i++) c |= (uint32_t)at[i] << (8 * i);
  /* The lead byte is the lowest. 1110xxxx: E0 80..9F would be overlong, ED A0..BF a surrogate. */
  if ((c & 0x00C0C0F0u) == 0x008080E0u) return (c & 0x200Fu) == 0 || (c & 0x200Fu) == 0x200Du ? 0 : 3;
  /* 110xxxxx: C0 and C1 would be overlong. */
  if ((c & 0xC0E0u) == 0x80C0u) return (c & 0x1Eu) == 0 ? 0 : 2;
  /* 11110xxx: F0 80..8F would be overlong, F4 90.. and above past U+10FFFF. */
  if ((c & 0xC0C0C0F8u) == 0x808080F0u) {
    uint32_t top = (c & 7u) << 2 | (c >> 12 & 3u); /* bits 20..16 */
    return top == 0 || top > 16 ? 0 : 4;
  }
  return 0;
}

typedef uint8_t fleet_u16 __attribute__((vector_size(16)));

#define FLEET_EACH_U(c) ((fleet_u16){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c})

/* Which of the sixteen bytes at `at` cannot stand there in UTF-8, after the three bytes before them. */
static inline fleet_v16 fleet_not_utf8(const uint8_t *at) {
  fleet_u16 v = (fleet_u16)fleet_load16(at), before = (fleet_u16)fleet_load16(at - 1);
  fleet_u16 second = (fleet_u16)fleet_load16(at - 2), third = (fleet_u16)fleet_load16(at - 3);
  fleet_v16 follows = (fleet_v16)v < FLEET_EACH(-64);
  fleet_v16 should = (before >= FLEET_EACH_U(0xC2)) | (second >= FLEET_EACH_U(0xE0)) | (third >= FLEET_EACH_U(0xF0));
  fleet_v16 never = (v >= FLEET_EACH_U(0xF5)) | ((v & FLEET_EACH_U(0xFE)) == FLEET_EACH_U(0xC0));
  fleet_v16 overlong = ((before == FLEET_EACH_U(0xE0)) & (v < FLEET_EACH_U(0xA0))) |
                       ((before == FLEET_EACH_U(0xF0)) & (v < FLEET_EACH_U(0x90)));
  fleet_v16 beyond = ((before == FLEET_EACH_U(0xED)) & (v >= FLEET_EACH_U(0xA0))) |
                     ((before == FLEET_EACH_U(0xF4)) & (v >= FLEET_EACH_U(0x90)));
  return (follows ^ should) | never | overlong | beyond;
}

/* Where the character begins that the byte at `at` is in; there are three bytes before it. */
static inline const uint8_t *fleet_character(const uint8_t *at) {
  return at[-1] >= 0xC0 ? at - 1 : at[-2] >= 0xE0 ? at - 2 : at[-3] >= 0xF0 ? at - 3 : at;
}

/* One character that is not ASCII, copied unless `to` is NULL; 0 if it is not UTF-8. */
static inline size_t fleet_one_wide(char *to, const uint8_t *at, const uint8_t *end) {
  size_t length = utf8_length(at, end);
  if (to != NULL) memcpy(to, at, end - at >= 4 ? 4 : length);
  return length;
}

/* Go over the text that begins at `from` with a character that is not ASCII, and copy it unless `to` is NULL: up to a
 * plain character behind which another loop is faster, one that is not plain, or one that is not UTF-8. How many bytes;
 * three more than there are may be written. */
static inline __attribute__((always_inline)) size_t fleet_wide(char *to, const uint8_t *from, const uint8_t *end) {
  const uint8_t *at = from;
  size_t length;
  do {
    length = fleet_one_wide(to == NULL ? NULL : to + (at - from), at, end);
    if (length == 0) return (size_t)(at - from);
    at += length;
  } while (at - from < 3 && at < end && *at >= 128);
  if (at - from >= 3) {
    if (end - at >= 32 && fleet_has_avx2) {
      at += to == NULL ? avx2_skip_wide(at, end) : avx2_copy_wide(to + (at - from), at, end);
      /* It looks at bytes in pairs: one that ends the last block may still be wrong. */
      at = fleet_character(at);
    }
    while (end - at >= 16) {
      fleet_v16 v = fleet_load16(at);
      fleet_v16 stops = to == NULL ? (v == FLEET_EACH('"')) | (v == FLEET_EACH('\\')) | ((fleet_u16)v < FLEET_EACH_U(32))
                                   : fleet_write_stops(v) & ~(v < FLEET_EACH(0));
      size_t bad = fleet_first(fleet_not_utf8(at)), stop = fleet_first(stops);
      if (bad <= stop && bad < 16) break;
      if (to != NULL) memcpy(to + (at - from), &v, 16);
      if (stop < 16) return (size_t)(at - from) + stop;
      at += 16;
      if (fleet_first(v < FLEET_EACH(0)) == 16) return (size_t)(at - from);
    }
    at = fleet_character(at);
  }
  while (at < end && *at >= 128) {
    length = fleet_one_wide(to == NULL ? NULL : to + (at - from), at, end);
    if (length == 0) break;
    at += length;
  }
  return (size_t)(at - from);
}

static inline size_t copy_wide(char *to, const uint8_t *from, const uint8_t *end) { return fleet_wide(to, from, end); }

static inline const uint8_t *skip_wide(const uint8_t *at, const uint8_t *end) { return at + fleet_wide(NULL, at, end); }

/* The first byte of at..end that is not ASCII, or end. */
static inline const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 16) {
    size_t found = fleet_first(fleet_load16(at) < FLEET_EACH(0));
    if (found < 16) return at + found;
    at += 16;
  }
  while (at < end && *at < 128) at++;
  return at;
}

/* Copy the plain characters that `from` begins with; how many. All `size` bytes of `to` may be written. */
static inline size_t copy_plain(char *to, const char *from, size_t size) {
  size_t i = 0, found;
  if (size >= 32 && fleet_has_avx2) return avx2_copy_plain(to, from, size);
  for (; size - i >= 16; i += 16) {
    fleet_v16 v = fleet_load16(from + i);
    memcpy(to + i, &v, 16);
    found = fleet_first(fleet_write_stops(v));
    if (found < 16) return i + found;
  }
  /* Fewer than 16: two loads that overlap, where there is enough for them. */
  if (size - i >= 8) {
    uint64_t low, high;
    memcpy(&low, from + i, 8);
    memcpy(&high, from + size - 8, 8);
    memcpy(to + i, &low, 8);
    memcpy(to + size - 8, &high, 8);
    found = fleet_first(fleet_write_stops(fleet_join(low, high)));
    if (found < 8) return i + found;
    return found < 16 ? size - 16 + found : size;
  }
  if (size - i >= 4) {
    uint32_t low, high;
    memcpy(&low, from + i, 4);
    memcpy(&high, from + size - 4, 4);
    memcpy(to + i, &low, 4);
    memcpy(to + size - 4, &high, 4);
    found = fleet_first(fleet_write_stops(fleet_join((uint64_t)high << 32 | low, 0x2020202020202020u)));
    if (found < 4) return i + found;
    return found < 8 ? size - 8 + found : size;
  }
  if (i < size) {
    /* One to three: the first, the middle and the last are all there are. */
    size_t left = size - i;
    uint32_t three = 0x20000000u | (uint32_t)(uint8_t)from[i] | (uint32_t)(uint8_t)from[i + (left >> 1)] << 8 |
                     (uint32_t)(uint8_t)from[size - 1] << 16;
    to[i] = from[i];
    to[i + (left >> 1)] = from[i + (left >> 1)];
    to[size - 1] = from[size - 1];
    if (fleet_first(fleet_write_stops(fleet_join(0x2020202000000000u | three, 0x2020202020202020u))) < 16)
      while (!fleet_write_stop((uint8_t)from[i])) i++;
    else
      i = size;
  }
  return i;
}

/* An eight-digit number as eight digits of text, the first in the lowest byte. Each step splits every part in two. */
static inline uint64_t eight_digits(uint32_t value) {
  uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
  uint64_t high = (fours * 10486 >> 20) & 0x0000007F0000007Fu; /* / 100, exact below 10000 */
  uint64_t twos = high | (fours - 100 * high) << 16;
  high = (twos * 103 >> 10) & 0x000F000F000F000Fu; /* / 10, exact below 100 */
  return (high | (twos - 10 * high) << 8) + 0x3030303030303030u;
}

/* Are the eight bytes all digits? (The additions carry a byte that is more than '9' out of its upper four bits.) */
static inline int are_digits(uint64_t text) {
  return ((text & 0xF0F0F0F0F0F0F0F0u) | ((text + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4) ==
         0x3333333333333333u;
}

/* The number that eight digits of text are. Each step joins neighbours. */
static inline uint32_t digits_value(uint64_t text) {
  text -= 0x3030303030303030u;
  text = text * 10 + (text >> 8);                          /* pairs, in the even bytes */
  text = (text & 0x000000FF000000FFu) * (100 + (1000000ull << 32)) + (text >> 16 & 0x000000FF000000FFu) * (1 + (10000ull << 32));
  return (uint32_t)(text >> 32);
}

/* Append the digits that the text begins with to *value (which may overflow); where they end. */
static inline const uint8_t *read_digits(const uint8_t *at, const uint8_t *end, uint64_t *value) {
  uint64_t sum = *value, text;
  while (end - at >= 8) {
    memcpy(&text, at, 8);
    if (!are_digits(text)) break;
    sum = sum * 100000000 + digits_value(text);
    at += 8;
  }
  while (at < end && (uint8_t)(*at - '0') < 10) sum = sum * 10 + (uint64_t)(*at++ - '0');
  *value = sum;
  return at;
}

/* The integer of at most seven digits, without a sign, at `at`, where eight bytes are; where it ends, or NULL if it is
 * something else. Without a loop there is nothing to mispredict. */
static inline const uint8_t *read_short_integer(const uint8_t *at, int64_t *value) {
  uint64_t text, others;
  size_t count;
  memcpy(&text, at, 8);
  text ^= 0x3030303030303030u;
  /* The addition carries what is more than 9 into the highest bit of its byte. */
  others = (((text & 0x7F7F7F7F7F7F7F7Fu) + 0x7676767676767676u) | text) & 0x8080808080808080u;
  count = others ? (size_t)__builtin_ctzll(others) >> 3 : 0;
  if (count == 0 || at[count] == '.' || (at[count] | 32) == 'e' || (*at == '0' && count > 1)) return NULL;
  *value = digits_value((text << (64 - 8 * count)) + 0x3030303030303030u);
  return at + count;
}

/* The first eight bytes as a number that orders as the text does. */
static inline uint64_t order_prefix(const char *text, size_t size) {
  uint64_t prefix;
  uint32_t low, high;
  if (size >= 8) {
    memcpy(&prefix, text, 8);
    return __builtin_bswap64(prefix);
  }
  if (size >= 4) {
    /* The two loads overlap, and agree where they do. */
    memcpy(&low, text, 4);
    memcpy(&high, text + size - 4, 4);
    return (uint64_t)__builtin_bswap32(low) << 32 | (uint64_t)__builtin_bswap32(high) << (64 - 8 * size);
  }
  if (size == 0) return 0;
  return (uint64_t)(uint8_t)text[0] << 56 | (uint64_t)(uint8_t)text[size >> 1] << (56 - 8 * (size >> 1)) |
         (uint64_t)(uint8_t)text[size - 1] << (64 - 8 * size);
}

#endif
