// Times a durable commit of the same bytes by different means, interleaved in one run so that a noisy
// machine hits all of them alike, and prints medians and ratios as JSON.
//
//   commit_bench FOLDER [ROUNDS]
//
// 16 pages of 4 KiB chosen at random change in each commit. For stores, 16 records of nearly a page each.
#include <fcntl.h>
#include <gdbm.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "native/fams/backend.h"
#include "native/storage/posix.h"

namespace {

using namespace plugpull;

constexpr int kPages = 16;
constexpr int kRecords = 1024;
constexpr std::size_t kRecordBytes = 4000;

std::mt19937 generator(7);

void need(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

// A contender: `change` prepares a commit, `commit` makes it durable. Only `commit` is timed, but for the
// stores, whose changes are system calls or copies of their own: there both are.
struct Contender {
  std::string name;
  std::function<void()> change;
  std::function<void()> commit;
  std::vector<double> micros;
};

Contender append_contender(const std::string& folder) {
  auto fd = std::make_shared<int>(::open((folder + "/append").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
  need(*fd >= 0, "open append");
  auto buffer = std::make_shared<std::vector<char>>(kPages * kPageSize, 1);
  return {"append + fdatasync",
          [buffer] { std::fill(buffer->begin(), buffer->end(), static_cast<char>(generator())); },
          [fd, buffer] {
            need(::write(*fd, buffer->data(), buffer->size()) == static_cast<ssize_t>(buffer->size()),
                 "append");
            need(::fdatasync(*fd) == 0, "fdatasync");
          },
          {}};
}

Contender fams_contender(const std::string& folder, const std::string& backend, std::size_t size, int pages,
                         const std::string& label) {
  BackendOptions options;
  options.path = folder + "/" + backend + std::to_string(size);
  options.size = size;
  options.max_size = size;
  options.background = true;
  const BackendKind* kind = backend_by_name(backend);
  need(kind != nullptr, "backend " + backend);
  std::shared_ptr<Backend> heap = kind->create(posix_storage(), options);
  // Populate, so that every page exists in the file and in memory, as in a heap that is in use.
  for (std::size_t at = 0; at < size; at += kPageSize) heap->data()[at] = std::byte{1};
  heap->commit();
  heap->checkpoint();
  return {label,
          [heap, size, pages] {
            for (int i = 0; i < pages; ++i) {
              const std::size_t page = generator() % (size / kPageSize);
              std::memset(heap->data() + page * kPageSize, static_cast<int>(generator()), 64);
            }
          },
          [heap] { heap->commit(); },
          {}};
}

void sql(sqlite3* db, const char* text) {
  char* message = nullptr;
  if (sqlite3_exec(db, text, nullptr, nullptr, &message) != SQLITE_OK) {
    throw std::runtime_error(std::string(text) + ": " + (message == nullptr ? "?" : message));
  }
}

Contender sqlite_contender(const std::string& folder) {
  sqlite3* raw = nullptr;
  need(sqlite3_open((folder + "/sqlite").c_str(), &raw) == SQLITE_OK, "sqlite3_open");
  std::shared_ptr<sqlite3> db(raw, sqlite3_close);
  sql(raw,
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB);");
  sql(raw,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1024)"
      "INSERT INTO t SELECT i, randomblob(4000) FROM n;");
  sqlite3_stmt* statement = nullptr;
  need(sqlite3_prepare_v2(raw, "UPDATE t SET v=? WHERE k=?", -1, &statement, nullptr) == SQLITE_OK,
       "prepare");
  std::shared_ptr<sqlite3_stmt> update(statement, sqlite3_finalize);
  auto value = std::make_shared<std::vector<char>>(kRecordBytes);
  return {"SQLite (WAL, synchronous=FULL)",
          [] {},
          [db, update, value] {
            sql(db.get(), "BEGIN IMMEDIATE");
            for (int i = 0; i < kPages; ++i) {
              std::fill(value->begin(), value->end(), static_cast<char>(generator()));
              sqlite3_bind_blob(update.get(), 1, value->data(), kRecordBytes, SQLITE_STATIC);
              sqlite3_bind_int(update.get(), 2, 1 + static_cast<int>(generator() % kRecords));
              need(sqlite3_step(update.get()) == SQLITE_DONE, "update");
              sqlite3_reset(update.get());
            }
            sql(db.get(), "COMMIT");
          },
          {}};
}

Contender lmdb_contender(const std::string& folder) {
  MDB_env* raw = nullptr;
  need(mdb_env_create(&raw) == 0, "mdb_env_create");
  std::shared_ptr<MDB_env> env(raw, mdb_env_close);
  need(mdb_env_set_mapsize(raw, 1 << 28) == 0, "mapsize");
  need(mdb_env_open(raw, (folder + "/lmdb").c_str(), MDB_NOSUBDIR, 0600) == 0, "mdb_env_open");
  auto value = std::make_shared<std::vector<char>>(kRecordBytes);
  auto put = [env, value](int count, bool random) {
    MDB_txn* transaction = nullptr;
    MDB_dbi table = 0;
    need(mdb_txn_begin(env.get(), nullptr, 0, &transaction) == 0, "txn");
    need(mdb_dbi_open(transaction, nullptr, MDB_INTEGERKEY, &table) == 0, "dbi");
    for (int i = 0; i < count; ++i) {
      std::fill(value->begin(), value->end(), static_cast<char>(generator()));
      unsigned key = random ? generator() % kRecords : static_cast<unsigned>(i);
      MDB_val k{sizeof key, &key};
      MDB_val v{kRecordBytes, value->data()};
      need(mdb_put(transaction, table, &k, &v, 0) == 0, "put");
    }
    need(mdb_txn_commit(transaction) == 0, "commit");
  };
  put(kRecords, false);
  return {"LMDB (default)", [] {}, [put] { put(kPages, true); }, {}};
}

Contender gdbm_contender(const std::string& folder) {
  std::shared_ptr<gdbm_file_info> db(gdbm_open((folder + "/gdbm").c_str(), 0, GDBM_NEWDB, 0600, nullptr),
                                     [](GDBM_FILE file) { gdbm_close(file); });
  need(db != nullptr, "gdbm_open");
  auto value = std::make_shared<std::vector<char>>(kRecordBytes);
  auto store = [db, value](int count, bool random) {
    for (int i = 0; i < count; ++i) {
      std::fill(value->begin(), value->end(), static_cast<char>(generator()));
      unsigned key = random ? generator() % kRecords : static_cast<unsigned>(i);
      datum k{reinterpret_cast<char*>(&key), sizeof key};
      datum v{value->data(), static_cast<int>(kRecordBytes)};
      need(gdbm_store(db.get(), k, v, GDBM_REPLACE) == 0, "gdbm_store");
    }
    need(gdbm_sync(db.get()) == 0, "gdbm_sync");
  };
  store(kRecords, false);
  return {"GNU dbm (gdbm_sync, not atomic)", [] {}, [store] { store(kPages, true); }, {}};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  try {
    need(argc >= 2, "usage: commit_bench FOLDER [ROUNDS]");
    const std::string folder = argv[1];
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 300;
    std::vector<Contender> contenders;
    contenders.push_back(append_contender(folder));
    for (const char* backend : {"redo", "journal", "copy", "plain"}) {
      contenders.push_back(fams_contender(folder, backend, std::size_t{4} << 20, kPages, backend));
    }
    contenders.push_back(sqlite_contender(folder));
    contenders.push_back(lmdb_contender(folder));
    contenders.push_back(gdbm_contender(folder));
    contenders.push_back(
        fams_contender(folder, "redo", std::size_t{16} << 20, 10, "redo, 10 pages of 16 MiB"));
    contenders.push_back(fams_contender(folder, "redo", std::size_t{1} << 30, 10, "redo, 10 pages of 1 GiB"));
    for (int round = 0; round < rounds; ++round) {
      for (Contender& contender : contenders) {
        contender.change();
        const auto start = std::chrono::steady_clock::now();
        contender.commit();
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
        contender.micros.push_back(took.count());
      }
    }
    const double base = median(contenders[0].micros);
    std::printf("[\n");
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const double micros = median(contenders[i].micros);
      std::printf("  { \"name\": \"%s\", \"medianMicros\": %.1f, \"ratioToAppend\": %.2f }%s\n",
                  contenders[i].name.c_str(), micros, micros / base, i + 1 < contenders.size() ? "," : "");
    }
    std::printf("]\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "commit_bench: %s\n", error.what());
    return 1;
  }
}
