#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "native/process/folders.h"
#include "native/storage/error.h"
#include "native/test/fams_support.h"

using namespace plugpull;
using namespace plugpull::test;

namespace {

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct stat status(const std::string& path) {
  struct stat result {};
  REQUIRE(::lstat(path.c_str(), &result) == 0);
  return result;
}

// A folder with a bit of everything.
std::string sample(const TempFolder& place) {
  const std::string folder = place.file("sample");
  REQUIRE(::mkdir(folder.c_str(), 0750) == 0);
  REQUIRE(::mkdir((folder + "/inner").c_str(), 0700) == 0);
  write_file(folder + "/inner/text", "content");
  write_file(folder + "/empty", "");
  write_file(folder + "/marked", "snapshot");
  REQUIRE(::chmod((folder + "/marked").c_str(), 0200) == 0);
  const timespec times[2] = {{1000, 5}, {2000, 7}};
  REQUIRE(::utimensat(AT_FDCWD, (folder + "/marked").c_str(), times, 0) == 0);
  REQUIRE(::symlink("inner/text", (folder + "/link").c_str()) == 0);
  REQUIRE(::mkfifo((folder + "/pipe").c_str(), 0600) == 0);
  write_file(folder + "/sparse", "begin");
  REQUIRE(::truncate((folder + "/sparse").c_str(), 50 << 20) == 0);
  return folder;
}

}  // namespace

TEST_CASE("a copied folder equals its source: bytes, holes, permissions, times, links") {
  for (const std::string& parent : {TempFolder::scratch_folder(), std::string("/tmp")}) {
    const TempFolder place(parent);
    const std::string from = sample(place);
    const std::string to = place.file("copy");
    copy_folder(from, to);
    CHECK(!compare_folders(from, to).has_value());
    CHECK((status(to).st_mode & 07777) == 0750);
    CHECK((status(to + "/marked").st_mode & 07777) == 0200);
    CHECK((status(from + "/marked").st_mode & 07777) == 0200);
    CHECK(status(to + "/marked").st_mtim.tv_sec == 2000);
    CHECK(status(to + "/sparse").st_size == 50 << 20);
    CHECK(status(to + "/sparse").st_blocks < 100);
    CHECK(read_file(to + "/link") == "content");
  }
}

TEST_CASE("the comparison names the first difference") {
  const auto difference = [](auto change) {
    const TempFolder place;
    const std::string from = sample(place);
    const std::string to = place.file("copy");
    copy_folder(from, to);
    change(to);
    const auto found = compare_folders(from, to);
    return found ? *found : "";
  };
  CHECK(difference([](const std::string&) {}) == "");
  CHECK(difference([](const std::string& to) { write_file(to + "/new", ""); }) ==
        "new is only in the second folder");
  CHECK(difference([](const std::string& to) { ::unlink((to + "/empty").c_str()); }) ==
        "empty is only in the first folder");
  CHECK(difference([](const std::string& to) { write_file(to + "/inner/text", "conTent"); }) ==
        "inner/text differs at byte 3");
  CHECK(difference([](const std::string& to) { write_file(to + "/inner/text", "longer content"); }) ==
        "inner/text has 7 bytes in the first folder and 14 in the second");
  CHECK(difference([](const std::string& to) { ::chmod((to + "/marked").c_str(), 0400); }) ==
        "marked has permissions 0200 in the first folder and 0400 in the second");
  CHECK(difference([](const std::string& to) {
          const int fd = ::open((to + "/sparse").c_str(), O_WRONLY);
          REQUIRE(::pwrite(fd, "!", 1, 40 << 20) == 1);
          ::close(fd);
        }) == "sparse differs at byte " + std::to_string(40 << 20));
  CHECK(difference([](const std::string& to) {
          ::unlink((to + "/link").c_str());
          REQUIRE(::symlink("elsewhere", (to + "/link").c_str()) == 0);
        }) == "link links to somewhere else");
  CHECK(difference([](const std::string& to) {
          ::unlink((to + "/empty").c_str());
          REQUIRE(::mkdir((to + "/empty").c_str(), 0700) == 0);
        }) == "empty is of another kind");
}

TEST_CASE("folder errors say what failed on what") {
  const TempFolder place;
  const auto error_of = [](auto call) {
    try {
      call();
    } catch (const OsError& error) {
      return error.error();
    }
    return 0;
  };
  CHECK(error_of([&] { copy_folder(place.file("none"), place.file("x")); }) == ENOENT);
  CHECK(error_of([&] { copy_folder(place.path(), place.path()); }) == EEXIST);
  CHECK(error_of([&] { compare_folders(place.path(), place.file("none")); }) == ENOENT);
  CHECK(error_of([&] { reflink_available(place.file("none")); }) == ENOENT);
  reflink_available(place.path());  // whatever it says, it leaves nothing behind
  const TempFolder empty;
  CHECK(!compare_folders(place.path(), empty.path()).has_value());
}
