#include "native/disk/explorer.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "native/disk/answers.h"
#include "native/disk/bio_watch.h"
#include "native/disk/choices.h"
#include "native/disk/lines.h"
#include "native/disk/medium.h"
#include "native/disk/mounts.h"
#include "native/disk/read_sets.h"
#include "native/disk/resident_checker.h"
#include "native/disk/shown_disk.h"
#include "native/disk/state_file.h"
#include "native/disk/timeline.h"

namespace plugpull::disk {

namespace {

class Explorer {
 public:
  Explorer(const ExplorerOptions& options, LineReader& lines)
      : options_(options),
        lines_(lines),
        trace_(options.trace),
        epochs_(epochs_of(trace_.records())),
        medium_(options.base),
        known_(medium_) {
    if (medium_.size() != trace_.image_bytes())
      throw std::runtime_error("the trace is of a disk of another size");
    make_durable(epochs_[0]);
  }

  ~Explorer() {
    if (mounted_) {
      try {
        unmount(options_.folder);
      } catch (const std::system_error&) {
        // Its mount namespace ends with its last process.
      }
    }
  }

  // A device of its own, for all states.
  void attach() {
    if (options_.device == "zram" && options_.undo != "compare") {
      try {
        disk_ = shown_by_zram(medium_, options_.folder);
        watch();
        return;
      } catch (const std::system_error& error) {
        // A kernel without zram is nothing to tell each time; `plugpull doctor` says it.
        if (error.code().value() != ENOENT)
          std::fprintf(stderr, "note: states are shown by a loop device: %s\n", error.what());
      }
    }
    disk_ = shown_by_loop(medium_);
    if (options_.undo == "compare") return;
    try {
      watch();
    } catch (const std::system_error& error) {
      if (options_.undo == "trace") throw;
      std::fprintf(stderr, "note: changes are found by comparison: %s\n", error.what());
    }
  }

  std::string serve(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "try") return attempt(words);
    if (command == "end") return end();
    if (command == "digest") return digests(words);
    if (command == "checker") return take_checker(words);
    if (command == "check") return show(words);
    if (command == "stop") return "ok";
    if (command == "device") return "ok " + disk_->path();
    if (command == "sees") return sees_reads() ? "ok 1" : "ok 0";
    if (command == "learn") return learn(words);
    if (command == "open") return open_writes(words);
    if (command == "save") return save(words);
    return "error no such command now: " + command;
  }

 private:
  bool sees_reads() const { return watch_ && options_.undo != "trace"; }

  void watch() {
    const auto [major, minor] = disk_->number();
    const Watched what = options_.undo == "trace" ? Watched::kWrites : Watched::kAll;
    watch_.emplace(major, minor, what, options_.event_pages);
  }

  void make_durable(const Epoch& epoch) {
    for (const size_t index : epoch.now_durable)
      medium_.make_durable(trace_, trace_.records()[index], epoch.hidden_of(index));
  }

  // Forward from where we are, or from the base.
  void go_to(size_t epoch) {
    if (epoch >= epochs_.size()) throw std::runtime_error("there is no epoch " + std::to_string(epoch));
    if (epoch < epoch_) {
      medium_.rewind();
      epoch_ = 0;
      make_durable(epochs_[0]);
    }
    while (epoch_ < epoch) make_durable(epochs_[++epoch_]);
    medium_.undo();
  }

  const Record& pending(size_t index) const { return trace_.records()[epochs_[epoch_].pending[index]]; }
  const Ranges& hidden(size_t index) const {
    return epochs_[epoch_].hidden_of(epochs_[epoch_].pending[index]);
  }

  std::vector<Kept> put(const std::string& choices) {
    std::vector<Kept> kept = parse_choices(choices, epochs_[epoch_].pending.size());
    for (const Kept& one : kept)
      medium_.put(trace_, pending(one.pending), one.mask, options_.unit, hidden(one.pending));
    return kept;
  }

  void make(std::istringstream& words) {
    size_t epoch = 0;
    std::string choices;
    if (!(words >> epoch >> choices)) throw std::runtime_error("an epoch and choices are needed");
    if (mounted_) throw std::runtime_error("a state is mounted");
    refuse_if_missed();
    go_to(epoch);
    put(choices);
    choices_ = choices;
  }

  std::string digests(std::istringstream& words) {
    size_t epoch = 0;
    if (!(words >> epoch)) throw std::runtime_error("an epoch is needed");
    if (mounted_) throw std::runtime_error("a state is mounted");
    go_to(epoch);
    std::string answer = "ok";
    for (std::string choices; words >> choices;) {
      put(choices);
      char text[20];
      std::snprintf(text, sizeof text, " %016lx", medium_.digest());
      answer += text;
      for (const std::string& name : known_.agreeing(kMaxAgreeing)) answer += ":" + name;
      medium_.undo();
    }
    return answer;
  }

  std::string mount_state() {
    try {
      mount_device(disk_->path(), options_.folder, options_.type, options_.mount_options);
    } catch (const std::system_error& error) {
      return "refused " + std::to_string(error.code().value()) + " " + error.what();
    }
    mounted_ = true;
    return "ok";
  }

  std::string attempt(std::istringstream& words) {
    make(words);
    // Reads of an earlier state, if its end was never asked for.
    see();
    if (disk_->show()) look_away();
    bios_.clear();
    return mount_state();
  }

  std::string take_checker(std::istringstream& words) {
    std::string folder;
    words >> std::ws;
    if (!std::getline(words, folder)) throw std::runtime_error("a folder is needed");
    checker_.reset();
    checker_.emplace(folder);
    return "ok";
  }

  // All that is to be done for a state, for one line: callers have more to do than to wait for each step.
  std::string show(std::istringstream& words) {
    int millis = 0;
    int times = 0;
    if (!(words >> millis >> times)) throw std::runtime_error("milliseconds and a number are needed");
    if (!checker_) throw std::runtime_error("there is no checker");
    const std::string mounted = attempt(words);
    if (!mounted_) return "ok refused " + end().substr(3) + mounted.substr(mounted.find(' '));
    std::string answers;
    for (int i = 0; i < times; i++) {
      std::string answer;
      const ResidentChecker::End ended =
          checker_->check(options_.folder + "/" + options_.data, millis, lines_, &answer);
      if (ended != ResidentChecker::End::kAnswered) {
        checker_.reset();
        return (ended == ResidentChecker::End::kLate ? "ok late " : "ok stopped ") + answers;
      }
      answers += (i == 0 ? "" : "\t") + answer;
    }
    try {
      unmount(options_.folder);
    } catch (const std::system_error&) {
      return "ok busy " + answers;
    }
    mounted_ = false;
    return "ok done " + end().substr(3) + " " + answers;
  }

  void see() {
    if (!watch_) return;
    const bool all = watch_->drain([this](const Bio& bio) {
      if (!bio.read && !forgotten(++writes_, options_.forget_writes)) disk_->written(bio.offset, bio.length);
      if (bios_.size() < kMaxBios) {
        bios_.push_back(bio);
      } else {
        unknown_ = true;
      }
    });
    if (!all) overflow_ = unknown_ = true;
  }

  // What we ourselves have asked of the device is none of the kernel's reads and writes. If not all of it is
  // seen nothing is missed: nobody else uses the device then.
  void look_away() {
    if (watch_) watch_->drain([](const Bio&) {});
  }

  std::string end() {
    if (mounted_) unmount(options_.folder);
    mounted_ = false;
    see();
    if (!watch_ || overflow_) disk_->written_anywhere();
    medium_.undo();
    audit();
    const auto reads = std::count_if(bios_.begin(), bios_.end(), [](const Bio& bio) { return bio.read; });
    std::string answer =
        "ok " + std::to_string(reads) + " " + std::to_string(static_cast<int64_t>(bios_.size()) - reads);
    if (sees_reads() && !unknown_ && !choices_.empty()) {
      const Blocks blocks = blocks_read();
      put(choices_);
      answer += " " + known_.name(blocks) + " " + blocks_text(blocks);
      medium_.undo();
    } else {
      answer += " - -";
    }
    overflow_ = unknown_ = false;
    choices_.clear();
    bios_.clear();
    return answer;
  }

