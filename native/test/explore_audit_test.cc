// Lazy exploration against brute force: no outcome may be lost, and none made up.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "native/explore/audit.h"
#include "native/explore/mix.h"
#include "native/storage/error.h"
#include "native/storage/io.h"
#include "native/test/explore_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(mix(seed)) {}
  std::uint64_t below(std::uint64_t n) {
    state_ = mix(state_);
    return (state_ >> 11) % n;
  }

 private:
  std::uint64_t state_;
};

const char* const kNames[] = {"d/a", "d/b", "e/a"};

// A few operations of every kind on few small files.
void do_anything(ModelStorage& storage, Dice& dice, unsigned operations) {
  for (unsigned i = 0; i < operations; ++i) {
    const std::string path = kNames[dice.below(3)];
    const std::string other = kNames[dice.below(3)];
    try {
      switch (dice.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: {
          const auto file = storage.open(path, {.create = true});
          std::vector<std::byte> bytes(1 + dice.below(1400), std::byte(1 + dice.below(3)));
          write_all(*file, bytes, dice.below(5) * 300);
          break;
        }
        case 4:
          storage.open(path, {})->truncate(dice.below(3) * 500);
          break;
        case 5:
          storage.rename(path, other);
          break;
        case 6:
          storage.unlink(path);
          break;
        case 7:
          storage.open(path, {})->chmod(0400 + dice.below(3));
          break;
        case 8: {
          const auto file = storage.open(path, {});
          file->clone_from(*storage.open(other, {}));
          break;
        }
        case 9:
          storage.open(path, {})->sync();
          break;
        case 10:
          storage.open(path, {})->datasync();
          break;
        case 11:
          storage.sync_directory(directory_of(path));
          break;
      }
    } catch (const OsError&) {
      // Not there, or no reflink: nothing was done.
    }
  }
}

// Looks at some of the files, here and there, as `seed` says; the answer tells apart all that was seen.
unsigned look(CrashView& view, std::uint64_t seed) {
  Dice dice(seed);
  std::uint64_t seen = 1;
  for (unsigned i = 0; i < 4; ++i) {
    const std::string path = kNames[dice.below(3)];
    const std::uint64_t what = dice.below(6);
    const std::uint64_t from = dice.below(4) * 256;
    const std::uint64_t length = 1 + dice.below(1500);
    if (what == 0) {
      seen = mix(seen ^ (view.exists(path) ? 1 : 2));
      continue;
    }
    try {
      const auto file = view.open(path, {.write = false});
      if (what == 1) {
        seen = mix(seen ^ file->size());
      } else if (what == 2) {
        seen = mix(seen ^ file->permissions());
      } else {
        std::vector<std::byte> bytes(length);
        bytes.resize(file->pread(bytes, from));
        seen = mix(seen ^ bytes.size());
        for (const std::byte b : bytes) seen = mix(seen ^ static_cast<std::uint64_t>(b));
      }
    } catch (const OsError&) {
      seen = mix(seen ^ 77);
    }
  }
  return static_cast<unsigned>(seen);
}

}  // namespace

TEST_CASE("random runs: lazy exploration sees what brute force sees, on every profile") {
  unsigned compared = 0;
  double subsets = 0;
  double lazy = 0;
  for (const Profile& profile : all_profiles()) {
    CAPTURE(profile.name);
    for (std::uint64_t seed = 1; seed <= 120; ++seed) {
      CAPTURE(seed);
      ModelStorage storage({.profile = &profile});
      Dice dice(seed);
      do_anything(storage, dice, 4 + static_cast<unsigned>(dice.below(8)));
      const auto end = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
      const Audit audit = audit_point(
          storage.trace(),
          {.profile = &profile, .tear = seed % 2 == 0 ? TearRule::kEdges : TearRule::kPrefix}, end,
          [&](CrashView& view, const StateInfo&) { return look(view, seed); }, 20'000);
      if (!audit.complete) continue;
      ++compared;
      subsets += audit.subsets;
      lazy += static_cast<double>(audit.lazy);
      CHECK(audit.missed.empty());
      CHECK(audit.invented.empty());
      CHECK(static_cast<double>(audit.lazy) <= audit.subsets);
    }
  }
  CHECK(compared > 400);
  MESSAGE(compared << " runs, " << subsets << " combinations, " << lazy << " lazy states");
}

TEST_CASE("heaps: no outcome is lost, and a hundredth of the states is enough") {
  double subsets = 0;
  double lazy = 0;
  for (const std::string backend : {"redo", "journal", "snap", "copy", "plain"}) {
    CAPTURE(backend);
    Bank bank{
        .backend = backend, .heap_bytes = 4 * kPageSize, .commits = 2, .accounts = 60, .read_only = true};
    BankRun run(bank);
    const ExploreOptions options{.tear = TearRule::kPrefix};
    double of_backend = 0;
    const Explorer all(run.trace(), options);
    for (const std::uint32_t point : all.points()) {
      CAPTURE(point);
      const Audit audit = audit_point(
          run.trace(), options, point,
          [&](CrashView& view, const StateInfo& info) {
            const unsigned verdict = run.check(view, info);
            return static_cast<unsigned>(mix(std::hash<std::string>()(run.reason) ^ verdict));
          },
          30'000);
      if (!audit.complete) continue;
      CHECK(audit.missed.empty());
      CHECK(audit.invented.empty());
      of_backend += audit.subsets;
      subsets += audit.subsets;
      lazy += static_cast<double>(audit.lazy);
    }
    CHECK(of_backend > 0);
  }
  MESSAGE(subsets << " combinations, " << lazy << " lazy states");
  CHECK(subsets / lazy >= 100);
}

TEST_CASE("recovery that reads little: a hundred times fewer states than combinations") {
  ModelStorage storage({});
  const auto data = storage.open("d/data", {.create = true});
  const auto mark = storage.open("d/mark", {.create = true});
  const std::vector<std::byte> old(4096, std::byte{1});
  const std::vector<std::byte> fresh(512, std::byte{2});
  write_all(*data, old, 0);
  write_all(*mark, fresh, 0);
  data->sync();
  mark->sync();
  storage.sync_directory("d");
  for (int i = 0; i < 8; ++i) write_all(*data, fresh, i * 512);
  write_all(*mark, ConstBytes(old).first(1024), 0);
  const auto end = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
  // Reads the data only if the mark does not say that they are being changed, and then what the mark names.
  const Audit audit = audit_point(storage.trace(), {}, end, [](CrashView& view, const StateInfo&) {
    std::byte sector[512];
    view.open("d/mark", {.write = false})->pread(sector, 0);
    if (sector[0] == std::byte{1}) return 1U;
    view.open("d/data", {.write = false})->pread(sector, 512);
    return 2U + static_cast<unsigned>(sector[0]);
  });
  CHECK(audit.complete);
  CHECK(audit.missed.empty());
  CHECK(audit.invented.empty());
  CHECK(audit.outcomes == std::set<unsigned>{1, 3, 4});
  CHECK(audit.lazy == 3);
  CHECK(audit.subsets / static_cast<double>(audit.lazy) >= 100);
}
