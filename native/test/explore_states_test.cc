// Small runs whose crash states are counted by hand.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "native/explore/explorer.h"
#include "native/model/model_storage.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

using namespace plugpull;

namespace {

ConstBytes text(const std::string& s) { return {reinterpret_cast<const std::byte*>(s.data()), s.size()}; }

std::string show(Storage& storage, const std::string& path) {
  if (!storage.exists(path)) return "-";
  const auto file = storage.open(path, {.write = false});
  std::string content(file->size(), '?');
  content.resize(read_all(*file, {reinterpret_cast<std::byte*>(content.data()), content.size()}, 0));
  // Runs of one letter are shown as the letter and, if longer than one, their length.
  std::string shown;
  for (std::size_t i = 0; i < content.size();) {
    std::size_t end = i + 1;
    while (end < content.size() && content[end] == content[i]) ++end;
    shown += content[i] == '\0' ? '0' : content[i] == '\xA5' ? '#' : content[i];
    if (end - i > 1) shown += std::to_string(end - i);
    i = end;
  }
  return shown;
}

using States = std::multiset<std::string>;

std::string words(const States& states) {
  std::string all;
  for (const std::string& state : states) all += "[" + state + "]";
  return all;
}

States once(const States& states) {
  const std::set<std::string> set(states.begin(), states.end());
  return {set.begin(), set.end()};
}

struct Run {
  explicit Run(const char* profile = "posix") : storage({.profile = profile_by_name(profile)}) {}

  std::unique_ptr<File> create(const std::string& path, const std::string& content = "", bool sync = true) {
    auto file = storage.open(path, {.create = true});
    if (!content.empty()) write_all(*file, text(content), 0);
    if (sync) {
      file->sync();
      storage.sync_directory(directory_of(path));
    }
    return file;
  }

  // What can be found after a cut at the end of the run, and how many states were looked at.
  std::multiset<std::string> end(const std::vector<std::string>& paths, ExploreOptions options = {}) {
    options.profile = &storage.profile();
    Explorer explorer(storage.trace(), options);
    const auto last = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
    std::multiset<std::string> found;
    explorer.explore_points({last}, [&](CrashView& view, const StateInfo&) {
      std::string state;
      for (const std::string& path : paths) state += (state.empty() ? "" : " ") + show(view, path);
      found.insert(state);
      return 0U;
    });
    return found;
  }

  ModelStorage storage;
};

}  // namespace

TEST_CASE("two writes that were not synced leave four states") {
  Run run;
  const auto file = run.create("d/f", std::string(1024, 'a'));
  write_all(*file, text(std::string(512, 'b')), 0);
  write_all(*file, text(std::string(512, 'c')), 512);
  CHECK(words(run.end({"d/f"})) == words({"a1024", "b512a512", "a512c512", "b512c512"}));
}

TEST_CASE("a write of two sectors can be torn between them") {
  Run run;
  const auto file = run.create("d/f", std::string(1024, 'a'));
  write_all(*file, text(std::string(1024, 'b')), 0);
  CHECK(words(run.end({"d/f"})) == words({"a1024", "b1024", "b512a512", "a512b512"}));
  CHECK(words(run.end({"d/f"}, {.tear = TearRule::kNone})) == words({"a1024", "b1024"}));
  CHECK(words(run.end({"d/f"}, {.tear = TearRule::kPrefix})) == words({"a1024", "b1024", "b512a512"}));
}

TEST_CASE("ways to tear a write: all of three sectors, the edges of four, every subset when asked") {
  const auto states = [](std::size_t sectors, TearRule rule) {
    Run run;
    const auto file = run.create("d/f", std::string(sectors * 512, 'a'));
    write_all(*file, text(std::string(sectors * 512, 'b')), 0);
    const States found = run.end({"d/f"}, {.tear = rule});
    CHECK(std::set<std::string>(found.begin(), found.end()).size() == found.size());
    return found.size();
  };
  CHECK(states(3, TearRule::kEdges) == 8);
  CHECK(states(4, TearRule::kEdges) == 12);
  CHECK(states(4, TearRule::kAll) == 16);
  CHECK(states(8, TearRule::kAll) == 256);
}

