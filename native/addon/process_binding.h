#pragma once
#include <napi.h>

namespace plugpull::addon {

// Steps, kills, forks and folders.
void define_process(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon
