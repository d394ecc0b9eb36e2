// A folder that is gone after the test.
#ifndef PLUGPULL_NATIVE_DISK_TEST_TEMPORARY_H_
#define PLUGPULL_NATIVE_DISK_TEST_TEMPORARY_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace plugpull::disk {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/plugpull-disk-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_TEST_TEMPORARY_H_
