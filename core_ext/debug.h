/* Live-object counters: compiled in by FLEET_DEBUG, asserted after every test of the debug build. */
#ifndef FLEET_DEBUG_H
#define FLEET_DEBUG_H

#ifdef FLEET_DEBUG
#define FLEET_DEBUG_BUILD 1
static long long fleet_live_states, fleet_live_blocks, fleet_live_tasks, fleet_live_waiters;
#define LIVE(counter, step) __atomic_add_fetch(&fleet_live_##counter, (step), __ATOMIC_RELAXED)
#define LIVE_COUNT(counter) __atomic_load_n(&fleet_live_##counter, __ATOMIC_RELAXED)
#else
#define FLEET_DEBUG_BUILD 0
#define LIVE(counter, step) ((void)0)
#define LIVE_COUNT(counter) 0LL
#endif

#define live_states(step) LIVE(states, step)
#define live_blocks(step) LIVE(blocks, step)
#define live_tasks(step) LIVE(tasks, step)
#define live_waiters(step) LIVE(waiters, step)
#define live_states_count() LIVE_COUNT(states)
#define live_blocks_count() LIVE_COUNT(blocks)
#define live_tasks_count() LIVE_COUNT(tasks)
#define live_waiters_count() LIVE_COUNT(waiters)

#endif
