#include "native/disk/lines.h"

#include <doctest/doctest.h>

namespace plugpull::disk {

TEST_CASE("a word of a line can hold what would part words") {
  CHECK(unquoted("/plain/path") == "/plain/path");
  CHECK(unquoted("a\\040b\\134\\012c") == "a b\\\nc");
  CHECK(unquoted("\\303\\244") == "\xc3\xa4");
}

TEST_CASE("a backslash that begins no byte stands for itself") {
  CHECK(unquoted("a\\") == "a\\");
  CHECK(unquoted("a\\04") == "a\\04");
  CHECK(unquoted("a\\9000") == "a\\9000");
}

}  // namespace plugpull::disk
