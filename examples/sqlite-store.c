/*
 * SQLite under torture: sqlite-store setup|run|check [delete|wal [off|normal|full|extra]]
 *
 * One transaction is one commit: a dozen rows written or deleted, and the commit's number.
 */
#include <sqlite3.h>

#include "torture.h"

static sqlite3 *db;

__attribute__((noreturn)) static void fail(int status, const char *what) {
  die(status, "%s: %s", what, sqlite3_errmsg(db));
}

static void run_sql(const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail(exit_failed, sql);
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(exit_failed, sql);
  return statement;
}

static void step_once(sqlite3_stmt *statement) {
  if (sqlite3_step(statement) != SQLITE_DONE) fail(exit_failed, sqlite3_sql(statement));
  sqlite3_reset(statement);
}

static void open_store(const char *folder, const char *journal, const char *synchronous, int flags) {
  char path[4096];
  char pragma[128];
  snprintf(path, sizeof path, "%s/store.db", folder);
  if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) fail(exit_failed, path);
  sqlite3_busy_timeout(db, 2000);
  snprintf(pragma, sizeof pragma, "PRAGMA journal_mode=%s", journal);
  run_sql(pragma);
  snprintf(pragma, sizeof pragma, "PRAGMA synchronous=%s", synchronous);
  run_sql(pragma);
  /* Checkpoints of the write-ahead log fall among the crashes too. */
  run_sql("PRAGMA wal_autocheckpoint=40");
}

static void write_rows(const struct table *table, const struct change *changes, int count) {
  static sqlite3_stmt *put, *drop, *mark;
  if (put == NULL) {
    put = prepare("INSERT INTO rows(id, bytes) VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET bytes = ?2");
    drop = prepare("DELETE FROM rows WHERE id = ?1");
    mark = prepare("UPDATE state SET number = ?1");
  }
  for (int i = 0; i < count; i++) {
    unsigned char bytes[payload_max];
    sqlite3_stmt *statement = changes[i].version == 0 ? drop : put;
    sqlite3_bind_int(statement, 1, changes[i].row);
    if (statement == put) {
      size_t length = row_bytes(table, changes[i].row, changes[i].version, bytes);
      sqlite3_bind_blob(statement, 2, bytes, (int)length, SQLITE_TRANSIENT);
    }
    step_once(statement);
  }
  sqlite3_bind_int64(mark, 1, table->commit);
  step_once(mark);
}

static void setup(const char *folder, const char *journal) {
  struct table table;
  struct change changes[row_count];
  int count = 0;
  table_init(&table, seed_from_environment());
  for (int row = 0; row < row_count; row++) {
    if (table.versions[row] != 0) changes[count++] = (struct change){row, table.versions[row]};
  }
  // Commit 0 must be durable: with FULL the folder is not synced after the rollback journal's unlink, which
  // commits.
  open_store(folder, journal, "extra", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  run_sql(
      "BEGIN; CREATE TABLE rows(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
      "CREATE INDEX by_bytes ON rows(bytes); CREATE TABLE state(number INTEGER NOT NULL);"
      "INSERT INTO state VALUES(0)");
  write_rows(&table, changes, count);
  run_sql("COMMIT");
  exit(0);
}

static long stored_commit(void) {
  sqlite3_stmt *statement = prepare("SELECT number FROM state");
  if (sqlite3_step(statement) != SQLITE_ROW) fail(exit_inconsistent, "no commit number");
  long commit = (long)sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return commit;
}

static void run(const char *folder, const char *journal, const char *synchronous) {
  struct table table;
  struct change changes[changes_per_commit];
  open_store(folder, journal, synchronous, SQLITE_OPEN_READWRITE);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit());
  for (;;) {
    int count = table_advance(&table, changes);
    run_sql("BEGIN IMMEDIATE");
    write_rows(&table, changes, count);
    run_sql("COMMIT");
    acknowledge(table.commit);
  }
}

static void check(const char *folder, const char *journal, const char *synchronous) {
  struct table table;
  struct audit audit = {.expected = &table};
  open_store(folder, journal, synchronous, SQLITE_OPEN_READWRITE);
  sqlite3_stmt *integrity = prepare("PRAGMA integrity_check(3)");
  if (sqlite3_step(integrity) != SQLITE_ROW) fail(exit_inconsistent, "integrity_check");
  const char *said = (const char *)sqlite3_column_text(integrity, 0);
  if (said == NULL || strcmp(said, "ok") != 0) {
    die(exit_inconsistent, "integrity_check: %s", said == NULL ? "nothing" : said);
  }
  sqlite3_finalize(integrity);
  table_init(&table, seed_from_environment());
  table_advance_to(&table, stored_commit());
  sqlite3_stmt *rows = prepare("SELECT id, bytes FROM rows");
  int result;
  while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
    audit_row(&audit, (long)sqlite3_column_int64(rows, 0), sqlite3_column_blob(rows, 1),
              (size_t)sqlite3_column_bytes(rows, 1));
  }
  if (result != SQLITE_DONE) fail(exit_inconsistent, "reading the rows");
  sqlite3_finalize(rows);
  sqlite3_close(db);
  audit_end(&audit);
}

static int one_of(const char *text, const char *const *names) {
  for (; *names != NULL; names++) {
    if (strcmp(text, *names) == 0) return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  static const char *const journals[] = {"delete", "wal", NULL};
  static const char *const levels[] = {"off", "normal", "full", "extra", NULL};
  const char *command = argc > 1 ? argv[1] : "";
  const char *journal = argc > 2 ? argv[2] : "wal";
  const char *synchronous = argc > 3 ? argv[3] : "full";
  const char *folder = folder_from_environment();
  if (one_of(journal, journals) && one_of(synchronous, levels)) {
    if (strcmp(command, "setup") == 0) setup(folder, journal);
    if (strcmp(command, "run") == 0) run(folder, journal, synchronous);
    if (strcmp(command, "check") == 0) check(folder, journal, synchronous);
  }
  die(exit_usage, "usage: sqlite-store setup|run|check [delete|wal [off|normal|full|extra]]");
}
