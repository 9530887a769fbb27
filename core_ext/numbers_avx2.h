/* The numbers of a JSON text where the processor has AVX2: sixteen digits at once, and a row of numbers without leaving
 * the loop. Whatever is odd about a number, or wrong, is for json_numbers.pyx. */
#ifndef FLEET_NUMBERS_AVX2_H
#define FLEET_NUMBERS_AVX2_H
#include <stddef.h>
#include <stdint.h>
#include "lua_layout.h"
#include "numbers.h"
#include "scan_avx2.h"

#ifdef __x86_64__

/* Bytes that are looked at from the begin of a number on: a sign, 19 digits and a point, and 32 digits. */
#define NUMBER_MARGIN 64

/* Append the digits of the sixteen bytes at `at` to *value; how many. Each multiplication joins neighbours. */
static inline __attribute__((always_inline)) FLEET_AVX2 size_t avx2_digits(const uint8_t *at, uint64_t *value) {
  /* From place n on: what moves n digits to the end, with zeros before them. */
  static const int8_t moves[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                   0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15};
  static const uint64_t powers[17] = {1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull,
                                      100000000ull, 1000000000ull, 10000000000ull, 100000000000ull, 1000000000000ull,
                                      10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull};
  __m128i v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8('0'));
  int digits = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v));
  size_t count = (size_t)__builtin_ctz(~(unsigned)digits);
  uint64_t halves;
  v = _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)(moves + count)));
  v = _mm_maddubs_epi16(v, _mm_set1_epi16(10 | 1 << 8));
  v = _mm_madd_epi16(v, _mm_set1_epi32(100 | 1 << 16));
  v = _mm_madd_epi16(_mm_packus_epi32(v, v), _mm_set1_epi32(10000 | 1 << 16));
  halves = (uint64_t)_mm_cvtsi128_si64(v);
  *value = *value * powers[count] + (halves & 0xFFFFFFFF) * 100000000 + (halves >> 32);
  return count;
}

/* As many digits as there are, up to 32. */
static inline __attribute__((always_inline)) FLEET_AVX2 size_t avx2_long_digits(const uint8_t *at, uint64_t *value) {
  size_t count = avx2_digits(at, value);
  return count < 16 ? count : 16 + avx2_digits(at + 16, value);
}

/* Store the number at `at` and return where it ends; NULL if it is odd. NUMBER_MARGIN bytes may be looked at. */
static inline __attribute__((always_inline)) FLEET_AVX2 const uint8_t *avx2_read_number(const uint8_t *at, LuaSlot *slot) {
  int negative = *at == '-', zero;
  const uint8_t *first = at;
  uint64_t digits = 0;
  double number;
  size_t whole = 1, decimals;
  if (negative) {
    first++;
    __asm__(""); /* keeps it a branch: a sum of both would make the digits wait for the sign */
  }
  zero = *first == '0';
  if (!zero) whole = avx2_long_digits(first, &digits);
  at = first + whole;
  /* 19 digits fit into 64 bits. */
  if (whole == 0 || whole > 19 || (zero && (uint8_t)(*at - '0') < 10)) return NULL;
  if (*at != '.') {
    if ((*at | 32) == 'e' || digits > INT64_MAX || (negative && digits == 0)) return NULL;
    slot->word.integer = (lua_Integer)(negative ? 0 - digits : digits);
    slot->tag = TAG_INTEGER;
    return at;
  }
  decimals = avx2_long_digits(at + 1, &digits);
  at += 1 + decimals;
  if (decimals == 0 || whole - (size_t)zero + decimals > 19 || (*at | 32) == 'e') return NULL;
  if (!quick_double(digits, -(int)decimals, &number)) return NULL;
  slot->word.number = negative ? -number : number;
  slot->tag = TAG_FLOAT;
  return at;
}

/* Store the numbers at *from, of which nothing but commas lies between; how many. *from is behind the last of them then. */
static FLEET_AVX2 size_t avx2_read_numbers(const uint8_t **from, const uint8_t *end, LuaSlot *slots, size_t room) {
  const uint8_t *at = *from;
  size_t count = 0;
  while (end - at >= NUMBER_MARGIN) {
    at = avx2_read_number(at, &slots[count]);
    if (at == NULL) break;
    *from = at;
    count++;
    if (count == room || *at != ',') break;
    at++;
  }
  return count;
}

#else
static size_t avx2_read_numbers(const uint8_t **from, const uint8_t *end, LuaSlot *slots, size_t room) { return 0; }
#endif

/* The same, or 0: then json_numbers.pyx reads the number. */
static inline size_t read_plain_numbers(const uint8_t **from, const uint8_t *end, LuaSlot *slots, size_t room) {
  return fleet_has_avx2 ? avx2_read_numbers(from, end, slots, room) : 0;
}

#endif
