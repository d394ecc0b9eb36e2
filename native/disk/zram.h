// Compressed RAM disks.
#ifndef PLUGPULL_NATIVE_DISK_ZRAM_H_
#define PLUGPULL_NATIVE_DISK_ZRAM_H_

#include <cstdint>
#include <string>

#include "native/disk/files.h"

namespace plugpull::disk {

struct ZramName {
  unsigned number = 0;
  // Of all disks since the machine started no two have the same, while a number is given again and again. 0:
  // it may not have been made yet.
  uint64_t sequence = 0;
  // The file that says whose it is.
  std::string owner;
};

struct Zram {
  std::string path;
  unsigned major = 0;
  unsigned minor = 0;
  ZramName name;
  // Its closing lets the process act that gives the device back when this one is gone.
  Fd guard;
};

// Where it stands whose a device is, for sweep_zrams(): a file `OWNER` (see owner.h) that holds its name.
constexpr char kZramOwners[] = "/run";

// Makes one of so many bytes. It is given back when this process is gone, once `folder`, where it may be
// mounted, is unmounted; that is done then, too. Throws std::system_error, also where the kernel has none or
// `owners` cannot be written to.
Zram add_zram(uint64_t bytes, const std::string& folder, const std::string& owners = kZramOwners);

// Gives it back, unless it is in use. Never throws.
void remove_zram(const ZramName& name) noexcept;

// Gives back what explorers of ours that are gone have left, because whatever killed them killed those too
// that would have given it back. Never throws.
void sweep_zrams(const std::string& owners = kZramOwners) noexcept;

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_ZRAM_H_
