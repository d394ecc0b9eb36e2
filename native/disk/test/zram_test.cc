#include "native/disk/zram.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "native/disk/owner.h"
#include "native/disk/test/temporary.h"

using namespace plugpull::disk;

TEST_CASE("what is left of owners that are gone is swept, what is in use or of others is not") {
  const TemporaryFolder folder;
  // No disk has had this sequence number yet.
  const auto note = [&](const std::string& name) { std::ofstream(folder / name) << "0 99999999999"; };
  // Our own number, as if given to us after the death of another one.
  const std::string mine = owner_name();
  const size_t start = mine.find('-', std::string("plugpull-disk-").size()) + 1;
  const std::string gone = mine.substr(0, start) + "1" + mine.substr(start);
  for (const std::string& name : {gone, mine, std::string("other")}) note(name);
  sweep_zrams(folder / "");
  CHECK(!std::filesystem::exists(folder / gone));
  CHECK(std::filesystem::exists(folder / mine));
  CHECK(std::filesystem::exists(folder / "other"));
}

TEST_CASE("nothing is made where it cannot be noted whose it is") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(add_zram(1 << 20, folder / "", folder / "missing"), std::system_error);
}
