#include "native/disk/list.h"

#include <cinttypes>
#include <cstdio>
#include <vector>

#include "native/disk/timeline.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

void list(const std::string& trace) {
  const TraceReader reader(trace);
  const std::vector<Record>& records = reader.records();
  std::printf("trace %" PRIu64 " %" PRIu64 "\n", reader.image_bytes(), reader.torn_bytes());
  const std::vector<Epoch> epochs = epochs_of(records);
  for (size_t number = 0; number < epochs.size(); number++) {
    const Epoch& epoch = epochs[number];
    std::printf("e %zu\n", number);
    for (size_t i = epoch.first; i < epoch.last; i++) {
      const Record& record = records[i];
      switch (record.kind) {
        case Kind::kWrite:
        case Kind::kDiscard:
        case Kind::kZero:
          std::printf("%c %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                      record.kind == Kind::kWrite ? 'w' : (record.kind == Kind::kDiscard ? 'd' : 'z'),
                      record.id, record.offset, record.length);
          break;
        case Kind::kFlush:
          std::printf("f %" PRIu64 "\n", record.id);
          break;
        case Kind::kDone:
          std::printf("a %" PRIu64 "\n", record.id);
          break;
        case Kind::kMark:
          std::printf("m %s\n", reader.text(record).c_str());
          break;
      }
    }
    std::printf("p %zu", epoch.pending.size());
    for (const size_t index : epoch.pending) std::printf(" %" PRIu64, records[index].id);
    std::printf("\n");
  }
}

}  // namespace plugpull::disk
