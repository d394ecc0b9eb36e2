/*
 * GNU dbm under torture: gdbm-store setup|run|check [atomic|plain]
 *
 * atomic: with its crash tolerance. plain: without, one gdbm_sync for each commit all the same.
 *
 * The database is in the extended format with two snapshots, as the manual's chapter "Crash Tolerance" asks.
 * One gdbm_sync is one commit. The check recovers as the manual says: it replaces the database by the
 * snapshot that gdbm_latest_snapshot names, and leaves the snapshots as they are.
 */
#include <gdbm.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "torture.h"

static char database[4096], even[4096], odd[4096], replacement[4096];
static const int state_key = -1;

static void name_files(const char *folder) {
  snprintf(database, sizeof database, "%s/store.db", folder);
  snprintf(even, sizeof even, "%s/snapshot.even", folder);
  snprintf(odd, sizeof odd, "%s/snapshot.odd", folder);
  snprintf(replacement, sizeof replacement, "%s/store.new", folder);
}

__attribute__((noreturn)) static void fail(int status, const char *what) {
  die(status, "%s: %s", what, gdbm_strerror(gdbm_errno));
}

static GDBM_FILE open_store(int flags, int status) {
  GDBM_FILE db = gdbm_open(database, 4096, flags, 0644, NULL);
  if (db == NULL) fail(status, database);
  return db;
}

static datum datum_of(const void *bytes, size_t size) {
  return (datum){.dptr = (char *)bytes, .dsize = (int)size};
}

static void write_rows(GDBM_FILE db, const struct table *table, const struct change *changes, int count) {
  for (int i = 0; i < count; i++) {
    unsigned char bytes[payload_max];
    datum key = datum_of(&changes[i].row, sizeof changes[i].row);
    if (changes[i].version == 0) {
      if (gdbm_delete(db, key) != 0) fail(exit_failed, "gdbm_delete");
      continue;
    }
    size_t length = row_bytes(table, changes[i].row, changes[i].version, bytes);
    if (gdbm_store(db, key, datum_of(bytes, length), GDBM_REPLACE) != 0) fail(exit_failed, "gdbm_store");
  }
  datum key = datum_of(&state_key, sizeof state_key);
  if (gdbm_store(db, key, datum_of(&table->commit, sizeof table->commit), GDBM_REPLACE) != 0) {
    fail(exit_failed, "gdbm_store");
  }
  if (gdbm_sync(db) != 0) fail(exit_failed, "gdbm_sync");
}

/* Snapshots are reflinks; a file system without them gets no crash tolerance, and no silent substitute. */
static void require_reflinks(const char *folder) {
  int to = open(replacement, O_RDWR | O_CREAT | O_TRUNC, 0600);
  int from = open(database, O_RDONLY);
  if (to < 0 || from < 0) die(exit_failed, "%s: %s", folder, strerror(errno));
  int result = ioctl(to, FICLONE, from);
  int error = errno;
  close(to);
  close(from);
  unlink(replacement);
  if (result == 0) return;
  unlink(database);
  die(exit_unavailable,
      "the file system of %s cannot clone files (FICLONE: %s), and gdbm_failure_atomic needs that: "
      "put the folder on XFS or btrfs",
      folder, strerror(error));
}

static void setup(const char *folder, int atomic) {
  struct table table;
  struct change changes[row_count];
  int count = 0;
  table_init(&table, seed_from_environment());
  for (int row = 0; row < row_count; row++) {
    if (table.versions[row] != 0) changes[count++] = (struct change){row, table.versions[row]};
  }
  GDBM_FILE db = open_store(atomic ? GDBM_NEWDB | GDBM_NUMSYNC : GDBM_NEWDB, exit_failed);
  write_rows(db, &table, changes, count);
  if (gdbm_close(db) != 0) fail(exit_failed, "gdbm_close");
  if (atomic) require_reflinks(folder);
  sync_folder(folder);
  exit(0);
}

static long stored_commit(GDBM_FILE db) {
  long commit;
  datum value = gdbm_fetch(db, datum_of(&state_key, sizeof state_key));
  if (value.dptr == NULL) fail(exit_inconsistent, "no commit number");
  if (value.dsize != sizeof commit) die(exit_inconsistent, "a commit number of %d bytes", value.dsize);
  memcpy(&commit, value.dptr, sizeof commit);
  free(value.dptr);
  return commit;
}

