// SIGKILL at every step of every protocol, and again at every step of every recovery.
#include <doctest/doctest.h>

#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {

TEST_CASE("kill at every step: acked or the one after it, in every backend" * doctest::test_suite("forks")) {
  for (const BackendKind& kind : all_backends()) {
    if (!kind.failure_atomic || folder_for(kind).empty()) continue;
    CAPTURE(kind.name);
    const Sweep sweep = sweep_kills(kind, script::options(""));
    CHECK(sweep.crashes > 40);
    CHECK(sweep.recovery_crashes >= sweep.crashes);
    for (const auto& violation : sweep.violations) FAIL_CHECK(violation);
  }
}

TEST_CASE("kill between commits: plain is caught, the others hold" * doctest::test_suite("forks")) {
  for (const BackendKind& kind : all_backends()) {
    const std::string parent = folder_for(kind);
    if (parent.empty()) continue;
    CAPTURE(kind.name);
    const TempFolder folder(parent);
    const auto outcome = shared_outcome();
    const auto options = script::options(folder.path());
    run_killed_at(0, *outcome, [&](Outcome&) {
      const auto heap = kind.create(posix_storage(), options);
      script::change(*heap, 1);
      heap->commit();
      script::change(*heap, 2);
      heap->data()[5] = std::byte{77};
    });
    const auto heap = kind.open(posix_storage(), options);
    CHECK(heap->sequence() == 1);
    CHECK(script::holds(*heap, 1) == kind.failure_atomic);
  }
}

}  // namespace plugpull::test
