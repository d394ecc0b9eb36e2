#include "native/addon/heap_options.h"

#include "native/addon/convert.h"

namespace plugpull::addon {
namespace {

TrackerKind tracker(const Napi::Object& from) {
  const std::string name = text_or(from, "tracker", "auto");
  if (name == "auto") return TrackerKind::kAuto;
  if (name == "pagemap") return TrackerKind::kPagemap;
  if (name == "mprotect") return TrackerKind::kMprotect;
  if (name == "compare") return TrackerKind::kCompare;
  throw Napi::TypeError::New(from.Env(), "tracker must be auto, pagemap, mprotect or compare, not " + name);
}

std::uint64_t identity(const Napi::Object& from) {
  const Napi::Value value = from.Get("identity");
  if (value.IsUndefined()) return 0;
  if (!value.IsBigInt()) throw Napi::TypeError::New(from.Env(), "identity must be a bigint");
  bool lossless = false;
  const std::uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Napi::RangeError::New(from.Env(), "identity must fit into 64 bits without sign");
  return number;
}

PlantedBugs planted(const Napi::Object& from) {
  const std::string name = text_or(from, "planted", "");
  if (name.empty()) return {};
  const std::optional<Bug> bug = bug_by_name(name);
  if (!bug) throw Napi::RangeError::New(from.Env(), "there is no planted bug named " + name);
  return PlantedBugs(*bug);
}

std::string backend(const Napi::Object& from) {
  const std::string name = text(from.Get("backend"), "backend");
  if (backend_by_name(name) != nullptr) return name;
  std::string known;
  for (const BackendKind& kind : all_backends())
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  throw Napi::RangeError::New(from.Env(), "there is no backend named " + name + "; there are " + known);
}

}  // namespace

HeapOptions heap_options(const Napi::Value& value, bool create) {
  const Napi::Object from = object(value, "options");
  HeapOptions options;
  options.backend_name = backend(from);
  options.layout = text(from.Get("layout"), "layout");
  options.fixed_address = flag_or(from, "fixedAddress", false);
  BackendOptions& backend = options.backend;
  backend.path = text(from.Get("path"), "path");
  if (backend.path.empty()) throw Napi::TypeError::New(from.Env(), "path must not be empty");
  backend.size = create ? whole_number(from.Get("size"), "size") : whole_number_or(from, "size", 0);
  backend.max_size = whole_number_or(from, "maxSize", 0);
  if (backend.max_size % kPageSize != 0) {
    throw Napi::RangeError::New(from.Env(), "maxSize must be a multiple of 4096");
  }
  backend.tracker = tracker(from);
  backend.log_bytes = whole_number_or(from, "logBytes", 0);
  backend.background = flag_or(from, "background", false);
  backend.read_only = flag_or(from, "readOnly", false);
  if (create && backend.read_only)
    throw Napi::TypeError::New(from.Env(), "a heap cannot be created readOnly");
  backend.identity = identity(from);
  backend.planted = planted(from);
  return options;
}

}  // namespace plugpull::addon
