// Small runs whose crash states are counted by hand.
#include <doctest/doctest.h>

#include "native/test/explore_small_runs.h"

using namespace plugpull;
using namespace plugpull::test;

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

TEST_CASE("a new name needs its directory synced") {
  Run run;
  const auto file = run.create("d/f", "", false);
  write_all(*file, text("xy"), 0);
  file->sync();
  CHECK(words(run.end({"d/f"})) == words({"-", "xy"}));
  run.storage.sync_directory("d");
  CHECK(words(run.end({"d/f"})) == words({"xy"}));
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
