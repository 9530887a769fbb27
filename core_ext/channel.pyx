# Channels: FIFO queues between tasks, with Go's rules and one difference: select takes the first ready case in the
# order written, never a random one (lua_api.md 3).
#
# A blocked sender's value stays where it is: argument 2 of the blocked send, or the value of the case in select.
# A channel is kept alive by the frames that wait on it, so waiters may point to it.

cdef char CHANNEL_KEY           # registry[&CHANNEL_KEY] = metatable of channels
cdef char CASE_KEY              # registry[&CASE_KEY] = metatable of select cases
cdef enum:
    UNLIMITED = 0x3FFFFFFF


cdef Channel *to_channel(lua_State *L, int index) noexcept nogil:
    cdef Channel *ch = <Channel *>lua_touserdata(L, index)
    cdef bint ours
    if lua_type(L, index) != LUA_TUSERDATA or not lua_getmetatable(L, index):
        return NULL
    lua_rawgetp(L, LUA_REGISTRYINDEX, &CHANNEL_KEY)
    ours = lua_rawequal(L, -1, -2)
    lua_pop(L, 2)
    return ch if ours else NULL


cdef Channel *check_channel(lua_State *L, int index) noexcept nogil:
    cdef Channel *ch = to_channel(L, index)
    if ch == NULL:
        luaL_typeerror(L, index, b"channel")
    return ch


cdef Channel *channel_push_new(lua_State *L, int64_t capacity) noexcept nogil:
    cdef Channel *ch = <Channel *>lua_newuserdatauv(L, sizeof(Channel), 1)
    memset(ch, 0, sizeof(Channel))
    ch.capacity = capacity if capacity > 0 else 0
    ch.head = 1
    push_channel_metatable(L)
    lua_setmetatable(L, -2)
    return ch


# ---- the buffer; `index` is where the channel is on L's stack

cdef void buffer_append(lua_State *L, Channel *ch, int index) noexcept nogil:
    """Append the value on top of L, popping it."""
    index = lua_absindex(L, index)
    if lua_getiuservalue(L, index, 1) != LUA_TTABLE:
        lua_pop(L, 1)
        lua_newtable(L)
        lua_pushvalue(L, -1)
        lua_setiuservalue(L, index, 1)
    lua_insert(L, -2)
    lua_rawseti(L, -2, ch.head + ch.count)
    lua_pop(L, 1)
    ch.count += 1


cdef void buffer_take(lua_State *L, Channel *ch, int index) noexcept nogil:
    """Push the oldest value and remove it."""
    lua_getiuservalue(L, index, 1)
    lua_rawgeti(L, -1, ch.head)
    lua_pushnil(L)
    lua_rawseti(L, -3, ch.head)
    lua_remove(L, -2)
    ch.head += 1
    ch.count -= 1
    if ch.count == 0:
        ch.head = 1


# ---- waiters

cdef void waiter_link(Waiter *w) noexcept nogil:
    cdef Waiter **head = &w.channel.senders if w.sends else &w.channel.receivers
    cdef Waiter **tail = &w.channel.senders_tail if w.sends else &w.channel.receivers_tail
    w.previous = tail[0]
    w.next = NULL
    if tail[0] != NULL:
        tail[0].next = w
    else:
        head[0] = w
    tail[0] = w


cdef void waiter_unlink(Waiter *w) noexcept nogil:
    cdef Waiter **head = &w.channel.senders if w.sends else &w.channel.receivers
    cdef Waiter **tail = &w.channel.senders_tail if w.sends else &w.channel.receivers_tail
    if w.previous != NULL:
        w.previous.next = w.next
    else:
        head[0] = w.next
    if w.next != NULL:
        w.next.previous = w.previous
    else:
        tail[0] = w.previous


cdef Waiter *waiters_new(lua_State *L, Task *task, int count) noexcept nogil:
    cdef Waiter *waiters
    if task == NULL:
        cannot_block(L, state_of(L))
    waiters = <Waiter *>malloc(sizeof(Waiter) * count)
    if waiters == NULL:
        luaL_error(L, b"not enough memory")
    memset(waiters, 0, sizeof(Waiter) * count)
    live_waiters(1)
    task.waiters = waiters
    task.nwaiters = 0
    return waiters


cdef void waiter_add(lua_State *L, Task *task, Channel *ch, int case_index, bint sends) noexcept nogil:
    cdef Waiter *w = &task.waiters[task.nwaiters]
    w.task = task
    w.channel = ch
    w.frame = L
    w.case_index = case_index
    w.sends = sends
    task.nwaiters += 1
    waiter_link(w)


cdef void waiters_drop(Task *task) noexcept nogil:
    cdef int i
    if task == NULL or task.waiters == NULL:
        return
    for i in range(task.nwaiters):
        waiter_unlink(&task.waiters[i])
    live_waiters(-1)
    free(task.waiters)
    task.waiters = NULL
    task.nwaiters = 0


cdef void push_select_result(lua_State *L, int value, bint ok) noexcept nogil:
    """Replace the channel on top of L by {channel=, value=, ok=}; `value` is an absolute index, 0 for nil."""
    lua_createtable(L, 0, 3)
    lua_insert(L, -2)
    lua_setfield(L, -2, b"channel")
    if value:
        lua_pushvalue(L, value)
        lua_setfield(L, -2, b"value")
    lua_pushboolean(L, ok)
    lua_setfield(L, -2, b"ok")


cdef void push_waiter_case(lua_State *L, Waiter *w) noexcept nogil:
    lua_checkstack(w.frame, 2)
    lua_pushvalue(w.frame, 1)
    lua_rawgeti(w.frame, -1, w.case_index)
    lua_xmove(w.frame, L, 1)
    lua_pop(w.frame, 1)


cdef void push_waiter_part(lua_State *L, Waiter *w, int part) noexcept nogil:
    """Push what `w` waits with: part 1 its channel, part 2 the value that it sends. They are the arguments of its frame, or
    the contents of its select case."""
    if w.case_index == 0:
        lua_checkstack(w.frame, 1)
        lua_pushvalue(w.frame, part)
        lua_xmove(w.frame, L, 1)
        return
    push_waiter_case(L, w)
    lua_getiuservalue(L, -1, 1)
    lua_rawgeti(L, -1, part)
    lua_insert(L, -3)
    lua_pop(L, 2)


cdef void finish_waiter(lua_State *L, Waiter *w, bint has_value, bint ok) noexcept nogil:
    """Wake the task of `w`: its receive or select got the value on top of L (popped), or its send went through."""
    cdef Task *task = w.task
    cdef StateC *st = state_of(L)
    cdef int value = lua_gettop(L) if has_value else 0
    cdef int top = lua_gettop(L) - (1 if has_value else 0)
    luaL_checkstack(L, 8, b"channel")
    if w.case_index:
        push_waiter_part(L, w, 1)
        push_select_result(L, value, ok)
        wake(L, st, task, 1, False)
    elif w.sends:
        lua_pushboolean(L, ok)
        if ok:
            wake(L, st, task, 1, False)
        else:
            lua_pop(L, 1)
            lua_pushnil(L)
            push_error(L, b"CANCELED", b"channel closed")
            wake(L, st, task, 2, False)
    else:
        if has_value:
            lua_pushvalue(L, value)
        else:
            lua_pushnil(L)
        lua_pushboolean(L, ok)
        wake(L, st, task, 2, False)
    lua_settop(L, top)


# ---- operations that do not block: true if done

cdef bint try_send(lua_State *L, Channel *ch, int index, int value) noexcept nogil:
    """Hand the value at `value` to the longest waiting receiver, or buffer it. `index`: where the channel is."""
    if ch.receivers != NULL:
        lua_pushvalue(L, value)
        finish_waiter(L, ch.receivers, True, True)
        return True
    if ch.count < ch.capacity:
        lua_pushvalue(L, value)
        buffer_append(L, ch, index)
        return True
    return False


