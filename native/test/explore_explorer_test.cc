// Exploration as a whole: budgets, samples, nested cuts, steps, and a check that cannot be trusted.
#include <doctest/doctest.h>

#include <numeric>

#include "native/fams/step.h"
#include "native/storage/error.h"
#include "native/storage/io.h"
#include "native/test/explore_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

// Twelve sectors, none synced, all read: 4096 states at the end.
void many_states(ModelStorage& storage) {
  const auto file = storage.open("d/f", {.create = true});
  const std::vector<std::byte> old(12 * 512, std::byte{1});
  const std::vector<std::byte> fresh(512, std::byte{2});
  write_all(*file, old, 0);
  file->sync();
  storage.sync_directory("d");
  for (int i = 0; i < 12; ++i) write_all(*file, fresh, i * 512);
  storage.ack(1);
}

unsigned read_all_of_it(CrashView& view, const StateInfo&) {
  if (!view.exists("d/f")) return 0;
  std::byte bytes[12 * 512];
  view.open("d/f", {})->pread(bytes, 0);
  return 0;
}

// Shows the steps of recovery to the states that are explored.
class ViewSteps : public StepObserver {
 public:
  explicit ViewSteps(Explorer& explorer) : explorer_(explorer), before_(observe_steps(this)) {}
  ~ViewSteps() override { observe_steps(before_); }
  void at(std::string_view step) override { explorer_.view().note_step(step); }

 private:
  Explorer& explorer_;
  StepObserver* before_;
};

}  // namespace

TEST_CASE("a budget that is too small is kept, said, and spent all over the space") {
  ModelStorage storage({});
  many_states(storage);
  Explorer all(storage.trace(), {});
  const Explored whole = all.explore(read_all_of_it);
  CHECK(whole.exhaustive);
  CHECK(whole.of == static_cast<double>(whole.states));
  CHECK(whole.distinct == whole.states);
  // Before the ack and after it.
  CHECK(whole.states > 2 * 4096);

  Explorer some(storage.trace(), {.max_states = 1000});
  const Explored part = some.explore(read_all_of_it);
  CHECK(!part.exhaustive);
  CHECK(part.states <= 1000);
  CHECK(part.states > 500);
  CHECK(part.distinct <= part.states);
  CHECK(part.of > static_cast<double>(whole.states) / 2);
  CHECK(part.of < static_cast<double>(whole.states) * 2);
  CHECK(some.explore(read_all_of_it).distinct == part.distinct);
}

TEST_CASE("samples find what a search of the first states would not") {
  ModelStorage storage({});
  many_states(storage);
  // The first write alone lost: among the last states of a search.
  const Check check = [](CrashView& view, const StateInfo& info) {
    if (!view.exists("d/f")) return 0U;
    std::byte bytes[12 * 512];
    if (view.open("d/f", {})->pread(bytes, 0) < sizeof bytes || info.acked < 1) return 0U;
    for (int i = 1; i < 12; ++i) {
      if (bytes[i * 512] != std::byte{2}) return 0U;
    }
    return bytes[0] == std::byte{1} ? 5U : 0U;
  };
  Explorer some(storage.trace(), {.max_states = 400});
  const Explored part = some.explore(check);
  REQUIRE(!part.violations.empty());
  CHECK(some.replay(part.violations.front().path, check) == 5);
}

TEST_CASE("memory for states that were seen is bounded") {
  ModelStorage storage({});
  many_states(storage);
  Explorer some(storage.trace(), {.max_states = 1000, .memory_bytes = 4000});
  const Explored part = some.explore(read_all_of_it);
  CHECK(part.states > 500);
  CHECK(part.distinct < Explorer(storage.trace(), {.max_states = 1000}).explore(read_all_of_it).distinct);
}

TEST_CASE("exploration stops when told to") {
  ModelStorage storage({});
  many_states(storage);
  Explorer explorer(storage.trace(), {});
  const Explored part = explorer.explore(read_all_of_it, [] { return true; });
  CHECK(part.stopped);
  CHECK(!part.exhaustive);
  CHECK(part.states <= 2048);
  Explorer first(storage.trace(), {.stop_at_first = true});
  CHECK(first.explore([](CrashView&, const StateInfo&) { return 1U; }).states == 1);
}

TEST_CASE("a check that reads other things each time is found out") {
  ModelStorage storage({});
  many_states(storage);
  Explorer explorer(storage.trace(), {});
  unsigned calls = 0;
  CHECK_THROWS_AS(explorer.explore([&](CrashView& view, const StateInfo&) {
    try {
      std::byte bytes[512];
      if (view.exists("d/f")) view.open("d/f", {})->pread(bytes, (calls++ % 2) * 512);
    } catch (...) {
      // As programs do that turn every failure into a verdict.
    }
    return 0U;
  }),
                  NotDeterministic);
}

