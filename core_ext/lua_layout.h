/* How the Lua 5.5 in lupa's wheel lays out strings, tables and stacks in memory, for the JSON codec: going through the
 * C API for every key and value costs it more than everything else. selfcheck.pyx proves all of this at import, so that
 * another Lua is refused there and never misread here.
 *
 * Values are only looked at between two calls of the API, while nothing moves; and nothing is stored but on the stack. */
#ifndef FLEET_LUA_LAYOUT_H
#define FLEET_LUA_LAYOUT_H
#include <stdint.h>
#include <string.h>
#include "lua_api.h"

/* A tag is a type in its lower four bits, a variant above them, and 64 for what the collector owns. */
enum {
  TAG_FALSE = LUA_TBOOLEAN,
  TAG_TRUE = LUA_TBOOLEAN | 16,
  TAG_LIGHT = LUA_TLIGHTUSERDATA,
  TAG_INTEGER = LUA_TNUMBER,
  TAG_FLOAT = LUA_TNUMBER | 16,
  TAG_SHORT_STRING = LUA_TSTRING | 64,
  TAG_LONG_STRING = LUA_TSTRING | 16 | 64,
  TAG_TABLE = LUA_TTABLE | 64,
  TAG_USERDATA = LUA_TUSERDATA | 64
};

typedef union LuaWord {
  const void *object;
  lua_Integer integer;
  lua_Number number;
} LuaWord;

typedef struct LuaSlot {
  LuaWord word;
  uint8_t tag;
} LuaSlot;

/* The value of a node comes first, so that a node serves as a slot. */
typedef struct LuaNode {
  LuaWord word;
  uint8_t tag;
  uint8_t key_tag;
  int next;
  LuaWord key;
} LuaNode;

typedef struct LuaText {
  void *next;
  uint8_t type, marked, extra;
  int8_t short_size; /* negative: a long string */
  unsigned hash;
  size_t long_size;
  const char *contents; /* of a long string; a short one begins here */
} LuaText;

typedef struct LuaTable {
  void *next;
  uint8_t type, marked, flags, node_bits;
  unsigned array_size;
  LuaWord *array; /* its words run down from here; its tags run up, behind a counter */
  LuaNode *nodes;
  void *metatable;
  void *gclist;
} LuaTable;

typedef struct LuaThread {
  void *next;
  uint8_t type, marked, allowhook, status;
  LuaSlot *top;
} LuaThread;

static inline int tag_is_nil(uint8_t tag) { return (tag & 15) == LUA_TNIL; }

static inline int tag_is_string(uint8_t tag) { return (tag & 15) == LUA_TSTRING; }

static inline const char *text_of(const LuaText *text, size_t *size) {
  if (text->short_size >= 0) {
    *size = (size_t)text->short_size;
    return (const char *)&text->contents;
  }
  *size = text->long_size;
  return text->contents;
}

/* The places of a table are those of its array part, from 0, and then its nodes. */
static inline size_t place_count(const LuaTable *table) {
  return (size_t)table->array_size + ((size_t)1 << table->node_bits);
}

static inline const uint8_t *array_tags(const LuaTable *table) {
  return (const uint8_t *)table->array + sizeof(unsigned);
}

static inline LuaSlot array_slot(const LuaTable *table, size_t place) {
  LuaSlot slot;
  slot.word = table->array[-1 - (ptrdiff_t)place];
  slot.tag = array_tags(table)[place];
  return slot;
}

static inline LuaSlot slot_at(const LuaTable *table, size_t place) {
  LuaSlot slot;
  if (place < table->array_size) return array_slot(table, place);
  slot.word = table->nodes[place - table->array_size].word;
  slot.tag = table->nodes[place - table->array_size].tag;
  return slot;
}

static inline LuaSlot key_at(const LuaTable *table, size_t place) {
  LuaSlot slot;
  if (place < table->array_size) {
    slot.word.integer = (lua_Integer)place + 1;
    slot.tag = TAG_INTEGER;
  } else {
    slot.word = table->nodes[place - table->array_size].key;
    slot.tag = table->nodes[place - table->array_size].key_tag;
  }
  return slot;
}

/* The first place from `place` on that has a value; place_count if none has. */
static inline size_t seek_value(const LuaTable *table, size_t place) {
  size_t count = place_count(table);
  if (place < table->array_size) {
    const uint8_t *tags = array_tags(table);
    while (place < table->array_size && tag_is_nil(tags[place])) place++;
  }
  while (place >= table->array_size && place < count && tag_is_nil(table->nodes[place - table->array_size].tag)) place++;
  return place;
}

/* How many elements, from 1, the array part has before its first nil. */
static inline size_t array_run(const LuaTable *table) {
  const uint8_t *tags = array_tags(table);
  size_t i = 0;
  while (i < table->array_size && !tag_is_nil(tags[i])) i++;
  return i;
}

/* Push a value, for the API to handle. The stack must have room. */
static inline void push_slot(lua_State *L, LuaSlot slot) {
  LuaSlot *to;
  lua_pushnil(L);
  to = ((LuaThread *)L)->top - 1;
  to->word = slot.word;
  to->tag = slot.tag;
}

/* The slot on the top of the stack. */
static inline LuaSlot top_slot(lua_State *L) { return ((LuaThread *)L)->top[-1]; }
#endif
