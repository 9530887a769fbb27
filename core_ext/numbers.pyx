# Numbers to decimal text and back, exact in both directions and independent of the locale.
#
# Both directions work on one table: the powers of ten to 128 bits, rounded up. Python's integers make it at import.
# Printing is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020): the shortest decimal that reads
# back as the same double, and the nearest of those. Reading multiplies by the power and knows how far off the product
# can be: if that does not decide the rounding, strtod does.

cdef extern from "numbers.h" nogil:
    const int POWER_MIN, POWER_MAX
    uint64_t POWER_HIGH[]
    uint64_t POWER_LOW[]
    int log2_of_power(int k)
    bint quick_double(uint64_t digits, int exponent, double *out)

cdef extern from *:
    """
    #include <locale.h>
    #include <stdlib.h>
    #ifndef __USE_GNU
    extern double strtod_l(const char *, char **, locale_t);
    #endif

    static double parse_slowly(const char *text) {
      static locale_t neutral; /* set at import, under the GIL */
      if (text == NULL) {
        neutral = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return 0;
      }
      return strtod_l(text, NULL, neutral);
    }
    """
    ctypedef unsigned long long fleet_u128
    double parse_slowly(const char *text) noexcept nogil
    int __builtin_clzll(unsigned long long x) noexcept nogil

cdef enum:
    NUMBER_SIZE = 64            # room for a number's text, with what copies of a fixed size write past it


