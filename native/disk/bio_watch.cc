#include "native/disk/bio_watch.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace plugpull::disk {

namespace {

constexpr char kTracing[] = "/sys/kernel/tracing";
constexpr size_t kPage = 4096;
// No record of an event is longer.
constexpr size_t kMaxRecord = 512;

std::string read_event(const char* name) {
  const std::string path = std::string(kTracing) + "/events/block/block_bio_queue/" + name;
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) fail(ENOENT, "read " + path);
  return text.str();
}

// Offset of a field in the tracepoint's record, from the text of its `format` file.
unsigned offset_of(const std::string& format, const std::string& field) {
  std::istringstream lines(format);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find(';');
    if (line.find("field:") == std::string::npos || end == std::string::npos) continue;
    std::string name = line.substr(0, end);
    name = name.substr(name.find_last_of(' ') + 1);
    name = name.substr(0, name.find('['));
    const size_t at = line.find("offset:");
    if (name == field && at != std::string::npos)
      return static_cast<unsigned>(std::stoul(line.substr(at + 7)));
  }
  fail(ENOENT, "find the field " + field + " of block_bio_queue");
}

}  // namespace

BioWatch::BioWatch(unsigned major, unsigned minor, Watched what, size_t pages) : data_bytes_(pages * kPage) {
  const std::string events = std::string(kTracing) + "/events";
  // Ours is a private mount namespace, so nobody else sees this.
  if (access(events.c_str(), F_OK) != 0)
    check(mount("tracefs", kTracing, "tracefs", 0, nullptr), "mount tracefs");
  const std::string format = read_event("format");
  sector_at_ = offset_of(format, "sector");
  count_at_ = offset_of(format, "nr_sector");
  type_at_ = offset_of(format, "rwbs");
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = std::stoull(read_event("id"));
  attributes.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;
  attributes.sample_period = 1;
  attributes.disabled = 1;
  std::string filter = "dev == " + std::to_string((major << 20) | minor);
  // What writes, discards or zeroes begins with another letter, or with F for a flush before it.
  if (what == Watched::kWrites) filter += " && !(rwbs ~ \"R*\")";
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus; cpu++) {
    Ring ring{
        Fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC))),
        nullptr};
    if (ring.fd.get() < 0 && errno == ENODEV) continue;  // a CPU that is switched off
    check(ring.fd.get(), "perf_event_open");
    check(ioctl(ring.fd.get(), PERF_EVENT_IOC_SET_FILTER, filter.c_str()), "filter the tracepoint");
    void* memory = mmap(nullptr, data_bytes_ + kPage, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd.get(), 0);
    if (memory == MAP_FAILED) fail(errno, "map the events");
    ring.memory = static_cast<char*>(memory);
    rings_.push_back(std::move(ring));
    check(ioctl(rings_.back().fd.get(), PERF_EVENT_IOC_ENABLE, 0), "enable the tracepoint");
  }
}

BioWatch::~BioWatch() {
  for (const Ring& ring : rings_) munmap(ring.memory, data_bytes_ + kPage);
}

bool BioWatch::drain(const std::function<void(const Bio&)>& seen) {
  bool all = true;
  for (Ring& ring : rings_) all = drain(ring, seen) && all;
  return all;
}

bool BioWatch::drain(Ring& ring, const std::function<void(const Bio&)>& seen) {
  auto* page = reinterpret_cast<perf_event_mmap_page*>(ring.memory);
  const char* data = ring.memory + kPage;
  const uint64_t from = page->data_tail;
  const uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
  bool all = true;
  char record[kMaxRecord];
  for (uint64_t tail = from; tail < head;) {
    perf_event_header header;
    const auto copy = [&](void* into, uint64_t at, size_t size) {
      for (size_t i = 0; i < size; i++) static_cast<char*>(into)[i] = data[(at + i) % data_bytes_];
    };
    copy(&header, tail, sizeof header);
    // Anything else than an event is a note about lost ones, or nothing that we know.
    if (header.type != PERF_RECORD_SAMPLE || header.size > sizeof record) all = false;
    if (header.size == 0) break;
    if (header.type == PERF_RECORD_SAMPLE && header.size <= sizeof record) {
      copy(record, tail, header.size);
      uint64_t nanos = 0;
      std::memcpy(&nanos, record + sizeof header, sizeof nanos);
      const char* raw = record + sizeof header + sizeof nanos + sizeof(uint32_t);
      uint64_t sector = 0;
      uint32_t count = 0;
      std::memcpy(&sector, raw + sector_at_, sizeof sector);
      std::memcpy(&count, raw + count_at_, sizeof count);
      // `R`, `RA`, `RM` …
      if (count > 0) seen({nanos, sector * 512, uint64_t{count} * 512, raw[type_at_] == 'R'});
    }
    tail += header.size;
  }
  __atomic_store_n(&page->data_tail, head, __ATOMIC_SEQ_CST);
  // The kernel tells of an event that did not fit only with the next one that does. But where one did not
  // fit, the ring was full but for less than a record and that note; and nobody but we made room, just now.
  const uint64_t filled = __atomic_load_n(&page->data_head, __ATOMIC_SEQ_CST) - from;
  return all && filled + 2 * kMaxRecord <= data_bytes_;
}

}  // namespace plugpull::disk
