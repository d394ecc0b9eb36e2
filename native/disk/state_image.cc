#include "native/disk/state_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "native/disk/choices.h"
#include "native/disk/files.h"
#include "native/disk/image.h"
#include "native/disk/parts.h"
#include "native/disk/timeline.h"
#include "native/disk/trace.h"

namespace plugpull::disk {

namespace {

class Image {
 public:
  Image(const std::string& base, const std::string& path)
      : path_(path),
        fd_(check(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), "open " + path)) {
    const Fd from(check(open(base.c_str(), O_RDONLY | O_CLOEXEC), "open " + base));
    size_ = file_size(base);
    check(ftruncate(fd_.get(), static_cast<off_t>(size_)), "size of " + path);
    for_each_data(from.get(), size_, [&](uint64_t offset, uint64_t length) {
      data_.resize(length);
      read_all(from.get(), data_.data(), length, offset, "read " + base);
      write_all_at(fd_.get(), data_.data(), length, offset, "write " + path_);
    });
  }

  uint64_t size() const { return size_; }

  void put(const TraceReader& trace, const Record& record, const Ranges& parts) {
    data_.assign(record.length, '\0');
    if (record.kind == Kind::kWrite) trace.read(record, data_.data());
    for (const auto& [from, to] : parts)
      write_all_at(fd_.get(), data_.data() + (from - record.offset), to - from, from, "write " + path_);
  }

 private:
  std::string path_;
  Fd fd_;
  uint64_t size_ = 0;
  std::vector<char> data_;
};

}  // namespace

void make_state(const std::string& base, const std::string& trace, const StateChoice& state,
                const std::string& image) {
  const TraceReader reader(trace);
  const std::vector<Record>& records = reader.records();
  const std::vector<Epoch> epochs = epochs_of(records);
  if (state.epoch >= epochs.size())
    throw std::runtime_error("there is no epoch " + std::to_string(state.epoch));
  const Epoch& epoch = epochs[state.epoch];
  const std::vector<Kept> kept = parse_choices(state.choices, epoch.pending.size());
  Image out(base, image);
  if (out.size() < reader.image_bytes())
    throw std::runtime_error("the trace is of a larger disk than " + base);
  for (size_t number = 0; number <= state.epoch; number++) {
    for (const size_t index : epochs[number].now_durable)
      out.put(reader, records[index], parts_of(records[index], {}, 0, epochs[number].hidden_of(index)));
  }
  for (const Kept& one : kept) {
    const size_t index = epoch.pending[one.pending];
    const Record& record = records[index];
    out.put(reader, record, parts_of(record, one.mask, state.unit, epoch.hidden_of(index)));
  }
}

}  // namespace plugpull::disk
