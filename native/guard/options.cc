#include "native/guard/options.h"

#include <charconv>
#include <cstring>

namespace plugpull::guard {

const char* const kUsage =
    "usage: plugpull-guard --control FD [--pipes] [--time-max MS] [--memory-max BYTES]\n"
    "                      [--processes-max N] [--kill-max MS] -- program [argument...]\n";

namespace {

bool parse_number(const char* text, uint64_t* value) {
  const char* end = text + std::strlen(text);
  auto [stop, error] = std::from_chars(text, end, *value);
  return error == std::errc() && stop == end && stop != text;
}

}  // namespace

std::string parse_options(int argc, char* const* argv, Options* options) {
  uint64_t control = 0;
  bool has_control = false;
  int i = 1;
  for (; i < argc; i++) {
    const std::string flag = argv[i];
    if (flag == "--") break;
    if (flag == "--pipes") {
      options->pipes = true;
      continue;
    }
    uint64_t* value = nullptr;
    if (flag == "--memory-max") value = &options->memory_max;
    if (flag == "--processes-max") value = &options->processes_max;
    if (flag == "--time-max") value = &options->time_max;
    if (flag == "--kill-max") value = &options->kill_max;
    if (flag == "--control") {
      value = &control;
      has_control = true;
    }
    if (value == nullptr) return "unknown option " + flag;
    if (i + 1 == argc) return flag + " needs a number";
    if (!parse_number(argv[++i], value)) return flag + ": not a number: " + argv[i];
  }
  if (!has_control) return "--control is missing";
  if (control < 3 || control > 1'000'000) return "--control: must be a descriptor above 2";
  if (i + 1 >= argc) return "no program after --";
  options->control = static_cast<int>(control);
  options->program = argv + i + 1;
  return "";
}

}  // namespace plugpull::guard
