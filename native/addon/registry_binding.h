#pragma once
#include <napi.h>

namespace plugpull::addon {

// What there is: backends and planted bugs.
void define_registry(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon
