# Random numbers of the run's seed (xoshiro256**, seeded by splitmix64): the same on every replay.

cdef uint64_t splitmix(uint64_t *state) noexcept nogil:
    cdef uint64_t z
    state[0] += 0x9E3779B97F4A7C15ULL
    z = state[0]
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef void random_seed(StateC *st, uint64_t seed) noexcept nogil:
    cdef int i
    st.seed = seed
    for i in range(4):
        st.random_state[i] = splitmix(&seed)


cdef uint64_t random_next(StateC *st) noexcept nogil:
    cdef uint64_t *s = st.random_state
    cdef uint64_t x = s[1] * 5
    cdef uint64_t result = ((x << 7) | (x >> 57)) * 9
    cdef uint64_t t = s[1] << 17
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << 45) | (s[3] >> 19)
    return result


cdef int core_seed(lua_State *L) noexcept nogil:
    """core.seed(n): start over with this seed (decision 9: a reset brings a new one); math.random follows."""
    random_seed(state_of(L), <uint64_t>luaL_checkinteger(L, 1))
    reseed_math(L, state_of(L).seed)
    return 0


cdef int core_random_bytes(lua_State *L) noexcept nogil:
    """core.random_bytes(n) -> n bytes (at most 1024) from the run's seed"""
    cdef StateC *st = state_of(L)
    cdef lua_Integer n = luaL_checkinteger(L, 1)
    cdef uint64_t block[128]
    cdef int i
    if n < 0 or n > 1024:
        return luaL_argerror(L, 1, b"0 to 1024 bytes")
    for i in range(<int>(n + 7) // 8):
        block[i] = random_next(st)
    lua_pushlstring(L, <const char *>block, <size_t>n)
    return 1
