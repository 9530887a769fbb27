/* Words that other processes read while they are written: each whole, and none before what was written ahead of it. */
#ifndef FLEET_SHARED_WORDS_H
#define FLEET_SHARED_WORDS_H

#include <stdint.h>

static inline void publish(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

#endif