cdef bint try_receive(lua_State *L, Channel *ch, int index, bint *ok) noexcept nogil:
    """Push the next value, or nil if closed and drained; nothing if it would block."""
    cdef Waiter *sender = ch.senders
    ok[0] = True
    if ch.count > 0:
        buffer_take(L, ch, index)
        if sender != NULL and ch.count < ch.capacity:
            push_waiter_part(L, sender, 2)
            buffer_append(L, ch, index)
            finish_waiter(L, sender, False, True)
        return True
    if sender != NULL:
        push_waiter_part(L, sender, 2)
        finish_waiter(L, sender, False, True)
        return True
    if ch.closed:
        ok[0] = False
        lua_pushnil(L)
        return True
    return False


cdef void channel_close(lua_State *L, Channel *ch) noexcept nogil:
    if ch.closed:
        return
    ch.closed = True
    while ch.receivers != NULL:
        finish_waiter(L, ch.receivers, False, False)
    # A select case that sends on a closed channel is never ready; a plain send ends with an error.
    cdef Waiter *w = ch.senders
    cdef Waiter *following
    while w != NULL:
        following = w.next
        if w.case_index == 0:
            finish_waiter(L, w, False, False)
        w = following


# ---- Lua functions

cdef int channel_new(lua_State *L) noexcept nogil:
    """channel.new([capacity]) -> channel"""
    channel_push_new(L, luaL_optinteger(L, 1, 0))
    return 1


cdef int channel_send(lua_State *L) noexcept nogil:
    """ch:send(v) -> true; raises on a closed channel; nil, err if it is closed while waiting"""
    cdef Channel *ch = check_channel(L, 1)
    cdef Task *task = state_of(L).current
    lua_settop(L, 2)
    if ch.closed:
        return luaL_error(L, b"send on closed channel")
    if try_send(L, ch, 1, 2):
        lua_pushboolean(L, True)
        return 1
    waiters_new(L, task, 1)
    waiter_add(L, task, ch, 0, True)
    return park(L, INTERRUPT_RAISES, 0, parked)


cdef int channel_receive(lua_State *L) noexcept nogil:
    """ch:receive() -> value, true | nil, false when closed and drained"""
    cdef Channel *ch = check_channel(L, 1)
    cdef Task *task = state_of(L).current
    cdef bint ok
    lua_settop(L, 1)
    if try_receive(L, ch, 1, &ok):
        lua_pushboolean(L, ok)
        return 2
    waiters_new(L, task, 1)
    waiter_add(L, task, ch, 0, False)
    return park(L, INTERRUPT_RAISES, 0, parked)


cdef int channel_close_lua(lua_State *L) noexcept nogil:
    """ch:close()"""
    channel_close(L, check_channel(L, 1))
    return 0


cdef int push_case(lua_State *L, bint sends) noexcept nogil:
    """A case is a userdata whose user value is {channel, value}; its one byte says whether it sends."""
    cdef char *flag
    check_channel(L, 1)
    lua_settop(L, 2)
    flag = <char *>lua_newuserdatauv(L, 1, 1)
    flag[0] = sends
    lua_createtable(L, 2, 0)
    lua_pushvalue(L, 1)
    lua_rawseti(L, -2, 1)
    lua_pushvalue(L, 2)
    lua_rawseti(L, -2, 2)
    lua_setiuservalue(L, -2, 1)
    push_metatable(L, &CASE_KEY, b"channel case")
    lua_setmetatable(L, -2)
    return 1


cdef int channel_case_send(lua_State *L) noexcept nogil:
    """ch:case_send(v) -> a case for channel.select"""
    return push_case(L, True)


