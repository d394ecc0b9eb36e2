#include "native/disk/state_image.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "native/disk/test/temporary.h"
#include "native/disk/trace.h"

using namespace plugpull::disk;

namespace {

constexpr uint64_t kSize = 1 << 16;

// The first byte of each of the first pages.
std::string pages_of(const std::string& path, size_t count) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::string first;
  for (size_t page = 0; page < count; page++) first += all.at(page * 4096) == 0 ? '.' : all[page * 4096];
  return first;
}

}  // namespace

TEST_CASE("an image of a state: what was durable, and the writes chosen, whole or torn") {
  const TemporaryFolder folder;
  // Larger than the traced disk: what lies behind that is kept.
  std::ofstream(folder / "base", std::ios::binary) << std::string(kSize + 4096, 'B');
  {
    TraceWriter out(folder / "t", kSize);
    const auto write = [&](uint64_t id, char byte, uint64_t page, uint64_t pages) {
      const std::string data(pages * 4096, byte);
      out.add({.kind = Kind::kWrite, .id = id, .offset = page * 4096, .length = data.size()}, data);
      out.add({.kind = Kind::kDone, .id = id});
    };
    write(1, 'a', 0, 1);
    out.add({.kind = Kind::kFlush, .id = 2});
    out.add({.kind = Kind::kDone, .id = 2});
    write(3, 'c', 1, 2);
    out.add({.kind = Kind::kDiscard, .id = 4, .offset = 3 * 4096, .length = 4096});
    out.add({.kind = Kind::kDone, .id = 4});
  }
  const auto state = [&](uint64_t epoch, const std::string& choices) {
    make_state(folder / "base", folder / "t", {.epoch = epoch, .choices = choices}, folder / "image");
    return pages_of(folder / "image", 17).substr(0, 5) + pages_of(folder / "image", 17).back();
  };
  CHECK(state(0, "-") == "BBBBBB");
  CHECK(state(1, "-") == "aBBBBB");
  CHECK(state(1, "0") == "accBBB");
  CHECK(state(1, "0:2") == "aBcBBB");
  CHECK(state(1, "1") == "aBB.BB");
  CHECK(state(1, "*") == "acc.BB");
  CHECK_THROWS(state(2, "-"));
  CHECK_THROWS(state(1, "7"));
}

TEST_CASE("an older write does not come back over a durable one") {
  const TemporaryFolder folder;
  std::ofstream(folder / "base", std::ios::binary) << std::string(kSize, 'B');
  {
    TraceWriter out(folder / "t", kSize);
    const auto write = [&](uint64_t id, char byte, uint64_t page, uint64_t pages, uint8_t flags) {
      const std::string data(pages * 4096, byte);
      out.add({.kind = Kind::kWrite, .flags = flags, .id = id, .offset = page * 4096, .length = data.size()},
              data);
      out.add({.kind = Kind::kDone, .id = id});
    };
    write(1, 'a', 0, 3, 0);
    write(2, 'b', 1, 1, kFua);
    write(3, 'c', 2, 1, 0);
    out.add({.kind = Kind::kFlush, .id = 4});
    out.add({.kind = Kind::kDone, .id = 4});
  }
  const auto state = [&](uint64_t epoch, const std::string& choices) {
    make_state(folder / "base", folder / "t", {.epoch = epoch, .choices = choices}, folder / "image");
    return pages_of(folder / "image", 4);
  };
  CHECK(state(0, "0") == "aaaB");
  CHECK(state(0, "*") == "abaB");
  CHECK(state(1, "-") == "BbBB");
  CHECK(state(1, "0") == "abaB");
  CHECK(state(1, "0:7") == "abaB");
  CHECK(state(1, "0:2") == "BbBB");
  CHECK(state(1, "*") == "abcB");
  CHECK(state(2, "-") == "abcB");
}