TEST_CASE("recovery that is not idempotent is caught by a second cut only") {
  ModelStorage storage({});
  const auto file = storage.open("d/f", {.create = true});
  const std::vector<std::byte> ones(1024, std::byte{1});
  write_all(*file, ones, 0);
  file->sync();
  storage.sync_directory("d");
  storage.ack(0);
  // Recovery doubles both sectors, one after the other, and does not notice that it did the first already.
  const Check check = [](CrashView& view, const StateInfo& info) {
    if (!view.exists("d/f")) return info.acked < 0 ? 0U : 1U;
    const auto f = view.open("d/f", {});
    std::vector<std::byte> bytes(1024);
    if (f->pread(bytes, 0) < 1024) return info.acked < 0 ? 0U : 1U;
    const bool even = bytes[0] == bytes[512];
    if (!even) return info.acked < 0 ? 0U : 2U;
    if (bytes[0] == std::byte{1}) {
      const std::vector<std::byte> twos(512, std::byte{2});
      write_all(*f, twos, 0);
      write_all(*f, twos, 512);
      f->sync();
    }
    view.ack(0);
    return 0U;
  };
  Explorer once(storage.trace(), {});
  CHECK(!once.explore(check).verdicts.contains(2));
  Explorer twice(storage.trace(), {.nested = 1});
  const Explored found = twice.explore(check);
  CHECK(found.nested > 0);
  REQUIRE(found.verdicts.contains(2));
  for (const Violation& violation : found.violations) {
    CHECK(violation.path.cuts.size() == 2);
    CHECK(twice.replay(violation.path, check) == violation.verdict);
  }
}

TEST_CASE("recovery that shows what is not durable is caught by a kill and then a cut") {
  ModelStorage storage({});
  const auto file = storage.open("d/f", {.create = true});
  const std::byte zero{0};
  const std::byte one{1};
  write_all(*file, {&zero, 1}, 0);
  file->sync();
  storage.sync_directory("d");
  storage.ack(0);
  write_all(*file, {&one, 1}, 0);
  const auto check = [](bool flush) {
    return [flush](CrashView& view, const StateInfo& info) {
      if (!view.exists("d/f")) return info.acked < 0 ? 0U : 1U;
      const auto f = view.open("d/f", {});
      std::byte value{};
      if (f->pread({&value, 1}, 0) == 0) return info.acked < 0 ? 0U : 1U;
      if (value == std::byte{0xA5}) return info.acked < 0 ? 0U : 2U;
      if (flush) {
        f->sync();
        view.sync_directory("d");
      }
      const auto commit = static_cast<std::int64_t>(value);
      view.ack(static_cast<std::uint64_t>(commit));
      return commit < info.acked ? 1U : 0U;
    };
  };
  Explorer explorer(storage.trace(), {.kill_first = true});
  CHECK(!explorer.explore(check(true)).verdicts.contains(1));
  const Explored found = explorer.explore(check(false));
  REQUIRE(found.verdicts.contains(1));
  for (const Violation& violation : found.violations) {
    CHECK(violation.path.cuts.front().kill);
    CHECK(explorer.replay(violation.path, check(false)) == violation.verdict);
  }
  Explorer cuts(storage.trace(), {.nested = 1});
  CHECK(!cuts.explore(check(false)).verdicts.contains(1));
}

TEST_CASE("every step of commit, checkpoint, creation and recovery has states after it") {
  for (const std::string backend : {"redo", "journal", "snap", "copy"}) {
    CAPTURE(backend);
    BankRun run({.backend = backend, .log_bytes = 32 * kPageSize, .commits = 14});
    Explorer explorer(run.trace(), {.nested = 1, .nested_states = 8, .kill_first = true});
    const ViewSteps steps(explorer);
    const Explored result = explorer.explore(run.checker());
    CHECK(result.verdicts == std::map<unsigned, std::uint64_t>{{0U, result.states}});
    for (const std::string_view step : backend_by_name(backend)->steps) {
      CAPTURE(step);
      CHECK(result.steps.contains(std::string(step)));
    }
  }
}

TEST_CASE("points given one by one add up to all of them") {
  BankRun run({.backend = "snap", .commits = 3});
  Explorer explorer(run.trace(), {.kill_first = true});
  const Explored whole = explorer.explore(run.checker());
  std::uint64_t states = 0;
  std::map<std::string, std::uint64_t> steps;
  for (const std::uint32_t point : explorer.points()) {
    const Explored one = explorer.explore_points({point}, run.checker());
    states += one.states;
    for (const auto& [step, count] : one.steps) steps[step] += count;
  }
  CHECK(states == whole.states);
  CHECK(steps == whole.steps);
}