cdef int channel_case_receive(lua_State *L) noexcept nogil:
    """ch:case_receive() -> a case for channel.select"""
    lua_settop(L, 1)
    return push_case(L, False)


cdef int to_case(lua_State *L, int index) noexcept nogil:
    """1 if the value is a case that sends, 0 one that receives, -1 something else."""
    cdef bint ours
    if lua_type(L, index) != LUA_TUSERDATA or not lua_getmetatable(L, index):
        return -1
    lua_rawgetp(L, LUA_REGISTRYINDEX, &CASE_KEY)
    ours = lua_rawequal(L, -1, -2)
    lua_pop(L, 2)
    return (<char *>lua_touserdata(L, index))[0] if ours else -1


cdef int channel_select(lua_State *L) noexcept nogil:
    """channel.select(cases[, default]) -> {channel=, value=, ok=} | {default=true, ok=true}"""
    cdef Task *task = state_of(L).current
    cdef Channel *ch
    cdef int i, kind, count, cases = 0
    cdef bint ok, default
    luaL_checktype(L, 1, LUA_TTABLE)
    lua_settop(L, 2)
    default = lua_toboolean(L, 2)
    if not default:
        lua_getfield(L, 1, b"default")
        default = lua_toboolean(L, -1)
    lua_settop(L, 2)
    count = <int>lua_rawlen(L, 1)
    for i in range(1, count + 1):
        # stack: 1 cases, 2 default, 3 case, 4 {channel, value}, 5 channel, 6 value
        lua_rawgeti(L, 1, i)
        kind = to_case(L, 3)
        if kind < 0:
            lua_settop(L, 2)
            continue
        cases += 1
        lua_getiuservalue(L, 3, 1)
        lua_rawgeti(L, 4, 1)
        lua_rawgeti(L, 4, 2)
        ch = <Channel *>lua_touserdata(L, 5)
        if kind and not ch.closed and try_send(L, ch, 5, 6):
            lua_settop(L, 5)
            push_select_result(L, 0, True)
            return 1
        if not kind and try_receive(L, ch, 5, &ok):
            lua_pushvalue(L, 5)
            push_select_result(L, lua_gettop(L) - 1, ok)
            return 1
        lua_settop(L, 2)
    if default:
        lua_createtable(L, 0, 2)
        lua_pushboolean(L, True)
        lua_setfield(L, -2, b"default")
        lua_pushboolean(L, True)
        lua_setfield(L, -2, b"ok")
        return 1
    if cases:
        waiters_new(L, task, cases)
        for i in range(1, count + 1):
            lua_rawgeti(L, 1, i)
            kind = to_case(L, 3)
            if kind >= 0:
                lua_getiuservalue(L, 3, 1)
                lua_rawgeti(L, 4, 1)
                waiter_add(L, task, <Channel *>lua_touserdata(L, 5), i, kind)
            lua_settop(L, 2)
    return park(L, INTERRUPT_RAISES, 0, parked)


cdef int core_offer(lua_State *L) noexcept nogil:
    """core.offer(ch, v): deliver without blocking, past the capacity if need be (timers, messages, results)."""
    cdef Channel *ch = check_channel(L, 1)
    cdef int64_t capacity = ch.capacity
    lua_settop(L, 2)
    if ch.closed:
        return 0
    ch.capacity = UNLIMITED
    try_send(L, ch, 1, 2)
    ch.capacity = capacity
    return 0


cdef int core_pending(lua_State *L) noexcept nogil:
    """core.pending(ch) -> how many values wait in the buffer"""
    lua_pushinteger(L, check_channel(L, 1).count)
    return 1


cdef int core_drain(lua_State *L) noexcept nogil:
    """core.drain(ch): forget the values that nobody has received"""
    cdef Channel *ch = check_channel(L, 1)
    cdef bint ok
    while ch.count > 0:
        lua_settop(L, 1)
        try_receive(L, ch, 1, &ok)
    return 0
