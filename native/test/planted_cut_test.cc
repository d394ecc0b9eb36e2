// Planted bugs in the backends under a power cut in the model of storage.
#include <doctest/doctest.h>

#include <string>

#include "native/planted/planted.h"
#include "native/test/explore_support.h"

namespace plugpull::test {
namespace {

// Enough commits for a log to be used twice over; growth where the bug is about that.
Bank bank_for(const BugInfo& bug, bool planted) {
  Bank bank;
  bank.backend = std::string(bug.subject);
  if (planted) bank.planted = PlantedBugs(bug.id);
  bank.heap_bytes = 8 * kPageSize;
  bank.log_bytes = 32 * kPageSize;
  bank.commits = 16;
  bank.grows = bug.workload == "kv";
  return bank;
}

Explored explore(const Bank& bank, std::uint64_t states) {
  BankRun run(bank);
  ExploreOptions options;
  options.profile = &run.profile();
  options.max_states = states;
  options.nested = 1;
  options.nested_states = 16;
  options.kill_first = true;
  options.stop_at_first = true;
  return Explorer(run.trace(), options).explore(run.checker());
}

}  // namespace

TEST_CASE("planted: every bug of a backend that one thread can show is shown by a power cut") {
  for (const BugInfo& bug : all_bugs()) {
    if (bug.subject == "heap" || bug.seen_by == SeenBy::kError || bug.workload == "threads") continue;
    CAPTURE(bug.name);
    const Explored result = explore(bank_for(bug, true), 20'000);
    CHECK(!result.violations.empty());
  }
}

TEST_CASE("planted: without the bug the same runs hold") {
  for (const BugInfo& bug : all_bugs()) {
    if (bug.seen_by != SeenBy::kCut || bug.subject == "heap") continue;
    CAPTURE(bug.name);
    CHECK(explore(bank_for(bug, false), 3'000).violations.empty());
  }
}

}  // namespace plugpull::test
