#include "native/disk/timeline.h"

#include <doctest/doctest.h>

using namespace plugpull::disk;

namespace {

Record write(uint64_t id, uint8_t flags = 0) {
  return {.kind = Kind::kWrite, .flags = flags, .id = id, .length = 1};
}
Record flush(uint64_t id) { return {.kind = Kind::kFlush, .id = id}; }
Record done(uint64_t id) { return {.kind = Kind::kDone, .id = id}; }

using Indices = std::vector<size_t>;

}  // namespace

TEST_CASE("a flush makes durable what had been answered before it came in") {
  const auto epochs = epochs_of({write(1), done(1), flush(2), done(2)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0].pending == Indices{0});
  CHECK(epochs[1].now_durable == Indices{0});
  CHECK(epochs[1].pending.empty());
  CHECK(epochs[1].first == 4);
}

TEST_CASE("a write that was still under way when the flush came in stays pending") {
  const auto epochs = epochs_of({write(1), write(2), done(2), flush(3), done(1), done(3)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0].pending == Indices{0, 1});
  CHECK(epochs[1].now_durable == Indices{1});
  CHECK(epochs[1].pending == Indices{0});
}

TEST_CASE("a flush that was never answered makes nothing durable") {
  const auto epochs = epochs_of({write(1), done(1), flush(2)});
  REQUIRE(epochs.size() == 1);
  CHECK(epochs[0].pending == Indices{0});
}

TEST_CASE("writes that come in while a flush is under way belong to the epoch before its answer, too") {
  const auto epochs = epochs_of({write(1), done(1), flush(2), write(3), done(3), done(2), flush(4), done(4)});
  REQUIRE(epochs.size() == 3);
  CHECK(epochs[0].pending == Indices{0, 3});
  CHECK(epochs[1].now_durable == Indices{0});
  CHECK(epochs[1].pending == Indices{3});
  CHECK(epochs[2].now_durable == Indices{3});
}

TEST_CASE("of two flushes under way each counts where it is answered") {
  const auto epochs = epochs_of({write(1), done(1), flush(2), write(3), done(3), flush(4), done(4), done(2)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[1].now_durable == Indices{0, 3});
}

TEST_CASE("a write with force unit access is durable where it is answered, and no other is") {
  const auto epochs = epochs_of({write(1), done(1), write(2, kFua), done(2)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[1].now_durable == Indices{2});
  CHECK(epochs[1].pending == Indices{0});
}

TEST_CASE("a flush of nothing begins no epoch") {
  CHECK(epochs_of({flush(1), done(1), flush(2), done(2)}).size() == 1);
}
