#pragma once
// Small runs over the model, and what a cut at their end leaves, as text.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "native/explore/explorer.h"
#include "native/model/model_storage.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull::test {

inline ConstBytes text(const std::string& s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

inline std::string show(Storage& storage, const std::string& path) {
  if (!storage.exists(path)) return "-";
  const auto file = storage.open(path, {.write = false});
  std::string content(file->size(), '?');
  content.resize(read_all(*file, {reinterpret_cast<std::byte*>(content.data()), content.size()}, 0));
  // Runs of one letter are shown as the letter and, if longer than one, their length.
  std::string shown;
  for (std::size_t i = 0; i < content.size();) {
    std::size_t end = i + 1;
    while (end < content.size() && content[end] == content[i]) ++end;
    shown += content[i] == '\0' ? '0' : content[i] == '\xA5' ? '#' : content[i];
    if (end - i > 1) shown += std::to_string(end - i);
    i = end;
  }
  return shown;
}

using States = std::multiset<std::string>;

inline std::string words(const States& states) {
  std::string all;
  for (const std::string& state : states) all += "[" + state + "]";
  return all;
}

inline States once(const States& states) {
  const std::set<std::string> set(states.begin(), states.end());
  return {set.begin(), set.end()};
}

struct Run {
  explicit Run(const char* profile = "posix") : storage({.profile = profile_by_name(profile)}) {}

  std::unique_ptr<File> create(const std::string& path, const std::string& content = "", bool sync = true) {
    auto file = storage.open(path, {.create = true});
    if (!content.empty()) write_all(*file, text(content), 0);
    if (sync) {
      file->sync();
      storage.sync_directory(directory_of(path));
    }
    return file;
  }

  // What can be found after a cut at the end of the run, and how many states were looked at.
  std::multiset<std::string> end(const std::vector<std::string>& paths, ExploreOptions options = {}) {
    options.profile = &storage.profile();
    Explorer explorer(storage.trace(), options);
    const auto last = static_cast<std::uint32_t>(storage.trace().recording.ops().size());
    std::multiset<std::string> found;
    explorer.explore_points({last}, [&](CrashView& view, const StateInfo&) {
      std::string state;
      for (const std::string& path : paths) state += (state.empty() ? "" : " ") + show(view, path);
      found.insert(state);
      return 0U;
    });
    return found;
  }

  ModelStorage storage;
};

}  // namespace plugpull::test
