/*
 * LMDB under torture: lmdb-store setup|run|check [default|nometasync|nosync]
 *
 * One write transaction is one commit: a dozen rows put or deleted, and the commit's number.
 */
#include <lmdb.h>

#include "torture.h"

static MDB_env *env;
static MDB_dbi rows;
static const int state_key = -1;

static void must(int result, int status, const char *what) {
  if (result != 0) die(status, "%s: %s", what, mdb_strerror(result));
}

static void open_store(const char *folder, unsigned flags) {
  must(mdb_env_create(&env), exit_failed, "mdb_env_create");
  must(mdb_env_set_mapsize(env, 16u << 20), exit_failed, "mdb_env_set_mapsize");
  must(mdb_env_open(env, folder, flags, 0644), exit_inconsistent, "mdb_env_open");
}

static MDB_txn *begin(unsigned flags) {
  MDB_txn *txn;
  must(mdb_txn_begin(env, NULL, flags, &txn), exit_inconsistent, "mdb_txn_begin");
  must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &rows), exit_inconsistent, "mdb_dbi_open");
  return txn;
}

static MDB_val key_of(const int *number) {
  return (MDB_val){.mv_size = sizeof *number, .mv_data = (void *)number};
}

static void write_rows(MDB_txn *txn, const struct table *table, const struct change *changes, int count) {
  for (int i = 0; i < count; i++) {
    unsigned char bytes[payload_max];
    MDB_val key = key_of(&changes[i].row);
    if (changes[i].version == 0) {
      must(mdb_del(txn, rows, &key, NULL), exit_failed, "mdb_del");
      continue;
    }
    MDB_val value = {row_bytes(table, changes[i].row, changes[i].version, bytes), bytes};
    must(mdb_put(txn, rows, &key, &value, 0), exit_failed, "mdb_put");
  }
  MDB_val key = key_of(&state_key);
  MDB_val value = {sizeof table->commit, (void *)&table->commit};
  must(mdb_put(txn, rows, &key, &value, 0), exit_failed, "mdb_put");
  must(mdb_txn_commit(txn), exit_failed, "mdb_txn_commit");
}

static long stored_commit(MDB_txn *txn) {
  long commit;
  MDB_val key = key_of(&state_key);
  MDB_val value;
  must(mdb_get(txn, rows, &key, &value), exit_inconsistent, "no commit number");
  if (value.mv_size != sizeof commit) die(exit_inconsistent, "a commit number of %zu bytes", value.mv_size);
  memcpy(&commit, value.mv_data, sizeof commit);
  return commit;
}

static void setup(const char *folder) {
  struct table table;
  struct change changes[row_count];
  int count = 0;
  table_init(&table, seed_from_environment());
  for (int row = 0; row < row_count; row++) {
    if (table.versions[row] != 0) changes[count++] = (struct change){row, table.versions[row]};
  }
  open_store(folder, 0);
  write_rows(begin(0), &table, changes, count);
  mdb_env_close(env);
  sync_folder(folder);
  exit(0);
}

static void run(const char *folder, unsigned flags) {
  struct table table;
  struct change changes[changes_per_commit];
  open_store(folder, flags);
  MDB_txn *txn = begin(MDB_RDONLY);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit(txn));
  mdb_txn_abort(txn);
  for (;;) {
    int count = table_advance(&table, changes);
    write_rows(begin(0), &table, changes, count);
    acknowledge(table.commit);
  }
}

static void check(const char *folder, unsigned flags) {
  struct table table;
  struct audit audit = {.expected = &table};
  MDB_cursor *cursor;
  MDB_val key, value;
  MDB_stat stat;
  size_t entries = 0;
  open_store(folder, flags);
  must(mdb_reader_check(env, NULL), exit_inconsistent, "mdb_reader_check");
  MDB_txn *txn = begin(MDB_RDONLY);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit(txn));
  must(mdb_stat(txn, rows, &stat), exit_inconsistent, "mdb_stat");
  must(mdb_cursor_open(txn, rows, &cursor), exit_inconsistent, "mdb_cursor_open");
  int result;
  while ((result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    int row;
    if (key.mv_size != sizeof row) die(exit_inconsistent, "a key of %zu bytes", key.mv_size);
    memcpy(&row, key.mv_data, sizeof row);
    entries++;
    if (row != state_key) audit_row(&audit, row, value.mv_data, value.mv_size);
  }
  if (result != MDB_NOTFOUND) must(result, exit_inconsistent, "mdb_cursor_get");
  if (entries != stat.ms_entries) {
    die(exit_inconsistent, "%zu entries found, %zu counted by the store", entries, stat.ms_entries);
  }
  mdb_txn_abort(txn);
  /* A writer must be able to begin too: a killed one may have held the lock. */
  must(mdb_txn_begin(env, NULL, 0, &txn), exit_inconsistent, "mdb_txn_begin for writing");
  mdb_txn_abort(txn);
  mdb_env_close(env);
  audit_end(&audit);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    unsigned flags;
  } modes[] = {{"default", 0}, {"nometasync", MDB_NOMETASYNC}, {"nosync", MDB_NOSYNC}};
  const char *command = argc > 1 ? argv[1] : "";
  const char *mode = argc > 2 ? argv[2] : "default";
  const char *folder = folder_from_environment();
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(mode, modes[i].name) != 0) continue;
    if (strcmp(command, "setup") == 0) setup(folder);
    if (strcmp(command, "run") == 0) run(folder, modes[i].flags);
    if (strcmp(command, "check") == 0) check(folder, modes[i].flags);
  }
  die(exit_usage, "usage: lmdb-store setup|run|check [default|nometasync|nosync]");
}
