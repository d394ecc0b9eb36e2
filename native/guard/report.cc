#include "native/guard/report.h"

#include <cstdio>
#include <cstring>

namespace plugpull::guard {

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += byte < 0x7f ? c : '?';
    }
  }
  return out + '"';
}

std::string to_json(const Report& report) {
  std::string leftovers;
  for (const Process& process : report.leftovers) {
    if (!leftovers.empty()) leftovers += ',';
    leftovers += "{\"pid\":" + std::to_string(process.pid) + ",\"name\":" + json_string(process.name) + '}';
  }
  std::string survivors;
  for (const pid_t pid : report.survivors) {
    if (!survivors.empty()) survivors += ',';
    survivors += std::to_string(pid);
  }
  const auto or_null = [](bool has, int64_t value) { return has ? std::to_string(value) : "null"; };
  return "{\"type\":\"ended\",\"exit\":" + or_null(report.exit >= 0, report.exit) +
         ",\"signal\":" + or_null(report.signal > 0, report.signal) +
         ",\"killed\":" + (report.killed ? "true" : "false") +
         ",\"stopped\":" + (report.stopped != nullptr ? json_string(report.stopped) : "null") +
         ",\"leftovers\":[" + leftovers + "],\"leftoverCount\":" + std::to_string(report.leftover_count) +
         ",\"survivors\":[" + survivors + "],\"maxMemory\":" + std::to_string(report.max_memory) +
         ",\"maxRss\":" + std::to_string(report.max_rss) +
         ",\"unread\":" + or_null(report.unread >= 0, report.unread) +
         ",\"micros\":" + std::to_string(report.micros) + "}\n";
}

std::string failure_json(const std::string& what, int error) {
  const char* code = strerrorname_np(error);
  return "{\"type\":\"failed\",\"what\":" + json_string(what) + ",\"errno\":" + std::to_string(error) +
         ",\"code\":" + json_string(code != nullptr ? code : "") +
         ",\"message\":" + json_string(std::strerror(error)) + "}\n";
}

}  // namespace plugpull::guard
