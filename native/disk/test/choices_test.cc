#include "native/disk/choices.h"

#include <doctest/doctest.h>

using namespace plugpull::disk;

TEST_CASE("choices are read as they are written") {
  CHECK(parse_choices("-", 3).empty());
  CHECK(parse_choices("*", 3).size() == 3);
  const auto kept = parse_choices("0,2:5", 3);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].pending == 0);
  CHECK(kept[0].mask.empty());
  CHECK(kept[1].pending == 2);
  CHECK(kept[1].mask == std::vector<bool>{true, false, true, false});
}

TEST_CASE("a mask's lowest bit is the first unit") {
  const auto kept = parse_choices("0:10", 1);
  CHECK(kept[0].mask == std::vector<bool>{false, false, false, false, true, false, false, false});
}

TEST_CASE("nonsense is refused") {
  for (const char* text :
       {"", "3", "a", "1,0", "1,1", "0:", "0:xyz", "0:F", "-1", "0 1", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_THROWS(parse_choices(text, 3));
  }
}