  // After a missed change no state would be what it is said to be.
  void audit() {
    if (options_.audit_undo != 0 && ++ended_ % options_.audit_undo == 0) audit_due_ = true;
    if (!missed_ && audit_due_) {
      missed_ = disk_->missed();
      audit_due_ = false;
      look_away();
    }
    refuse_if_missed();
  }

  void refuse_if_missed() const {
    if (missed_)
      throw std::runtime_error(
          "block " + std::to_string(*missed_) +
          " of the disk was changed unseen: states since the last comparison may be wrong");
  }

  static bool forgotten(uint64_t count, uint64_t every) { return every != 0 && count % every == 0; }

  Blocks blocks_read() const {
    Blocks blocks = first_read(bios_);
    uint64_t count = 0;
    std::erase_if(blocks, [&](uint64_t) { return forgotten(++count, options_.forget_reads); });
    return blocks;
  }

  std::string learn(std::istringstream& words) {
    std::string name, blocks;
    if (!(words >> name >> blocks)) throw std::runtime_error("a name and blocks are needed");
    known_.learn(name, parse_blocks(blocks, medium_.blocks()));
    return "ok";
  }

  std::string open_writes(std::istringstream& words) {
    size_t epoch = 0;
    std::string name, choices;
    if (!(words >> epoch >> name >> choices))
      throw std::runtime_error("an epoch, a name and choices are needed");
    if (mounted_) throw std::runtime_error("a state is mounted");
    const std::vector<bool>* blocks = known_.blocks_of(name);
    if (blocks == nullptr) return "forgotten";
    go_to(epoch);
    std::vector<bool> chosen(epochs_[epoch_].pending.size(), false);
    for (const Kept& kept : put(choices)) chosen[kept.pending] = true;
    std::string answer = "ok";
    for (size_t i = 0; i < chosen.size(); i++) {
      if (!chosen[i] && medium_.would_change(trace_, pending(i), *blocks, hidden(i)))
        answer += " " + std::to_string(i);
    }
    medium_.undo();
    return answer;
  }

  std::string save(std::istringstream& words) {
    make(words);
    std::string file;
    words >> std::ws;
    if (!std::getline(words, file)) throw std::runtime_error("a file is needed");
    save_state(medium_.fd(), medium_.size(), file);
    medium_.undo();
    choices_.clear();
    return "ok";
  }

  static constexpr size_t kMaxBios = 1 << 16;
  static constexpr size_t kMaxAgreeing = 4;

  const ExplorerOptions options_;
  LineReader& lines_;
  std::optional<ResidentChecker> checker_;
  TraceReader trace_;
  std::vector<Epoch> epochs_;
  Medium medium_;
  ReadSets known_;
  std::unique_ptr<ShownDisk> disk_;
  std::optional<BioWatch> watch_;
  size_t epoch_ = 0;
  bool mounted_ = false;
  uint64_t writes_ = 0;             // requests to write that were seen
  uint64_t ended_ = 0;              // states that were shown
  bool audit_due_ = false;          // it stays so where it could not be done
  std::optional<uint64_t> missed_;  // a block that was found to hold anything else than it should
  bool overflow_ = false;           // some of what was written was not seen
  bool unknown_ = false;            // some of what was read was not seen
  std::string choices_;             // of the state that is shown
  std::vector<Bio> bios_;           // since it was made
};

}  // namespace

int explore(const ExplorerOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);  // the controller decides what Ctrl-C means
  if (!in_private_namespace()) {
    std::fprintf(stderr, "states are mounted only in a private mount namespace\n");
    return 69;
  }
  LineReader lines(0);
  Explorer explorer(options, lines);
  explorer.attach();
  return serve_lines(lines, [&](const std::string& line) { return explorer.serve(line); });
}

}  // namespace plugpull::disk
