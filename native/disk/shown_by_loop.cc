#include <sys/stat.h>

#include "native/disk/loop.h"
#include "native/disk/shown_disk.h"

namespace plugpull::disk {

namespace {

class ShownByLoop : public ShownDisk {
 public:
  explicit ShownByLoop(Medium& medium) : medium_(medium), loop_(attach_loop(medium.fd(), false, false)) {
    guard_ = guard_loop(loop_, medium.fd());
    loop_.held.reset();
  }

  ~ShownByLoop() override {
    struct stat status {};
    if (fstat(medium_.fd(), &status) == 0) detach_loop(loop_.path, status.st_dev, status.st_ino);
  }

  const std::string& path() const override { return loop_.path; }
  Number number() const override { return {loop_.major, loop_.minor}; }
  bool show() override { return false; }
  void written(uint64_t offset, uint64_t length) override { medium_.touched(offset, length); }
  void written_anywhere() override { medium_.find_changes(); }
  std::optional<uint64_t> missed() override { return medium_.missed(); }

 private:
  Medium& medium_;
  Loop loop_;
  Fd guard_;
};

}  // namespace

std::unique_ptr<ShownDisk> shown_by_loop(Medium& medium) {
  sweep_loops();
  return std::make_unique<ShownByLoop>(medium);
}

}  // namespace plugpull::disk