def _prepare_numbers():
    """Fill the table of powers; at import."""
    for k in range(POWER_MIN, POWER_MAX + 1):
        power = 10 ** abs(k)
        bits = power.bit_length()
        if k < 0:
            scaled = -((-1 << (127 + bits)) // power)
        elif bits <= 128:
            scaled = power << (128 - bits)
        else:
            scaled = -(-power >> (bits - 128))
        POWER_HIGH[k - POWER_MIN] = scaled >> 64
        POWER_LOW[k - POWER_MIN] = scaled & 0xFFFFFFFFFFFFFFFF
    parse_slowly(NULL)


_prepare_numbers()


# ---- integers

cdef inline int count_digits(uint64_t value) noexcept nogil:
    cdef int digits = 1
    while value >= 10000:
        value = value // 10000
        digits += 4
    if value >= 1000:
        return digits + 3
    if value >= 100:
        return digits + 2
    return digits + 1 if value >= 10 else digits


cdef inline void put_eight(char *out, uint64_t value, int digits) noexcept nogil:
    """Write a number of at most eight digits as the last `digits` of its eight; eight bytes are written in any case."""
    cdef uint64_t text = eight_digits(<uint32_t>value) >> (64 - 8 * digits)
    memcpy(out, &text, 8)


cdef inline void put_digits(char *out, uint64_t value, int digits) noexcept nogil:
    """Write `value`, which has that many digits; up to 7 bytes after them are written too."""
    cdef uint64_t rest
    if digits > 16:
        rest = value // 10000000000000000ULL
        put_eight(out, rest, digits - 16)
        value -= rest * 10000000000000000ULL
        out += digits - 16
        digits = 16
    if digits > 8:
        rest = value // 100000000
        put_eight(out, rest, digits - 8)
        value -= rest * 100000000
        out += digits - 8
        digits = 8
    put_eight(out, value, digits)


cdef int format_integer(char *out, int64_t value) noexcept nogil:
    """Write the integer; returns the length, at most 20."""
    cdef uint64_t magnitude = <uint64_t>value
    cdef int sign = 0, digits
    if value < 0:
        out[0] = b"-"
        sign = 1
        magnitude = 0 - magnitude
    digits = count_digits(magnitude)
    put_digits(out + sign, magnitude, digits)
    return sign + digits


# ---- doubles to text

cdef inline uint64_t scaled_to_odd(uint64_t high, uint64_t low, uint64_t c) noexcept nogil:
    """The top 64 bits of power * c, with the lowest bit set if anything was cut off."""
    cdef fleet_u128 upper = <fleet_u128>high * c
    cdef fleet_u128 sum
    sum = upper + <uint64_t>((<fleet_u128>low * c) >> 64)
    return <uint64_t>(sum >> 64) | <uint64_t>(<uint64_t>sum > 1)


cdef uint64_t shortest_digits(uint64_t bits, int *exponent) noexcept nogil:
    """The digits d of a finite, positive double, with d * 10**exponent[0] its shortest decimal."""
    cdef uint64_t fraction = bits & 0xFFFFFFFFFFFFFULL
    cdef int biased = <int>(bits >> 52) & 0x7FF
    cdef uint64_t c = fraction | (1ULL << 52) if biased else fraction
    cdef int q = biased - 1075 if biased else -1074
    # At a power of two the neighbour below is half as far away as the one above.
    cdef bint uneven = fraction == 0 and biased > 1
    cdef int k = (q * 1262611 - 524031) >> 22 if uneven else (q * 1262611) >> 22
    cdef int h = q + log2_of_power(-k) + 1
    cdef uint64_t high = POWER_HIGH[-k - POWER_MIN], low = POWER_LOW[-k - POWER_MIN]
    cdef uint64_t below = scaled_to_odd(high, low, (4 * c - 2 + uneven) << h)
    cdef uint64_t value = scaled_to_odd(high, low, (4 * c) << h)
    cdef uint64_t above = scaled_to_odd(high, low, (4 * c + 2) << h)
    cdef uint64_t s = value >> 2, tens
    cdef bint under, over
    # The ends of the interval read back as this double only if its last bit is even.
    below += c & 1
    above -= c & 1
    if s >= 10:
        tens = s // 10
        under = below <= 40 * tens
        over = 40 * tens + 40 <= above
        if under != over:
            exponent[0] = k + 1
            return tens + over
    under = below <= 4 * s
    over = 4 * s + 4 <= above
    exponent[0] = k
    if under != over:
        return s + over
    # In the middle of two candidates: the even one.
    over = value > 4 * s + 2 or (value == 4 * s + 2 and s & 1 == 1)
    return s + over


cdef inline uint64_t few_decimals(double value) noexcept nogil:
    """The digits of a positive double with at most three decimals and fifteen digits, times 1000; else 0.

    Decimals of up to fifteen digits all read back as different doubles, so one that reads back is the shortest.
    """
    cdef uint64_t thousandths
    if not value < 1e12:
        return 0
    thousandths = <uint64_t><int64_t>(value * 1000 + 0.5)
    return thousandths if <double>thousandths / 1000 == value else 0


cdef int format_double(char *out, double value) noexcept nogil:
    """Write a finite double in its shortest form, always with a point or an exponent; returns the length.

    `out` has NUMBER_SIZE bytes. Exponents are used from 1e16 up and below 0.0001, as Python does.
    """
    cdef uint64_t bits, digits
    cdef int exponent = -3, count, scientific, length = 0
    cdef char[48] text
    memcpy(&bits, &value, 8)
    if bits >> 63:
        out[0] = b"-"
        length = 1
        bits &= 0x7FFFFFFFFFFFFFFFULL
        value = -value
    if bits == 0:
        memcpy(out + length, b"0.0", 3)
        return length + 3
    digits = few_decimals(value)
    if digits == 0:
        digits = shortest_digits(bits, &exponent)
        if digits % 100000000 == 0:
            digits = digits // 100000000
            exponent += 8
    while digits % 10 == 0:
        digits = digits // 10
        exponent += 1
    count = count_digits(digits)
    scientific = exponent + count - 1
    out += length
    # The text has at most 17 digits: copies of 24 bytes are cheaper than copies of as many as there are.
    if 0 <= scientific < count - 1:
        put_digits(text, digits, count)
        memcpy(out, text, 24)
        out[scientific + 1] = b"."
        memcpy(out + scientific + 2, text + scientific + 1, 24)
        return length + count + 1
    if -4 <= scientific < 0:
        memcpy(out, b"0.000000", 8)
        put_digits(out + 1 - scientific, digits, count)
        return length + 1 - scientific + count
    put_digits(text, digits, count)
    if 0 <= scientific < 16:
        memcpy(out, text, 24)
        memset(out + count, 48, exponent)
        memcpy(out + scientific + 1, b".0", 2)
        return length + scientific + 3
    out[0] = text[0]
    out[1] = b"."
    memcpy(out + 2, text + 1, 24)
    if count > 1:
        count += 1
    out[count] = b"e"
    return length + count + 1 + format_integer(out + count + 1, scientific)


# ---- text to doubles

cdef inline uint64_t rounded_bits(uint64_t high, uint64_t low, int exponent) noexcept nogil:
    """The double nearest to (high, low) * 2**exponent, as bits; 0 if it is not a normal one. `high` is large."""
    cdef int zeros = __builtin_clzll(high)
    cdef uint64_t top = high << zeros
    cdef uint64_t rest = low << zeros
    cdef uint64_t mantissa, half
    if zeros:
        top |= low >> (64 - zeros)
    mantissa = top >> 11
    half = top & 0x7FF
    exponent += 64 - zeros + 11 + 52 + 1023
    if half > 0x400 or (half == 0x400 and (rest != 0 or mantissa & 1 == 1)):
        mantissa += 1
        if mantissa >> 53:
            mantissa >>= 1
            exponent += 1
    if exponent < 1 or exponent > 2046:
        return 0
    return <uint64_t>exponent << 52 | (mantissa & 0xFFFFFFFFFFFFFULL)


cdef inline bint decimal_to_double(uint64_t digits, int exponent, double *out) noexcept nogil:
    """digits * 10**exponent, rounded to nearest; False if that takes more than 128 bits to decide."""
    return quick_double(digits, exponent, out) or slow_double(digits, exponent, out)


cdef bint slow_double(uint64_t digits, int exponent, double *out) noexcept nogil:
    """By all 128 bits of the power."""
    cdef int zeros, binary
    cdef fleet_u128 product
    cdef uint64_t high, low, bits
    if digits == 0:
        out[0] = 0.0
        return True
    if exponent < POWER_MIN or exponent > POWER_MAX:
        return False
    zeros = __builtin_clzll(digits)
    digits <<= zeros
    product = <fleet_u128>digits * POWER_HIGH[exponent - POWER_MIN]
    product += <uint64_t>((<fleet_u128>digits * POWER_LOW[exponent - POWER_MIN]) >> 64)
    binary = log2_of_power(exponent) - 127 + 64 - zeros
    # The table is rounded up and the product down: the true value is less than 1 away on either side.
    high = <uint64_t>((product - 1) >> 64)
    low = <uint64_t>(product - 1)
    bits = rounded_bits(high, low, binary)
    high = <uint64_t>((product + 1) >> 64)
    low = <uint64_t>(product + 1)
    if bits == 0 or bits != rounded_bits(high, low, binary):
        return False
    memcpy(out, &bits, 8)
    return True
