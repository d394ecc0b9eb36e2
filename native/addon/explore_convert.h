#pragma once
#include <napi.h>

#include <cstdint>
#include <string>

#include "native/explore/explorer.h"
#include "native/explore/minimize.h"
#include "native/model/recording.h"

namespace plugpull::addon {

// Results of exploration as the JavaScript objects that native/index.ts describes.
Napi::Value explored_object(Napi::Env env, const Explored& explored);
Napi::Value minimized_object(Napi::Env env, const Minimized& minimized);
Napi::Value operations_array(Napi::Env env, const Trace& trace, std::uint64_t from, std::uint64_t to);
// Names what a run did to storage: equal runs have equal hashes (XXH3-64 of all operations and their bytes).
std::string trace_hash(const Trace& trace);

}  // namespace plugpull::addon
