#pragma once
#include <napi.h>

namespace plugpull::addon {

// The native parts of workloads: the std::map and the threads.
void define_workloads(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon
