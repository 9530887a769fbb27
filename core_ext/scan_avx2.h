/* Long texts thirty-two bytes at a time, where the processor has AVX2; what is shorter is for scan.h. In text that is not
 * ASCII only over the blocks in which there is nothing to look at: what is wrong, and where, is for scan.h too. */
#ifndef FLEET_SCAN_AVX2_H
#define FLEET_SCAN_AVX2_H
#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>

#define FLEET_AVX2 __attribute__((target("avx2")))

static int fleet_has_avx2; /* set at import */

static void prepare_scan(void) {
  __builtin_cpu_init();
  fleet_has_avx2 = __builtin_cpu_supports("avx2") != 0;
}

#define FLEET_TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* Quotes and backslashes, for writing & < > too. Four of them differ in their lower halves, by which the shuffle finds the
 * one that a byte could be. */
static inline __attribute__((always_inline)) FLEET_AVX2 __m256i avx2_marks(__m256i v, int writing) {
  const __m256i by_half = FLEET_TWICE(0, 0, '"', 0, 0, 0, '&', 0, 0, 0, 0, 0, '<', 0, '>', 0);
  __m256i others = writing ? _mm256_shuffle_epi8(by_half, v) : _mm256_set1_epi8('"');
  return _mm256_or_si256(_mm256_cmpeq_epi8(v, others), _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\')));
}

/* These, control characters and all that is not ASCII: signed bytes below a space. */
static inline __attribute__((always_inline)) FLEET_AVX2 __m256i avx2_not_plain(__m256i v, int writing) {
  return _mm256_or_si256(avx2_marks(v, writing), _mm256_cmpgt_epi8(_mm256_set1_epi8(32), v));
}

/* The marks and the control characters. */
static inline __attribute__((always_inline)) FLEET_AVX2 __m256i avx2_stops(__m256i v, int writing) {
  return _mm256_or_si256(avx2_marks(v, writing), _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(31)), v));
}

/* What is wrong with a byte and the one before it, one bit each: a table for either half of the first and one for the
 * upper half of the second, of which all three must say so. (D. Lemire, J. Keiser, "Validating UTF-8 in less than one
 * instruction per byte", 2021.) */
enum {
  PAIR_ENDS_EARLY = 1,  /* a lead, then no continuation */
  PAIR_GOES_ON = 2,     /* ASCII, then a continuation */
  PAIR_OVERLONG_3 = 4,  /* E0, then 80..9F */
  PAIR_BEYOND = 8,      /* F4, then 90..BF; F5..FF */
  PAIR_SURROGATE = 16,  /* ED, then A0..BF */
  PAIR_OVERLONG_2 = 32, /* C0, C1 */
  PAIR_OVERLONG_4 = 64, /* F0, then 80..8F; F5..FF the same */
  PAIR_INSIDE = 128,    /* two continuations: as it should be in the third byte of a character, or the fourth */
  PAIR_ANY = PAIR_ENDS_EARLY | PAIR_GOES_ON | PAIR_INSIDE
};

#define PAIR_LOW_5 (char)(PAIR_ANY | PAIR_BEYOND | PAIR_OVERLONG_4)
#define PAIR_FOLLOWS (PAIR_GOES_ON | PAIR_OVERLONG_2 | PAIR_INSIDE)

/* Bytes of the 32 at `at`, after the three before them, that cannot stand there in UTF-8 are not 0. */
static inline __attribute__((always_inline)) FLEET_AVX2 __m256i avx2_not_utf8(const uint8_t *at, __m256i v) {
  const __m256i first_high = FLEET_TWICE(
      PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON, PAIR_GOES_ON,
      (char)PAIR_INSIDE, (char)PAIR_INSIDE, (char)PAIR_INSIDE, (char)PAIR_INSIDE, PAIR_ENDS_EARLY | PAIR_OVERLONG_2,
      PAIR_ENDS_EARLY, PAIR_ENDS_EARLY | PAIR_OVERLONG_3 | PAIR_SURROGATE,
      PAIR_ENDS_EARLY | PAIR_BEYOND | PAIR_OVERLONG_4);
  const __m256i first_low = FLEET_TWICE(
      (char)(PAIR_ANY | PAIR_OVERLONG_2 | PAIR_OVERLONG_3 | PAIR_OVERLONG_4), (char)(PAIR_ANY | PAIR_OVERLONG_2),
      (char)PAIR_ANY, (char)PAIR_ANY, (char)(PAIR_ANY | PAIR_BEYOND), PAIR_LOW_5, PAIR_LOW_5, PAIR_LOW_5, PAIR_LOW_5,
      PAIR_LOW_5, PAIR_LOW_5, PAIR_LOW_5, PAIR_LOW_5, (char)(PAIR_LOW_5 | PAIR_SURROGATE), PAIR_LOW_5, PAIR_LOW_5);
  const __m256i second_high = FLEET_TWICE(
      PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, PAIR_ENDS_EARLY,
      PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, (char)(PAIR_FOLLOWS | PAIR_OVERLONG_3 | PAIR_OVERLONG_4),
      (char)(PAIR_FOLLOWS | PAIR_OVERLONG_3 | PAIR_BEYOND), (char)(PAIR_FOLLOWS | PAIR_SURROGATE | PAIR_BEYOND),
      (char)(PAIR_FOLLOWS | PAIR_SURROGATE | PAIR_BEYOND), PAIR_ENDS_EARLY, PAIR_ENDS_EARLY, PAIR_ENDS_EARLY,
      PAIR_ENDS_EARLY);
  const __m256i half = _mm256_set1_epi8(15);
  __m256i before = _mm256_loadu_si256((const __m256i *)(at - 1));
  __m256i second = _mm256_loadu_si256((const __m256i *)(at - 2));
  __m256i third = _mm256_loadu_si256((const __m256i *)(at - 3));
  __m256i wrong = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(before, 4), half)),
                       _mm256_shuffle_epi8(first_low, _mm256_and_si256(before, half))),
      _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
  /* From E0 on the byte two places on is inside, from F0 on the one three places on too. */
  __m256i inside = _mm256_or_si256(_mm256_subs_epu8(second, _mm256_set1_epi8(0xE0 - 0x80)),
                                   _mm256_subs_epu8(third, _mm256_set1_epi8(0xF0 - 0x80)));
  return _mm256_xor_si256(wrong, _mm256_and_si256(inside, _mm256_set1_epi8((char)PAIR_INSIDE)));
}