TEST_CASE("what was synced stays, what came after it is open") {
  Run run;
  const auto file = run.create("d/f", std::string(512, 'a'));
  write_all(*file, text(std::string(512, 'b')), 0);
  file->datasync();
  write_all(*file, text(std::string(512, 'c')), 0);
  CHECK(words(run.end({"d/f"})) == words({"b512", "c512"}));
}

TEST_CASE("of two writes of one place, each may be the one that is found") {
  Run run;
  const auto file = run.create("d/f", std::string(512, 'a'));
  write_all(*file, text(std::string(512, 'b')), 0);
  write_all(*file, text(std::string(512, 'c')), 0);
  // Where the later one persisted, the earlier one cannot be told.
  CHECK(words(run.end({"d/f"})) == words({"a512", "b512", "c512"}));
}

TEST_CASE("sectors that hold the same as before have no fate") {
  Run run;
  const auto file = run.create("d/f", std::string(4096, 'a'));
  std::string page(4096, 'a');
  page[1000] = 'b';
  write_all(*file, text(page), 0);
  CHECK(words(run.end({"d/f"})) == words({"a4096", "a1000ba3095"}));
}

TEST_CASE("a file that grew: size and data by themselves, and what was there before") {
  Run run;
  const auto file = run.create("d/f", std::string(512, 'a'));
  write_all(*file, text(std::string(512, 'b')), 512);
  CHECK(words(run.end({"d/f"})) == words({"a512", "a512b512",
                                          "a512"
                                          "0512",
                                          "a512#512"}));
}

TEST_CASE("with ordered data, a new size brings its data") {
  for (const char* profile : {"ext4-ordered", "xfs"}) {
    Run run(profile);
    const auto file = run.create("d/f", std::string(4096, 'a'));
    write_all(*file, text(std::string(4096, 'b')), 4096);
    CHECK(words(run.end({"d/f"})) == words({"a4096", "a4096b4096"}));
  }
}

TEST_CASE("of two appends with ordered data, the later size can leave a hole") {
  Run run("xfs");
  const auto file = run.create("d/f", std::string(4096, 'a'));
  write_all(*file, text(std::string(4096, 'b')), 4096);
  write_all(*file, text(std::string(4096, 'c')), 8192);
  const States found = run.end({"d/f"}, {.tear = TearRule::kNone});
  CHECK(found == States{"a4096", "a4096b4096", "a4096b4096c4096",
                        "a40960"
                        "4096c4096"});
}

TEST_CASE("a new name needs its directory synced") {
  Run run;
  const auto file = run.create("d/f", "", false);
  write_all(*file, text("xy"), 0);
  file->sync();
  CHECK(words(run.end({"d/f"})) == words({"-", "xy"}));
  run.storage.sync_directory("d");
  CHECK(words(run.end({"d/f"})) == words({"xy"}));
}

TEST_CASE("fsync of a new file brings its name with ext4, XFS and btrfs") {
  for (const char* profile : {"ext4-ordered", "ext4-writeback", "xfs", "btrfs"}) {
    Run run(profile);
    const auto file = run.create("d/f", "", false);
    write_all(*file, text("xy"), 0);
    file->sync();
    CHECK(words(run.end({"d/f"})) == words({"xy"}));
  }
}

TEST_CASE("rename is atomic, and open until the directory is synced") {
  Run run;
  run.create("d/a", "new");
  run.create("d/b", "old");
  run.storage.rename("d/a", "d/b");
  CHECK(words(run.end({"d/a", "d/b"})) == words({"new old", "- new"}));
  run.storage.sync_directory("d");
  CHECK(words(run.end({"d/a", "d/b"})) == words({"- new"}));
}

