/* Decimals to doubles where that is quickly decided; numbers.pyx has the rest. */
#ifndef FLEET_NUMBERS_H
#define FLEET_NUMBERS_H
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 fleet_u128;

#define POWER_MIN (-292)
#define POWER_MAX 324

/* 10**k for k = POWER_MIN.., scaled to 2**127 <= x < 2**128 and rounded up. Python's integers make them at import. */
static uint64_t POWER_HIGH[POWER_MAX - POWER_MIN + 1];
static uint64_t POWER_LOW[POWER_MAX - POWER_MIN + 1];

static const double SMALL_POWERS[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* floor(log2(10**k)) */
static inline int log2_of_power(int k) { return (k * 1741647) >> 19; }

/* digits * 10**exponent, rounded to nearest; 0 if the first 64 bits of the power do not decide, or it is no normal double. */
static inline int quick_double(uint64_t digits, int exponent, double *out) {
  int zeros, upper, biased;
  uint64_t high, bits;
  /* Both operands are exact, so the one operation rounds correctly (W. Clinger, 1990). That holds up to 2**53, but whether
   * sixteen digits are more or less than that is a branch that nobody can predict. */
  if (digits < 1000000000000000u && -22 <= exponent && exponent <= 22) {
    *out = exponent < 0 ? (double)digits / SMALL_POWERS[-exponent] : (double)digits * SMALL_POWERS[exponent];
    return 1;
  }
  if (digits == 0 || exponent < POWER_MIN || exponent > POWER_MAX) return 0;
  /* D. Lemire, "Number parsing at a gigabyte per second", 2021. What is left out of the product, and that the table is
   * rounded up, move `high` by at most 1 to either side; its lowest nine bits lie below the one that decides the rounding,
   * and where they are neither all zeros nor all ones that changes nothing. */
  zeros = __builtin_clzll(digits);
  high = (uint64_t)(((fleet_u128)(digits << zeros) * POWER_HIGH[exponent - POWER_MIN]) >> 64);
  upper = (int)(high >> 63);
  biased = log2_of_power(exponent) - zeros + upper + 1086;
  if (((high + 1) & 0x1FF) <= 1 || biased < 1 || biased > 2045) return 0;
  /* The mantissa still has its highest bit, and carries into the exponent when it is rounded up to a power of two. */
  bits = ((uint64_t)(biased - 1) << 52) + (((high >> (9 + upper)) + 1) >> 1);
  memcpy(out, &bits, 8);
  return 1;
}

#endif
