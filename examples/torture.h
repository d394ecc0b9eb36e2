/*
 * What the example programs share: the line protocol, and a table whose whole content after any
 * commit follows from the seed, so that a check can compare all of it.
 */
#ifndef PLUGPULL_EXAMPLES_TORTURE_H
#define PLUGPULL_EXAMPLES_TORTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  exit_inconsistent = 1,
  exit_failed = 2,
  exit_usage = 64,
  exit_unavailable = 69,
  row_count = 600,
  changes_per_commit = 12,
  payload_max = 400,
};

/* Prints to stderr and ends the program. */
__attribute__((noreturn, format(printf, 2, 3))) static inline void die(int status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(status);
}

/* Says that commit `k` is durable and waits for the answer. Ends the program when nobody answers any more. */
static inline void acknowledge(long k) {
  printf("plugpull commit %ld\n", k);
  fflush(stdout);
  for (;;) {
    int c = getchar();
    if (c == EOF) exit(0);
    if (c == '\n') return;
  }
}

static inline const char *from_environment(const char *name) {
  const char *text = getenv(name);
  if (text == NULL || *text == 0) die(exit_usage, "%s is not set", name);
  return text;
}

static inline uint64_t seed_from_environment(void) {
  return strtoull(from_environment("PLUGPULL_SEED"), NULL, 10);
}

/* The folder that the data live in. */
static inline const char *folder_from_environment(void) { return from_environment("PLUGPULL_DIR"); }

/* Flushes a folder, so that the names in it are durable. */
static inline void sync_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY);
  if (fd < 0 || fsync(fd) != 0) die(exit_failed, "fsync %s: %s", folder, strerror(errno));
  close(fd);
}

/* SplitMix64's finalizer over the parts of a name: every bit depends on all of them. */
static inline uint64_t hash3(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t x = a * 0x9e3779b97f4a7c15u + b * 0xbf58476d1ce4e5b9u + c * 0x94d049bb133111ebu + 1;
  for (int i = 0; i < 2; i++) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
  }
  return x;
}

/* One change of a commit: a row is written anew, or taken away (`version` 0). */
struct change {
  int row;
  long version;
};

/*
 * The table in memory: for each row the commit that wrote it last, plus one; 0 where there is none.
 * A row's bytes follow from the seed, its number and that version.
 */
struct table {
  uint64_t seed;
  long commit;
  long versions[row_count];
};

/* State 0: every third row is there. */
static inline void table_init(struct table *table, uint64_t seed) {
  table->seed = seed;
  table->commit = 0;
  for (int row = 0; row < row_count; row++) table->versions[row] = row % 3 == 0 ? 1 : 0;
}

/* Makes the next commit's changes in memory and tells them; no row twice. Returns how many. */
static inline int table_advance(struct table *table, struct change changes[changes_per_commit]) {
  long k = ++table->commit;
  int count = 0;
  for (int i = 0; i < changes_per_commit; i++) {
    uint64_t h = hash3(table->seed, (uint64_t)k, (uint64_t)i);
    int row = (int)(h % row_count);
    /* Waves of growth and shrinkage, so that free space is used again. */
    int shrinking = k / 40 % 2 == 1;
    int remove = (h >> 32) % 10 < (shrinking ? 7u : 2u);
    if (remove && table->versions[row] == 0) continue;
    if (table->versions[row] == k + 1) continue;
    int seen = 0;
    for (int j = 0; j < count; j++) seen |= changes[j].row == row;
    if (seen) continue;
    table->versions[row] = remove ? 0 : k + 1;
    changes[count].row = row;
    changes[count].version = table->versions[row];
    count++;
  }
  return count;
}

static inline void table_advance_to(struct table *table, long commit) {
  struct change changes[changes_per_commit];
  while (table->commit < commit) table_advance(table, changes);
}

/* The bytes of a row; returns their number. */
static inline size_t row_bytes(const struct table *table, int row, long version,
                               unsigned char out[payload_max]) {
  uint64_t h = hash3(table->seed ^ 0x726f77u, (uint64_t)row, (uint64_t)version);
  size_t length = 8 + h % (payload_max - 7);
  for (size_t i = 0; i < length; i++) {
    if (i % 8 == 0) h = hash3(h, i, 0);
    out[i] = (unsigned char)(h >> (i % 8 * 8));
  }
  return length;
}

/* What a check found so far, compared with a table that stands at the commit that the store tells. */
struct audit {
  const struct table *expected;
  unsigned char seen[row_count];
  int wrong;
};

static inline void audit_fault(struct audit *audit, int row, const char *what) {
  /* A few are enough for a reason. */
  if (++audit->wrong <= 3) {
    fprintf(stderr, "row %d %s, against commit %ld\n", row, what, audit->expected->commit);
  }
}

/* Notes a row that the store holds. */
static inline void audit_row(struct audit *audit, long row, const void *bytes, size_t length) {
  unsigned char expected[payload_max];
  if (row < 0 || row >= row_count) die(exit_inconsistent, "there is a row %ld", row);
  if (audit->seen[row]++) audit_fault(audit, (int)row, "is there twice");
  long version = audit->expected->versions[row];
  if (version == 0) {
    audit_fault(audit, (int)row, "should not be there");
  } else if (row_bytes(audit->expected, (int)row, version, expected) != length ||
             memcmp(expected, bytes, length) != 0) {
    audit_fault(audit, (int)row, "has other bytes");
  }
}

/* Ends the program with the verdict. */
__attribute__((noreturn)) static inline void audit_end(struct audit *audit) {
  for (int row = 0; row < row_count; row++) {
    if (audit->expected->versions[row] != 0 && !audit->seen[row]) audit_fault(audit, row, "is missing");
  }
  printf("plugpull state %ld\n", audit->expected->commit);
  if (audit->wrong > 0) die(exit_inconsistent, "%d rows are wrong", audit->wrong);
  exit(0);
}

#endif
