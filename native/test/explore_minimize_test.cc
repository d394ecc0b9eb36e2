#include <doctest/doctest.h>

#include "native/explore/minimize.h"
#include "native/storage/io.h"
#include "native/test/explore_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

std::vector<ChangeFate> harmed(const Minimized& minimized) {
  std::vector<ChangeFate> all;
  for (const ChangeFate& change : minimized.changes) {
    if (change.fate >= ChangeFate::Fate::kLost) all.push_back(change);
  }
  return all;
}

}  // namespace

TEST_CASE("a removed fsync comes down to one lost write, with its file and place") {
  BankRun run({.planted = PlantedBugs(Bug::kRedoLogNotSynced), .commits = 5});
  Explorer explorer(run.trace(), {});
  const Explored found = explorer.explore(run.checker());
  REQUIRE(found.verdicts.contains(kLost));
  for (const Violation& violation : found.violations) {
    if (violation.verdict != kLost) continue;
    const Minimized smallest = minimize(explorer, violation.path, run.checker());
    CHECK(smallest.reproduced);
    CHECK(smallest.verdict == kLost);
    REQUIRE(harmed(smallest).size() == 1);
    const ChangeFate lost = harmed(smallest).front();
    CHECK(lost.what == "write");
    CHECK(lost.file.starts_with("/heap/bank.log"));
    CHECK(lost.step == "redo.commit.captured");
    CHECK(explorer.replay(smallest.path, run.checker()) == kLost);
  }
}

TEST_CASE("of many lost writes, the two that matter are left") {
  ModelStorage storage({});
  const auto file = storage.open("d/f", {.create = true});
  const std::vector<std::byte> old(20 * 512, std::byte{1});
  const std::vector<std::byte> fresh(512, std::byte{2});
  write_all(*file, old, 0);
  file->sync();
  storage.sync_directory("d");
  for (int i = 0; i < 20; ++i) write_all(*file, fresh, i * 512);
  storage.ack(7);
  Explorer explorer(storage.trace(), {});
  const auto at = [](CrashView& view, int sector) {
    std::byte byte{};
    view.open("d/f", {})->pread({&byte, 1}, sector * 512);
    return byte == std::byte{2};
  };
  // Wrong only where 5 and 11 are both missing; it reads all.
  const Check check = [&](CrashView& view, const StateInfo& info) {
    if (info.acked < 7) return 0U;
    bool all[20];
    for (int i = 0; i < 20; ++i) all[i] = at(view, i);
    return !all[5] && !all[11] ? 3U : 0U;
  };
  Assignment nothing;
  nothing.kept = false;
  const auto end = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
  REQUIRE(explorer.assigned(end, nothing, check) == 3);
  const Minimized smallest = minimize(explorer, explorer.path(), check);
  REQUIRE(smallest.reproduced);
  CHECK(smallest.acked == 7);
  const auto lost = harmed(smallest);
  REQUIRE(lost.size() == 2);
  CHECK(lost[0].offset == 5 * 512);
  CHECK(lost[1].offset == 11 * 512);
}

TEST_CASE("writes in place need no loss at all: an earlier cut says it") {
  ModelStorage storage({});
  const auto file = storage.open("d/f", {.create = true});
  const std::vector<std::byte> old(1024, std::byte{1});
  const std::vector<std::byte> fresh(512, std::byte{2});
  write_all(*file, old, 0);
  file->sync();
  storage.sync_directory("d");
  write_all(*file, fresh, 0);
  const auto between = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
  write_all(*file, fresh, 512);
  Explorer explorer(storage.trace(), {});
  const Check check = [](CrashView& view, const StateInfo&) {
    if (!view.exists("d/f")) return 0U;
    std::byte bytes[1024];
    if (view.open("d/f", {})->pread(bytes, 0) < 1024) return 0U;
    return bytes[0] == std::byte{2} && bytes[512] == std::byte{1} ? 2U : 0U;
  };
  const Explored found = explorer.explore(check);
  REQUIRE(!found.violations.empty());
  const Minimized smallest = minimize(explorer, found.violations.back().path, check);
  CHECK(smallest.verdict == 2);
  CHECK(smallest.point == between);
  CHECK(harmed(smallest).empty());
}

TEST_CASE("a state that is right is not minimized") {
  BankRun run({.commits = 2});
  Explorer explorer(run.trace(), {});
  const Minimized none = minimize(explorer, StatePath::parse("0:"), run.checker());
  CHECK(!none.reproduced);
}

TEST_CASE("paths of states: text and back, and what is none") {
  for (const char* text : {"0:", "17:0.1.3", "17:0.1/4:0", "17k:/4:1.2", "5:/6:/7:1"}) {
    CHECK(StatePath::parse(text).text() == text);
  }
  for (const char* text :
       {"", ":", "x", "1", "1:a", "1:0.", "1:0,1", "1:0/", "-1:", "99999999999:", "1:0.4294967296"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(StatePath::parse(text), std::invalid_argument);
  }
  BankRun run({.commits = 1});
  Explorer explorer(run.trace(), {});
  CHECK_THROWS_AS(explorer.replay(StatePath::parse("99999:"), run.checker()), std::invalid_argument);
  CHECK_THROWS_AS(explorer.replay(StatePath::parse("3:9"), run.checker()), std::invalid_argument);
}