TEST_CASE("a rename between directories needs both synced") {
  Run run;
  run.create("d/a", "x");
  run.storage.rename("d/a", "e/a");
  run.storage.sync_directory("e");
  CHECK(words(run.end({"d/a", "e/a"})) == words({"x -", "- x"}));
  run.storage.sync_directory("d/");
  CHECK(words(run.end({"d/a", "e/a"})) == words({"- x"}));
}

TEST_CASE("rename over a file without fsync: what each file system leaves") {
  const auto states = [](const char* profile) {
    Run run(profile);
    run.create("d/f", "old");
    const auto file = run.create("d/n", "new", false);
    run.storage.rename("d/n", "d/f");
    run.storage.sync_directory("d");
    const States found = run.end({"d/f"});
    const std::set<std::string> once(found.begin(), found.end());
    return States(once.begin(), once.end());
  };
  CHECK(words(states("posix")) == words({"", "new", "03", "#3"}));
  CHECK(words(states("ext4-ordered")) == words({"new"}));
  CHECK(words(states("ext4-writeback")) == words({"", "new", "03", "#3"}));
  CHECK(words(states("xfs")) == words({"", "new"}));
  CHECK(words(states("btrfs")) == words({"", "new"}));
}

TEST_CASE("with a journal, metadata persist in order") {
  Run run("xfs");
  run.create("d/a", "1");
  run.create("d/b", "2");
  run.storage.rename("d/a", "d/c");
  run.storage.unlink("d/b");
  CHECK(words(run.end({"d/a", "d/b", "d/c"})) == words({"1 2 -", "- 2 1", "- - 1"}));
  // Without, in any order.
  Run weak;
  weak.create("d/a", "1");
  weak.create("d/b", "2");
  weak.storage.rename("d/a", "d/c");
  weak.storage.unlink("d/b");
  CHECK(words(weak.end({"d/a", "d/b", "d/c"})) == words({"1 2 -", "- 2 1", "- - 1", "1 - -"}));
}

TEST_CASE("fsync of one file commits the journal for all, but with btrfs only for itself") {
  const auto states = [](const char* profile) {
    Run run(profile);
    run.create("d/a", "1");
    const auto other = run.create("d/x", "2");
    run.storage.rename("d/a", "d/b");
    other->chmod(0400);
    other->sync();
    return run.end({"d/a", "d/b"});
  };
  CHECK(words(states("ext4-ordered")) == words({"- 1"}));
  CHECK(words(states("xfs")) == words({"- 1"}));
  CHECK(words(states("btrfs")) == words({"1 -", "- 1"}));
  CHECK(words(states("posix")) == words({"1 -", "- 1"}));
}

TEST_CASE("btrfs does not show a torn block, nor data before the metadata they came after") {
  Run run("btrfs");
  const auto file = run.create("d/f", std::string(8192, 'a'));
  run.create("d/x", "1");
  write_all(*file, text(std::string(8192, 'b')), 0);
  CHECK(words(run.end({"d/f"})) == words({"a8192", "b8192", "b4096a4096", "a4096b4096"}));
  run.storage.rename("d/x", "d/y");
  write_all(*file, text(std::string(4096, 'c')), 0);
  const States found = run.end({"d/y", "d/f"});
  CHECK(words(once(found)) ==
        words({"- a8192", "- b8192", "- b4096a4096", "- a4096b4096", "1 a8192", "1 b8192", "1 b4096a4096",
               "1 a4096b4096", "1 c4096a4096", "1 c4096b4096"}));
}

