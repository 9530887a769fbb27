/* Looking at text sixteen bytes at a time: where the next byte is that a JSON reader or writer must look at itself.
 * Vector extensions of the compiler, so that one text serves SSE2 and NEON. Nothing here reads past `end`. */
#ifndef FLEET_SCAN_H
#define FLEET_SCAN_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "buffer.h"

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
  uint64_t both[2] = {low, high};
  return fleet_load16(both);
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

/* The first byte of at..end that is no plain character of a JSON string, or end. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 16) {
    size_t found = fleet_first(fleet_read_stops(fleet_load16(at)));
    if (found < 16) return at + found;
    at += 16;
  }
  while (at < end && !fleet_read_stop(*at)) at++;
  return at;
}

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
  for (; i < size; i++) {
    if (fleet_write_stop((uint8_t)from[i])) return i;
    to[i] = from[i];
  }
  return size;
}

/* The first eight bytes as a number that orders as the text does. */
static inline uint64_t order_prefix(const char *text, size_t size) {
  uint64_t prefix = 0;
  if (size >= 8) {
    memcpy(&prefix, text, 8);
    return __builtin_bswap64(prefix);
  }
  for (size_t i = 0; i < size; i++) prefix |= (uint64_t)(uint8_t)text[i] << (56 - 8 * i);
  return prefix;
}

#endif
