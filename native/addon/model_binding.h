#pragma once
#include <napi.h>

namespace plugpull::addon {

// The storage model and the exploration of its crash states: modelStorage, profiles, explore.
void define_model(Napi::Env env, Napi::Object exports);

}  // namespace plugpull::addon