TEST_CASE("a clone is atomic, shares the fate of its source's bytes, and is whole once synced") {
  Run run;
  const auto source = run.create("d/s", std::string(512, 'a'));
  const auto target = run.create("d/t", std::string(512, 'z'));
  write_all(*source, text(std::string(512, 'b')), 0);
  target->clone_from(*source);
  CHECK(words(run.end({"d/s", "d/t"})) == words({"a512 z512", "a512 a512", "b512 z512", "b512 b512"}));
  write_all(*source, text(std::string(512, 'c')), 0);
  target->sync();
  CHECK(words(run.end({"d/t"})) == words({"b512"}));
  CHECK(words(run.end({"d/s"})) == words({"a512", "b512", "c512"}));
}

TEST_CASE("a clone flushes its source with XFS") {
  Run run("xfs");
  const auto source = run.create("d/s", std::string(512, 'a'));
  const auto target = run.create("d/t", std::string(512, 'z'));
  write_all(*source, text(std::string(512, 'b')), 0);
  target->clone_from(*source);
  CHECK(words(run.end({"d/s", "d/t"})) == words({"a512 z512", "b512 z512", "b512 b512"}));
  Run none("ext4-ordered");
  const auto a = none.create("d/a", "1");
  const auto b = none.create("d/b", "2");
  CHECK_THROWS_AS(a->clone_from(*b), OsError);
}

TEST_CASE("modes and truncations are pending too, and fdatasync is not enough for a mode") {
  Run run;
  const auto file = run.create("d/f", std::string(1024, 'a'));
  file->chmod(0200);
  file->truncate(512);
  file->datasync();
  Explorer explorer(run.storage.trace(), {});
  std::set<std::string> found;
  const auto last = static_cast<std::uint32_t>(run.storage.trace().recording.ops().size());
  explorer.explore_points({last}, [&](CrashView& view, const StateInfo&) {
    const auto f = view.open("d/f", {.write = false});
    found.insert(std::to_string(f->permissions()) + " " + std::to_string(f->size()));
    return 0U;
  });
  CHECK(found == std::set<std::string>{"128 512", "384 512"});
}

TEST_CASE("truncated and grown again: what was cut off does not come back unless the truncation was lost") {
  Run run;
  const auto file = run.create("d/f", std::string(1024, 'a'));
  file->truncate(0);
  write_all(*file, text(std::string(512, 'b')), 512);
  const States found = run.end({"d/f"}, {.tear = TearRule::kNone});
  // truncation, size, data
  CHECK(words(once(found)) == words({"a1024", "a512b512", "a512#512", "", "01024", "0512b512", "0512#512"}));
}

TEST_CASE("what a check does not read is not decided") {
  Run run;
  const auto file = run.create("d/f", std::string(16 * 512, 'a'));
  for (int i = 0; i < 16; ++i) write_all(*file, text(std::string(512, 'b')), i * 512);
  Explorer explorer(run.storage.trace(), {});
  const auto last = static_cast<std::uint32_t>(run.storage.trace().recording.ops().size());
  const Explored all = explorer.explore_points({last}, [&](CrashView& view, const StateInfo&) {
    const auto f = view.open("d/f", {.write = false});
    std::byte sector[512];
    // Reads on only where the first sector is new.
    if (f->pread(sector, 0) == 512 && sector[0] == std::byte{'b'}) f->pread(sector, 512);
    return 0U;
  });
  CHECK(all.states == 3);
  CHECK(all.of == 3);
  CHECK(all.exhaustive);
}

TEST_CASE("pages of a shared mapping may be written back before msync") {
  Run run;
  const auto file = run.create("d/f", std::string(8192, 'a'));
  const auto memory = run.storage.reserve(8192, nullptr);
  file->map_shared(memory->base(), 8192);
  memory->base()[0] = std::byte{'b'};
  memory->base()[4096] = std::byte{'c'};
  run.storage.exists("d/f");
  run.storage.note_step("changed");
  CHECK(words(run.end({"d/f"})) == words({"a8192", "ba8191", "a4096ca4095", "ba4095ca4095"}));
  file->sync_mapping(memory->base(), 4096);
  CHECK(words(run.end({"d/f"})) == words({"ba8191", "ba4095ca4095"}));
}
