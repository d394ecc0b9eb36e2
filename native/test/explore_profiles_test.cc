// What each file system promises beyond POSIX, in small runs whose crash states are counted by hand.
#include <doctest/doctest.h>

#include "native/test/explore_small_runs.h"

using namespace plugpull;
using namespace plugpull::test;

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

TEST_CASE("fsync of a new file brings its name with ext4, XFS and btrfs") {
  for (const char* profile : {"ext4-ordered", "ext4-writeback", "xfs", "btrfs"}) {
    Run run(profile);
    const auto file = run.create("d/f", "", false);
    write_all(*file, text("xy"), 0);
    file->sync();
    CHECK(words(run.end({"d/f"})) == words({"xy"}));
  }
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
  CHECK(words(states("ext4-ordered")) == words({"", "new"}));
  CHECK(words(states("ext4-dioread-lock")) == words({"new"}));
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
