#include "native/disk/served_disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <sstream>
#include <system_error>

#include "native/disk/files.h"
#include "native/disk/image.h"

namespace plugpull::disk {

namespace {

constexpr uint64_t kBlock = 4096;

}  // namespace

uint64_t now_micros() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

ServedDisk::ServedDisk(const RecorderOptions& options)
    : options_(options),
      size_(file_size(options.image)),
      trace_(options.trace, size_),
      started_(now_micros()) {
  changed_.resize(size_ / kBlock + 1);
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail(errno, "memory for the image");
  bytes_ = static_cast<char*>(memory);
  const Fd image(check(open(options.image.c_str(), O_RDONLY | O_CLOEXEC), "open " + options.image));
  for_each_data(image.get(), size_, [&](uint64_t offset, uint64_t length) {
    read_all(image.get(), bytes_ + offset, length, offset, "read " + options.image);
  });
}

ServedDisk::~ServedDisk() { munmap(bytes_, size_); }

int ServedDisk::add(Kind kind, uint64_t offset, uint64_t length, std::string_view data, uint64_t* id) {
  if (trace_error_ != 0) return EIO;
  Record record{.kind = kind, .offset = offset, .length = length, .micros = now_micros() - started_};
  if (id != nullptr) record.id = *id = ++ids_;
  for (uint64_t block = offset / kBlock; block * kBlock < offset + length; block++) {
    if (!changed_[block]) changed_count_++;
    changed_[block] = true;
  }
  try {
    trace_.add(record, data);
  } catch (const std::system_error& error) {
    trace_error_ = error.code().value();
    return EIO;
  }
  return 0;
}

int ServedDisk::failed(int error) {
  failed_++;
  return error;
}

bool ServedDisk::write_fails() {
  ++writes_;
  return writes_ >= options_.eio_writes_from && writes_ <= options_.eio_writes_to;
}

int ServedDisk::read(uint64_t offset, uint64_t length) {
  if (offset > size_ || length > size_ - offset) return EINVAL;
  ++reads_;
  return reads_ >= options_.eio_reads_from && reads_ <= options_.eio_reads_to ? failed(EIO) : 0;
}

int ServedDisk::write(uint64_t offset, std::string_view data, uint64_t* id) {
  if (offset > size_ || data.size() > size_ - offset) return EFBIG;
  if (write_fails()) return failed(EIO);
  if (written_ + data.size() > options_.full_after) return failed(ENOSPC);
  const int error = add(Kind::kWrite, offset, data.size(), data, id);
  if (error != 0) return error;
  written_ += data.size();
  std::memcpy(bytes_ + offset, data.data(), data.size());
  return 0;
}

int ServedDisk::zero(uint64_t offset, uint64_t length, bool discard, uint64_t* id) {
  if (offset > size_) return EINVAL;
  if (length > size_ - offset) length = size_ - offset;
  if (!discard && write_fails()) return failed(EIO);
  const int error = add(discard ? Kind::kDiscard : Kind::kZero, offset, length, {}, id);
  if (error == 0) std::memset(bytes_ + offset, 0, length);
  return error;
}

int ServedDisk::flush(uint64_t* id) {
  *id = 0;
  ++flushes_;
  if (flushes_ >= options_.eio_flushes_from && flushes_ <= options_.eio_flushes_to) return failed(EIO);
  return options_.lying_flush ? 0 : add(Kind::kFlush, 0, 0, {}, id);
}

int ServedDisk::mark(std::string_view text) {
  marks_++;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const int error = add(Kind::kMark, 0, 0, text, nullptr);
  for (const auto& [mark, line] : on_mark_) {
    if (mark == text) control(line);
  }
  return error;
}

void ServedDisk::done(uint64_t id) {
  if (id == 0) return;
  if (trace_error_ != 0) return;
  try {
    trace_.add({.kind = Kind::kDone, .id = id, .micros = now_micros() - started_});
  } catch (const std::system_error& error) {
    trace_error_ = error.code().value();
  }
}

bool ServedDisk::control(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  uint64_t value = 0;
  if (!(words >> name)) return false;
  if (name == "on-mark") return control_later(words);
  if (name == "healthy") {
    heal();
    return true;
  }
  if (!(words >> value)) return false;
  uint64_t count = kNever;
  if (uint64_t given = 0; words >> given) count = given;
  // The last one that fails, if the first is the one after `passed + value`.
  const auto last = [&](uint64_t passed) { return count == kNever ? kNever : passed + value + count; };
  if (name == "lying-flush") {
    options_.lying_flush = value != 0;
  } else if (name == "delay-micros") {
    options_.delay_micros = value;
  } else if (name == "eio-reads-after") {
    options_.eio_reads_from = reads_ + value + 1;
    options_.eio_reads_to = last(reads_);
  } else if (name == "eio-writes-after") {
    options_.eio_writes_from = writes_ + value + 1;
    options_.eio_writes_to = last(writes_);
  } else if (name == "eio-flushes-after") {
    options_.eio_flushes_from = flushes_ + value + 1;
    options_.eio_flushes_to = last(flushes_);
  } else if (name == "full-after") {
    options_.full_after = written_ + value;
  } else {
    return false;
  }
  return true;
}

bool ServedDisk::control_later(std::istringstream& words) {
  std::string mark;
  std::string line;
  if (on_mark_.size() >= kMaxOnMark || !(words >> mark >> std::ws) || !std::getline(words, line))
    return false;
  std::replace(mark.begin(), mark.end(), '_', ' ');
  on_mark_.emplace_back(std::move(mark), std::move(line));
  return true;
}

void ServedDisk::heal() {
  options_.lying_flush = false;
  options_.delay_micros = 0;
  options_.eio_reads_from = options_.eio_writes_from = options_.eio_flushes_from = kNever;
  options_.full_after = kNever;
  on_mark_.clear();
}

std::string ServedDisk::summary() const {
  return "records " + std::to_string(trace_.records()) + " writes " + std::to_string(writes_) + " flushes " +
         std::to_string(flushes_) + " marks " + std::to_string(marks_) + " bytes " +
         std::to_string(written_) + " failed " + std::to_string(failed_) + " changed " +
         std::to_string(changed_count_ * kBlock);
}

void ServedDisk::finish() {
  try {
    trace_.flush();
  } catch (const std::system_error& error) {
    trace_error_ = error.code().value();
  }
}

}  // namespace plugpull::disk
