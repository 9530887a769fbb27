/* What guard_work.py tells callgrind: where the work of a case begins, and where it ends. */
#include <valgrind/callgrind.h>

int guard_supervised(void) { return RUNNING_ON_VALGRIND != 0; }

void guard_begin(void) {
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
}

void guard_end(const char *name) {
  CALLGRIND_DUMP_STATS_AT(name);
  CALLGRIND_STOP_INSTRUMENTATION;
}
