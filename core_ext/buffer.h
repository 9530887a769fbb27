/* The byte buffer of buffer.pyx, here because thread-local variables need C. */
#ifndef FLEET_BUFFER_H
#define FLEET_BUFFER_H
#include <stddef.h>

typedef struct Buffer {
  char *data;
  size_t length;
  size_t capacity;
  size_t limit; /* 0: none */
  int failed;   /* sticks when the buffer may not or cannot grow */
} Buffer;

/* Scratch space that survives a Lua error's jump: it belongs to the thread, not to a frame. */
static __thread Buffer SCRATCH;
static __thread Buffer HOST_RESULT;

#endif
