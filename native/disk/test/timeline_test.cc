#include "native/disk/timeline.h"

#include <doctest/doctest.h>

using namespace plugpull::disk;

namespace {

Record write(uint64_t id, uint8_t flags = 0) {
  return {.kind = Kind::kWrite, .flags = flags, .id = id, .offset = 100 * id, .length = 1};
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

namespace {

Record write_at(uint64_t id, uint64_t offset, uint64_t length, uint8_t flags = 0) {
  return {.kind = Kind::kWrite, .flags = flags, .id = id, .offset = offset, .length = length};
}

}  // namespace

TEST_CASE("an older write does not come back over one with force unit access") {
  const auto epochs =
      epochs_of({write_at(1, 0, 8), done(1), write_at(2, 0, 8, kFua), done(2), flush(3), done(3)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0].pending == Indices{0, 2});
  CHECK(epochs[1].now_durable == Indices{2});
  CHECK(epochs[1].pending.empty());
}

TEST_CASE("of an older write the part remains that no durable write has covered, pending or durable") {
  const auto epochs = epochs_of({write_at(1, 0, 24), done(1), write_at(2, 8, 8, kFua), done(2),
                                 write_at(3, 16, 8, kFua), done(3), flush(4), done(4)});
  REQUIRE(epochs.size() == 4);
  CHECK(epochs[0].hidden.empty());
  CHECK(epochs[1].pending == Indices{0, 4});
  CHECK(epochs[1].hidden_of(0) == Ranges{{8, 16}});
  CHECK(epochs[2].pending == Indices{0});
  CHECK(epochs[2].hidden_of(0) == Ranges{{8, 16}, {16, 24}});
  CHECK(epochs[3].now_durable == Indices{0});
  CHECK(epochs[3].hidden_of(0) == Ranges{{8, 16}, {16, 24}});
}

TEST_CASE("a write that was under way all along does not come back over a flushed one that came in later") {
  const auto epochs = epochs_of(
      {write_at(1, 0, 16), write_at(2, 0, 8), done(2), flush(3), done(3), done(1), flush(4), done(4)});
  REQUIRE(epochs.size() == 3);
  CHECK(epochs[1].pending == Indices{0});
  CHECK(epochs[1].hidden_of(0) == Ranges{{0, 8}});
  CHECK(epochs[2].now_durable == Indices{0});
  CHECK(epochs[2].hidden_of(0) == Ranges{{0, 8}});
}

TEST_CASE("a newer write may lie over a durable one, and be lost") {
  const auto epochs = epochs_of({write_at(1, 0, 8), write_at(2, 0, 8), done(1), flush(3), done(3)});
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[1].pending == Indices{1});
  CHECK(epochs[1].hidden.empty());
}