static void run(int atomic) {
  struct table table;
  struct change changes[changes_per_commit];
  GDBM_FILE db = open_store(GDBM_WRITER, exit_failed);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit(db));
  if (atomic && gdbm_failure_atomic(db, even, odd) != 0) fail(exit_failed, "gdbm_failure_atomic");
  for (;;) {
    int count = table_advance(&table, changes);
    write_rows(db, &table, changes, count);
    acknowledge(table.commit);
  }
}

/* The new file is a copy, not a rename, so that the snapshots stay for the next recovery. */
static void replace_database(const char *folder, const char *snapshot) {
  char buffer[65536];
  ssize_t n;
  int from = open(snapshot, O_RDONLY);
  int to = open(replacement, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (from < 0 || to < 0) die(exit_inconsistent, "%s: %s", snapshot, strerror(errno));
  while ((n = read(from, buffer, sizeof buffer)) > 0) {
    if (write(to, buffer, (size_t)n) != n) die(exit_failed, "%s: %s", replacement, strerror(errno));
  }
  if (n < 0 || fsync(to) != 0) die(exit_failed, "%s: %s", replacement, strerror(errno));
  close(from);
  close(to);
  if (rename(replacement, database) != 0) die(exit_failed, "%s: %s", database, strerror(errno));
  sync_folder(folder);
}

/* Returns 0 if there was no snapshot to recover from: then the database must be as set-up left it. */
static int recover(const char *folder) {
  const char *latest = NULL;
  if (access(even, F_OK) != 0 || access(odd, F_OK) != 0) return 0;
  switch (gdbm_latest_snapshot(even, odd, &latest)) {
    case GDBM_SNAPSHOT_OK:
      replace_database(folder, latest);
      return 1;
    case GDBM_SNAPSHOT_BAD:
      return 0;
    case GDBM_SNAPSHOT_SAME:
      die(exit_inconsistent, "gdbm_latest_snapshot: both snapshots have the same time and number");
    case GDBM_SNAPSHOT_SUSPICIOUS:
      die(exit_inconsistent, "gdbm_latest_snapshot: the snapshots' numbers differ by more than 1");
    default:
      die(exit_inconsistent, "gdbm_latest_snapshot: %s", strerror(errno));
  }
}

static void check(const char *folder, int atomic) {
  struct table table;
  struct audit audit = {.expected = &table};
  int recovered = atomic ? recover(folder) : 1;
  GDBM_FILE db = open_store(GDBM_READER, exit_inconsistent);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit(db));
  if (!recovered && table.commit != 0) {
    die(exit_inconsistent, "the database holds commit %ld, but neither snapshot is valid", table.commit);
  }
  datum key = gdbm_firstkey(db);
  while (key.dptr != NULL) {
    int row;
    if (key.dsize != sizeof row) die(exit_inconsistent, "a key of %d bytes", key.dsize);
    memcpy(&row, key.dptr, sizeof row);
    datum value = gdbm_fetch(db, key);
    if (value.dptr == NULL) fail(exit_inconsistent, "gdbm_fetch");
    if (row != state_key) audit_row(&audit, row, value.dptr, (size_t)value.dsize);
    free(value.dptr);
    datum next = gdbm_nextkey(db, key);
    free(key.dptr);
    key = next;
  }
  if (gdbm_errno != GDBM_ITEM_NOT_FOUND) fail(exit_inconsistent, "gdbm_nextkey");
  gdbm_close(db);
  audit_end(&audit);
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  const char *folder = folder_from_environment();
  const char *mode = argc > 2 ? argv[2] : "atomic";
  int atomic = strcmp(mode, "atomic") == 0;
  name_files(folder);
  if (atomic || strcmp(mode, "plain") == 0) {
    if (strcmp(command, "setup") == 0) setup(folder, atomic);
    if (strcmp(command, "run") == 0) run(atomic);
    if (strcmp(command, "check") == 0) check(folder, atomic);
  }
  die(exit_usage, "usage: gdbm-store setup|run|check [atomic|plain]");
}
