// plugpull-disk: records the life of a block device, and shows what a power cut could have left of it.
#include <fcntl.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "native/disk/dmlog.h"
#include "native/disk/explorer.h"
#include "native/disk/files.h"
#include "native/disk/fuse_end.h"
#include "native/disk/hand.h"
#include "native/disk/image.h"
#include "native/disk/list.h"
#include "native/disk/recorder.h"
#include "native/disk/state_file.h"
#include "native/disk/state_image.h"

namespace plugpull::disk {
namespace {

constexpr int kUsageExit = 64;
constexpr int kFailureExit = 70;

constexpr char kUsage[] =
    "usage: plugpull-disk record --image FILE --trace FILE --mount DIR [--lying-flush] [--delay-micros N]\n"
    "           [--eio-reads-from N] [--eio-writes-from N] [--eio-flushes-from N] [--full-after BYTES]\n"
    "       plugpull-disk explore --base FILE --trace FILE --folder DIR --type FS [--options LIST] [--data "
    "FOLDER]\n"
    "           [--unit BYTES] [--undo auto|trace|compare] [--device loop|zram] [--audit-undo N]\n"
    "           [--event-pages N] [--forget-reads N] [--forget-writes N]\n"
    "       plugpull-disk hand\n"
    "       plugpull-disk list TRACE\n"
    "       plugpull-disk restore TRACE IMAGE\n"
    "       plugpull-disk save IMAGE TRACE [--bytes N]\n"
    "       plugpull-disk state --base FILE --trace FILE --epoch N --choices LIST --image FILE [--unit "
    "BYTES]\n"
    "       plugpull-disk convert --from-dmlog LOG --trace FILE --image-bytes N [--marks-at OFFSET]\n"
    "       plugpull-disk convert --to-dmlog LOG --trace FILE\n";

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Flags that were given. What nobody asks for is an error.
class Flags {
 public:
  Flags(const std::vector<std::string>& words, const std::vector<std::string>& switches) {
    for (size_t i = 0; i < words.size(); i++) {
      if (words[i].rfind("--", 0) != 0) throw Usage("what is \"" + words[i] + "\"?");
      bool alone = false;
      for (const std::string& name : switches) alone = alone || words[i] == name;
      if (!alone && i + 1 == words.size()) throw Usage(words[i] + " needs a value");
      const std::string& name = words[i];
      values_[name] = alone ? "1" : words[++i];
    }
  }
  std::string text(const std::string& name) {
    std::string value;
    if (!take(name, &value)) throw Usage(name + " is needed");
    return value;
  }
  std::string text(const std::string& name, const std::string& other) {
    std::string value;
    return take(name, &value) ? value : other;
  }
  uint64_t number(const std::string& name, uint64_t other) {
    std::string value;
    if (!take(name, &value)) return other;
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size())
      throw Usage(name + ": not a number: " + value);
    return number;
  }
  void end() const {
    if (!values_.empty()) throw Usage("unknown option " + values_.begin()->first);
  }

