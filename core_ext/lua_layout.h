/* How the Lua 5.5 in lupa's wheel lays out strings, tables and stacks in memory, for the JSON codec: going through the
 * C API for every key and value costs it more than everything else; and where it keeps its strings, for what states share
 * (image.pyx). selfcheck.pyx proves all of this at import, so that another Lua is refused there and never misread here.
 *
 * Pointers live from one call of the API to the next: any of them may move the stack, some of them nodes and arrays. */
#ifndef FLEET_LUA_LAYOUT_H
#define FLEET_LUA_LAYOUT_H
#include <stdint.h>
#include <string.h>
#include "lua_api.h"

/* A tag is a type in its lower four bits, a variant above them, and 64 for what the collector owns. */
enum {
  TAG_NIL = LUA_TNIL,
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
  union {
    size_t long_size;
    struct LuaText *following; /* of a short string: in its bucket of the string table */
  };
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

/* What all objects of the collector begin with. */
typedef struct LuaObject {
  struct LuaObject *next;
  uint8_t type, marked;
} LuaObject;

enum { OBJECT_SHORT_STRING = LUA_TSTRING, OBJECT_LONG_STRING = LUA_TSTRING | 16, OBJECT_PROTO = 10 };

enum { MODE_NAME = 3, METAMETHODS = 25, BASIC_TYPES = 9, CACHE_SETS = 53, CACHE_EACH = 2 };

/* What the threads of a state have in common. */
typedef struct LuaGlobal {
  void *allocate, *data;
  intptr_t total, debt, counters[2];
  LuaText **buckets; /* of the string table */
  int used, size;    /* strings in it, buckets */
  LuaSlot registry, nil;
  uint8_t settings[16];
  LuaObject *all; /* what the collector may free */
  void *working[8];
  LuaObject *fixed; /* what it may not */
  void *generations[8];
  void *panic;
  LuaText *no_memory;
  LuaText *names[METAMETHODS];
  void *metatables[BASIC_TYPES];
  LuaText *cache[CACHE_SETS][CACHE_EACH];
} LuaGlobal;

typedef struct LuaThread {
  void *next;
  uint8_t type, marked, allowhook, status;
  LuaSlot *top;
  LuaGlobal *global;
} LuaThread;

static inline LuaGlobal *global_of(lua_State *L) { return ((LuaThread *)L)->global; }

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

/* How large the object of a short string is. */
static inline size_t short_size(const LuaText *text) { return offsetof(LuaText, contents) + (size_t)text->short_size + 1; }

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

/* ---- what stores; the stack must have room for what is pushed */

static inline void set_slot(LuaSlot *to, LuaSlot from) {
  to->word = from.word; /* not what lies behind the tag: it is not the value's */
  to->tag = from.tag;
}

static inline LuaSlot *stack_top(lua_State *L) { return ((LuaThread *)L)->top; }

static inline LuaSlot top_slot(lua_State *L) { return ((LuaThread *)L)->top[-1]; }

static inline void set_top(lua_State *L, LuaSlot *top) { ((LuaThread *)L)->top = top; }

static inline void push_slot(lua_State *L, LuaSlot slot) { set_slot(((LuaThread *)L)->top++, slot); }

static inline void push_word(lua_State *L, uint8_t tag, const void *object) {
  LuaSlot *to = ((LuaThread *)L)->top++;
  to->word.object = object;
  to->tag = tag;
}

static inline void push_integer(lua_State *L, lua_Integer value) {
  LuaSlot *to = ((LuaThread *)L)->top++;
  to->word.integer = value;
  to->tag = TAG_INTEGER;
}

static inline void push_float(lua_State *L, lua_Number value) {
  LuaSlot *to = ((LuaThread *)L)->top++;
  to->word.number = value;
  to->tag = TAG_FLOAT;
}

/* May anything be stored in the table without telling the collector? It has not looked into a white one yet. */
static inline int is_white(const LuaTable *table) { return (table->marked & 0x18) != 0; }

/* Store an element in the array part of a white table. */
static inline void set_element(LuaTable *table, size_t place, LuaSlot slot) {
  table->array[-1 - (ptrdiff_t)place] = slot.word;
  ((uint8_t *)table->array)[sizeof(unsigned) + place] = slot.tag;
}

/* Store a member in a white table that has nodes, if that takes no more than filling the node where its key belongs; else
 * it is for the API to do. A key that is in the table already, or collides with another, finds its node taken. Lua
 * remembers which metamethods a table does not have: a key that may be the name of one is not for this function. */
static inline int set_member(LuaTable *table, LuaSlot key, LuaSlot value) {
  const LuaText *text = (const LuaText *)key.word.object;
  LuaNode *node;
  if (key.tag != TAG_SHORT_STRING || tag_is_nil(value.tag)) return 0;
  node = &table->nodes[text->hash & ((1u << table->node_bits) - 1)];
  if (node->key_tag != LUA_TNIL || *(const char *)&text->contents == '_') return 0;
  node->word = value.word;
  node->tag = value.tag;
  node->key = key.word;
  node->key_tag = key.tag;
  return 1;
}
#endif
