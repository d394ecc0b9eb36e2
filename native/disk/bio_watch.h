// Sees every request that the kernel hands to one block device, by the tracepoint block_bio_queue.
#ifndef PLUGPULL_NATIVE_DISK_BIO_WATCH_H_
#define PLUGPULL_NATIVE_DISK_BIO_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "native/disk/files.h"

namespace plugpull::disk {

struct Bio {
  uint64_t nanos;   // when it was handed over
  uint64_t offset;  // bytes
  uint64_t length;
  bool read;
};

enum class Watched { kAll, kWrites };

constexpr size_t kEventPages = 128;

class BioWatch {
 public:
  // `what`: see Watched. `pages`: of events that each CPU holds between two calls of drain(), a power of two.
  // Throws std::system_error where the kernel does not offer it (no tracefs, no perf events, no right to
  // them).
  BioWatch(unsigned major, unsigned minor, Watched what, size_t pages = kEventPages);
  ~BioWatch();
  BioWatch(const BioWatch&) = delete;
  BioWatch& operator=(const BioWatch&) = delete;

  // Gives all that came since the last call, in the order of each CPU. False if some may have been lost.
  bool drain(const std::function<void(const Bio&)>& seen);

 private:
  struct Ring {
    Fd fd;
    char* memory;
  };
  bool drain(Ring& ring, const std::function<void(const Bio&)>& seen);

  size_t data_bytes_;  // of each ring
  std::vector<Ring> rings_;
  unsigned sector_at_ = 0;
  unsigned count_at_ = 0;
  unsigned type_at_ = 0;
};

}  // namespace plugpull::disk

#endif  // PLUGPULL_NATIVE_DISK_BIO_WATCH_H_
