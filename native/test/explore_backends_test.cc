// The real backends over the model: every crash state of small runs, and cuts during recovery.
#include <doctest/doctest.h>

#include <string>

#include "native/test/explore_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

Explored explore(BankRun& run, ExploreOptions options) {
  options.profile = &run.profile();
  Explorer explorer(run.trace(), options);
  const Explored result = explorer.explore(run.checker());
  for (const Violation& violation : result.violations) {
    // The path leads to the same state again.
    const std::string text = violation.path.text();
    CAPTURE(text);
    CHECK(explorer.replay(StatePath::parse(text), run.checker()) == violation.verdict);
  }
  return result;
}

}  // namespace

TEST_CASE("correct backends hold in every crash state, on every profile they can live on") {
  for (const std::string backend : {"redo", "journal", "snap", "copy"}) {
    for (const Profile& profile : all_profiles()) {
      if (backend == "snap" && !profile.reflink) continue;
      CAPTURE(backend);
      CAPTURE(profile.name);
      BankRun run({.backend = backend, .profile = std::string(profile.name), .commits = 4});
      const Explored result = explore(run, {.nested = 1, .nested_states = 3000, .kill_first = true});
      CHECK(result.verdicts == std::map<unsigned, std::uint64_t>{{0U, result.states}});
      CHECK(result.exhaustive);
      CHECK(result.states > 20);
    }
  }
}

TEST_CASE("correct backends hold while the heap grows, shrinks and is opened again") {
  for (const std::string backend : {"redo", "journal", "snap", "copy"}) {
    CAPTURE(backend);
    BankRun run({.backend = backend,
                 .heap_bytes = 8 * kPageSize,
                 .log_bytes = 32 * kPageSize,
                 .commits = 8,
                 .grows = true,
                 .reopen_every = 3});
    const Explored result = explore(run, {.max_states = 5000, .nested = 1, .nested_states = 16});
    CHECK(result.verdicts == std::map<unsigned, std::uint64_t>{{0U, result.states}});
  }
}

TEST_CASE("plain is caught, and its states can be made again") {
  BankRun run({.backend = "plain"});
  const Explored result = explore(run, {});
  CHECK(result.verdicts.contains(kTorn));
  CHECK(!result.violations.empty());
}
