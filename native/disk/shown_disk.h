// The block device on which crash states are mounted: it shows what a Medium holds. One file for each kind.
#ifndef PLUGPULL_NATIVE_DISK_SHOWN_DISK_H_
#define PLUGPULL_NATIVE_DISK_SHOWN_DISK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "native/disk/medium.h"

namespace plugpull::disk {

class ShownDisk {
 public:
  // As the kernel's tracepoints and major()/minor() name it.
  struct Number {
    unsigned major = 0;
    unsigned minor = 0;
  };

  virtual ~ShownDisk() = default;
  virtual const std::string& path() const = 0;
  virtual Number number() const = 0;
  // Before each mount: brings what it shows to what the medium holds. True if that was done by requests to
  // the device, which who watches it sees.
  virtual bool show() = 0;
  // The kernel has written here; or it may have written anywhere.
  virtual void written(uint64_t offset, uint64_t length) = 0;
  virtual void written_anywhere() = 0;
  // After the medium was put back: the number of a block that shows anything else than what is durable.
  virtual std::optional<uint64_t> missed() = 0;
};

// Each gives back what explorers that are gone have left of its kind, and takes care that its own device is
// given back when this process is gone, however that came. They throw std::system_error.
//
// A loop device over the medium's own memory: nothing is copied, but another thread does what is asked of it.
std::unique_ptr<ShownDisk> shown_by_loop(Medium& medium);
// A compressed RAM disk (Linux's zram), to which is written what changed since the last state. Who asks for
// something does it, so what reads and writes little is quicker. It has sectors of 4 KiB. `folder`: where it
// will be mounted.
std::unique_ptr<ShownDisk> shown_by_zram(Medium& medium, const std::string& folder);

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_SHOWN_DISK_H_