/* Copy the plain characters that `from` begins with; how many. All `size` bytes of `to`, at least 32, may be written. */
static FLEET_AVX2 size_t avx2_copy_plain(char *to, const char *from, size_t size) {
  /* Two blocks at once. The last two overlap those before them, or each other: there is no rest to loop over. */
  size_t second = size >= 64 ? 32 : size - 32, last = size - 32 - second, i = 0;
  for (;;) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(from + i));
    __m256i next = _mm256_loadu_si256((const __m256i *)(from + i + second));
    __m256i stops = avx2_not_plain(v, 1), next_stops = avx2_not_plain(next, 1);
    _mm256_storeu_si256((__m256i *)(to + i), v);
    _mm256_storeu_si256((__m256i *)(to + i + second), next);
    if (_mm256_movemask_epi8(_mm256_or_si256(stops, next_stops))) {
      unsigned found = (unsigned)_mm256_movemask_epi8(stops);
      if (found) return i + (size_t)__builtin_ctz(found);
      return i + second + (size_t)__builtin_ctz((unsigned)_mm256_movemask_epi8(next_stops));
    }
    if (i == last) return size;
    i = i + 64 < last ? i + 64 : last;
  }
}

/* The first byte that is no plain character; if the blocks have none, where the rest of fewer than 32 bytes begins. */
static FLEET_AVX2 const uint8_t *avx2_skip_plain(const uint8_t *at, const uint8_t *end) {
  for (; end - at >= 32; at += 32) {
    __m256i v = _mm256_loadu_si256((const __m256i *)at);
    unsigned found = (unsigned)_mm256_movemask_epi8(avx2_not_plain(v, 0));
    if (found) return at + __builtin_ctz(found);
  }
  return at;
}

/* Copy (unless `to` is NULL) the blocks that `from` begins with which are UTF-8, not all ASCII, and have no stops; how
 * many bytes. There are three bytes before `from`, and at least 32 from there on. A block may end inside a character. */
static inline __attribute__((always_inline)) FLEET_AVX2 size_t avx2_wide(char *to, const uint8_t *from,
                                                                       const uint8_t *end) {
  const uint8_t *at = from;
  while (at < end) {
    /* The last block overlaps the one before it, so that few characters are left to look at one by one. */
    const uint8_t *block = end - at >= 32 ? at : end - 32;
    __m256i v, wrong;
    v = _mm256_loadu_si256((const __m256i *)block);
    wrong = _mm256_or_si256(avx2_not_utf8(block, v), avx2_stops(v, to != NULL));
    if (!_mm256_testz_si256(wrong, wrong) || !_mm256_movemask_epi8(v)) break;
    if (to != NULL) _mm256_storeu_si256((__m256i *)(to + (block - from)), v);
    at = block + 32;
  }
  return (size_t)(at - from);
}

static FLEET_AVX2 size_t avx2_copy_wide(char *to, const uint8_t *from, const uint8_t *end) {
  return avx2_wide(to, from, end);
}

static FLEET_AVX2 size_t avx2_skip_wide(const uint8_t *from, const uint8_t *end) { return avx2_wide(NULL, from, end); }

#else
enum { fleet_has_avx2 = 0 };
static void prepare_scan(void) {}
static size_t avx2_copy_plain(char *to, const char *from, size_t size) { return 0; }
static const uint8_t *avx2_skip_plain(const uint8_t *at, const uint8_t *end) { return at; }
static size_t avx2_copy_wide(char *to, const uint8_t *from, const uint8_t *end) { return 0; }
static size_t avx2_skip_wide(const uint8_t *from, const uint8_t *end) { return 0; }
#endif
#endif
