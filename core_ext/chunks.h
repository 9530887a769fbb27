/* Chunks of memory for the small blocks of Lua states (alloc.pyx), cut out of regions that the system gives.
 *
 * A region goes back to the system when all its chunks are free. In C for the sake of the mutex: states of one process
 * may run on several threads. */
#ifndef FLEET_CHUNKS_H
#define FLEET_CHUNKS_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define CHUNK_SIZE 512 /* small, for one block in use keeps all of it */
#define REGION_SIZE (256 * 1024)
#define SPARE_REGIONS 16 /* wholly free ones that are kept: mapping memory costs more than making a state */
#define REGION_CHUNKS (REGION_SIZE / CHUNK_SIZE - 1) /* the region's own data has the place of one */

/* The address sanitizer sees blocks of malloc: there no block is small. */
#ifdef __SANITIZE_ADDRESS__
#define SMALL_BLOCK 0
#else
#define SMALL_BLOCK 240
#endif

typedef struct Chunk {
  struct Chunk *next; /* of the same owner: a state, or the free ones of a region */
  uint32_t live;      /* blocks in use, for the owner */
  uint32_t kind;      /* of its blocks, for the owner */
} Chunk;

typedef struct Region {
  struct Region *next, *previous; /* among the regions that have a free chunk */
  Chunk *free;
  uint32_t used;  /* chunks given out */
  uint32_t fresh; /* chunks that were never given out begin after so many */
} Region;

static Region *fleet_regions; /* those with a free chunk, the one to take from first */
static int fleet_unused_regions;
static pthread_mutex_t fleet_regions_lock = PTHREAD_MUTEX_INITIALIZER;

static inline Chunk *chunk_of(const void *block) { return (Chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK_SIZE - 1)); }

static inline Region *region_of(const void *block) {
  return (Region *)((uintptr_t)block & ~(uintptr_t)(REGION_SIZE - 1));
}

static void region_link(Region *region) {
  region->previous = NULL;
  region->next = fleet_regions;
  if (fleet_regions) fleet_regions->previous = region;
  fleet_regions = region;
}

static void region_unlink(Region *region) {
  if (region->previous) region->previous->next = region->next;
  else fleet_regions = region->next;
  if (region->next) region->next->previous = region->previous;
}

/* A region at a multiple of its size; NULL when the system has no memory. */
static Region *region_new(void) {
  char *space = (char *)mmap(NULL, 2 * REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *start;
  if (space == MAP_FAILED) return NULL;
  start = (char *)region_of(space + REGION_SIZE - 1);
  if (start > space) munmap(space, (size_t)(start - space));
  munmap(start + REGION_SIZE, (size_t)(space + REGION_SIZE - start));
  region_link((Region *)start); /* all zeros otherwise */
  fleet_unused_regions++;
  return (Region *)start;
}

/* A chunk with undefined contents; NULL when the system has no memory. */
static Chunk *chunk_take(void) {
  Region *region;
  Chunk *chunk = NULL;
  pthread_mutex_lock(&fleet_regions_lock);
  region = fleet_regions ? fleet_regions : region_new();
  if (region) {
    if (region->used == 0) fleet_unused_regions--;
    chunk = region->free;
    if (chunk) region->free = chunk->next;
    else chunk = (Chunk *)((char *)region + (size_t)++region->fresh * CHUNK_SIZE);
    if (++region->used == REGION_CHUNKS) region_unlink(region);
  }
  pthread_mutex_unlock(&fleet_regions_lock);
  return chunk;
}

static void chunk_give(Chunk *chunk) {
  Region *region = region_of(chunk);
  pthread_mutex_lock(&fleet_regions_lock);
  chunk->next = region->free;
  region->free = chunk;
  if (region->used-- == REGION_CHUNKS) region_link(region);
  if (region->used == 0 && ++fleet_unused_regions > SPARE_REGIONS) {
    fleet_unused_regions--;
    region_unlink(region);
    munmap(region, REGION_SIZE);
  }
  pthread_mutex_unlock(&fleet_regions_lock);
}

#endif