 private:
  bool take(const std::string& name, std::string* value) {
    const auto found = values_.find(name);
    if (found == values_.end()) return false;
    *value = found->second;
    values_.erase(found);
    return true;
  }
  std::map<std::string, std::string> values_;
};

int run_record(Flags flags) {
  RecorderOptions options;
  options.image = flags.text("--image");
  options.trace = flags.text("--trace");
  options.mount = flags.text("--mount");
  options.lying_flush = flags.number("--lying-flush", 0) != 0;
  options.delay_micros = flags.number("--delay-micros", 0);
  options.eio_reads_from = flags.number("--eio-reads-from", kNever);
  options.eio_writes_from = flags.number("--eio-writes-from", kNever);
  options.eio_flushes_from = flags.number("--eio-flushes-from", kNever);
  options.full_after = flags.number("--full-after", kNever);
  flags.end();
  return record(options);
}

int run_explore(Flags flags) {
  ExplorerOptions options;
  options.base = flags.text("--base");
  options.trace = flags.text("--trace");
  options.folder = flags.text("--folder");
  options.type = flags.text("--type");
  options.mount_options = flags.text("--options", "");
  options.data = flags.text("--data", options.data);
  options.unit = flags.number("--unit", 4096);
  options.undo = flags.text("--undo", "auto");
  options.device = flags.text("--device", options.device);
  options.audit_undo = flags.number("--audit-undo", options.audit_undo);
  options.event_pages = flags.number("--event-pages", options.event_pages);
  options.forget_reads = flags.number("--forget-reads", 0);
  options.forget_writes = flags.number("--forget-writes", 0);
  flags.end();
  if (options.device != "loop" && options.device != "zram") throw Usage("--device is loop or zram");
  if (options.unit != 512 && options.unit != 4096) throw Usage("--unit is 512 or 4096");
  return explore(options);
}

int run_convert(Flags flags) {
  const std::string from = flags.text("--from-dmlog", "");
  const std::string to = flags.text("--to-dmlog", "");
  const std::string trace = flags.text("--trace");
  const uint64_t bytes = flags.number("--image-bytes", 0);
  const uint64_t marks_at = flags.number("--marks-at", kNever);
  flags.end();
  if (from.empty() == to.empty()) throw Usage("one of --from-dmlog and --to-dmlog is needed");
  if (!from.empty() && bytes == 0)
    throw Usage("--image-bytes is needed: the log does not tell the disk's size");
  DmlogOptions options{.image_bytes = bytes, .marks_at = {}};
  if (marks_at != kNever) options.marks_at = marks_at;
  const uint64_t entries =
      from.empty() ? dmlog_from_trace(trace, to) : trace_from_dmlog(from, trace, options);
  std::printf("%lu entries\n", entries);
  return 0;
}

int run_state(Flags flags) {
  const std::string base = flags.text("--base");
  const std::string trace = flags.text("--trace");
  const uint64_t epoch = flags.number("--epoch", kNever);
  const std::string choices = flags.text("--choices");
  const std::string image = flags.text("--image");
  const uint64_t unit = flags.number("--unit", 4096);
  flags.end();
  if (epoch == kNever) throw Usage("--epoch is needed");
  if (unit != 512 && unit != 4096) throw Usage("--unit is 512 or 4096");
  make_state(base, trace, {.epoch = epoch, .choices = choices, .unit = unit}, image);
  return 0;
}

int run_save(const std::string& image, const std::string& trace, Flags flags) {
  const uint64_t size = file_size(image);
  const uint64_t bytes = flags.number("--bytes", size);
  flags.end();
  if (bytes > size) throw Usage("--bytes: the image has " + std::to_string(size));
  const Fd fd(check(open(image.c_str(), O_RDONLY | O_CLOEXEC), "open " + image));
  save_state(fd.get(), bytes, trace);
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) throw Usage("a command is needed");
  const std::string& command = words[0];
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (command == "record") return run_record(Flags(rest, {"--lying-flush"}));
  if (command == "explore") return run_explore(Flags(rest, {}));
  if (command == "convert") return run_convert(Flags(rest, {}));
  if (command == "save" && rest.size() >= 2) {
    return run_save(rest[0], rest[1], Flags({rest.begin() + 2, rest.end()}, {}));
  }
  if (command == "state") return run_state(Flags(rest, {}));
  if (command == "hand" && rest.empty()) return hand();
  if (command == "end-fuse" && rest.size() == 1) return end_fuse(rest[0]);
  if (command == "list" && rest.size() == 1) {
    list(rest[0]);
    return 0;
  }
  if (command == "restore" && rest.size() == 2) {
    restore_state(rest[0], rest[1]);
    return 0;
  }
  throw Usage("unknown command, or the wrong number of arguments: " + command);
}

}  // namespace
}  // namespace plugpull::disk

int main(int argc, char** argv) {
  try {
    return plugpull::disk::run({argv + 1, argv + argc});
  } catch (const plugpull::disk::Usage& error) {
    std::fprintf(stderr, "plugpull-disk: %s\n%s", error.what(), plugpull::disk::kUsage);
    return plugpull::disk::kUsageExit;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "plugpull-disk: %s\n", error.what());
    return plugpull::disk::kFailureExit;
  }
}
